"""Predictive control of a pendulum: the weights of an expert's cost are learned from the torques it plans."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import argflux as af

HORIZON, STEP, GRAVITY, TORQUE = 20, 0.1, 9.81, 5.0  # a bob of 1 kg on a rod of 1 m cannot be held where it is level
LIMITS = ("angle", np.inf), ("speed", np.inf), ("torque", TORQUE)
TRUE, FIRST = np.float32([5.0, 2.5]), np.float32([1.0, 0.0])  # logarithms of the weights of angle and speed


def cost(x, state, weights):
    """Squares of the torques, and weighed distances from standing upright."""
    far = jnp.stack([jnp.sum(2 - 2 * jnp.cos(x["angle"])), jnp.sum(x["speed"] ** 2)])
    return jnp.vdot(jnp.exp(weights), far) + jnp.sum(x["torque"] ** 2)


def dynamics(x, state, weights):
    """How far each step is from Newton's law; angles are measured from upright."""
    angle, speed = (jnp.concatenate([state[k : k + 1], x[name]]) for k, name in enumerate(("angle", "speed")))
    push = GRAVITY * jnp.sin(angle[:-1]) + x["torque"] - 0.1 * speed[:-1]
    return {"angle": jnp.diff(angle) - STEP * speed[1:], "speed": jnp.diff(speed) - STEP * push}


UPPER = {name: np.full(HORIZON, bound, np.float32) for name, bound in LIMITS}
control = af.Program(cost, UPPER, equality=dynamics, lower=jax.tree.map(np.negative, UPPER), upper=UPPER)


@jax.jit
def plans(weights, states):
    """Derivatives of the planned torques by the weights, and the solutions, a row for each state."""
    solve = jax.vmap(control.solve, (0, None))
    return jax.jacfwd(lambda weights: ((found := solve(states, weights)).x["torque"], found), has_aux=True)(weights)


@af.plots.style.styled
def main(out: Path, count: int = 16, steps: int = 8) -> dict:
    rng, path = np.random.default_rng(0), [FIRST]
    seen, unseen = rng.uniform([-0.3, -0.5], [0.3, 0.5], (2, count, 2)).astype(np.float32)
    expert = jax.tree.map(np.asarray, plans(TRUE, seen)[1])
    shown = expert.x["torque"] + rng.normal(0, 0.2, (count, HORIZON))
    for _ in range(steps):  # Gauss and Newton's, each no longer than 1
        slopes, found = plans(path[-1], seen)
        change = np.linalg.lstsq(np.reshape(slopes, (-1, 2)), np.ravel(shown - found.x["torque"]))[0]
        path.append(np.float32(path[-1] + change / max(1, np.linalg.norm(change))))
    ways = {"expert": TRUE, "first guess": FIRST, "learned": path[-1]}
    found = {name: jax.tree.map(np.asarray, plans(way, unseen)[1]) for name, way in ways.items()}
    off = {n: np.sqrt(np.mean((each.x["torque"] - found["expert"].x["torque"]) ** 2)) for n, each in found.items()}
    held = np.abs(expert.x["torque"]) > TORQUE - 1e-4
    print(f"weights {np.exp(path[-1])}, the expert's {np.exp(TRUE)}; off, N m: {off}; held: {held.any(1).mean():.0%}")
    which = np.argmax(np.abs(unseen[:, 0]))
    axes = (figure := Figure(figsize=(10, 3.8))).subplots(1, 3)
    for number, (name, each) in enumerate(found.items()):
        style = {"color": "black", "lw": 6, "alpha": 0.25} if not number else {"color": af.plots.style.colour(number)}
        angle = np.degrees(np.append(unseen[which, 0], each.x["angle"][which]))
        axes[0].plot(STEP * np.arange(HORIZON + 1), angle, label=name, **style)
        axes[1].step(STEP * np.arange(HORIZON), each.x["torque"][which], where="post", **style)
    axes[0].set(xlabel="time, s", ylabel="angle from upright, degrees", title="A plan, unseen state")
    axes[1].set(xlabel="time, s", ylabel="torque, N m", title="Its torques")
    for k, name in enumerate(("angle", "speed")):
        axes[2].plot(np.exp(path)[:, k], "o-", ms=4, color=af.plots.style.colour(3 + k), label=f"weight of {name}")
        axes[2].axhline(np.exp(TRUE[k]), color="black", linestyle=":", label=None if k else "expert's weight")
    axes[2].set(xlabel="step of learning", ylabel="weight, beside torque's", yscale="log", title="What is learned")
    figure.legend(loc="outside lower center", ncols=6)
    out.mkdir(parents=True, exist_ok=True)
    af.plots.save_figure(figure, out / "plans.png", dpi=90)
    return {"expert": expert, "path": np.array(path), "found": found, "off": off, "held": held}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/predictive_control"))
    main(parser.parse_args().out)
