"""A planar arm with joint limits as a layer: what a demonstrator's joints cost is learned from postures."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import argflux as af

LENGTHS = np.array([0.32, 0.28, 0.22, 0.12])  # metres
LOWER, UPPER = np.radians([-30.0, 0.0, 0.0, 0.0]), np.radians([110.0, 130.0, 80.0, 70.0])
TRUE = {"effort": np.float32([2.0, 0.6, -0.6, -2.0]), "rest": np.float32(np.radians([20, 50, 30, 20]))}
FIRST = {"effort": np.zeros(4, np.float32), "rest": np.float32(LOWER + UPPER) / 2}
JOINTS = ["shoulder", "elbow", "wrist", "finger"]


def joints(q):
    """Where the joints and the hand are, `(5, 2)`."""
    angle, lengths = jnp.cumsum(q), jnp.asarray(LENGTHS, q.dtype)
    steps = lengths[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], 1)
    return jnp.concatenate([jnp.zeros_like(steps[:1]), jnp.cumsum(steps, 0)])


arm = af.Program(
    lambda q, target, effort, rest: jnp.sum(jnp.exp(effort) * (q - rest) ** 2) / 2,
    variable=4,
    equality=lambda q, target, *_: joints(q)[-1] - target,
    lower=LOWER,
    upper=UPPER,
)


def draw(figure, targets, postures, errors):
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    chosen = np.argsort(targets[:, 0])[[3, len(targets) // 2, -6]]
    for number, (name, q) in enumerate(postures.items()):
        style = {"color": "black", "lw": 6, "alpha": 0.25} if not number else {"color": af.plots.style.colour(number)}
        for which in chosen:
            left.plot(*joints(q[which]).T, marker="o", ms=4, label=name if which == chosen[0] else None, **style)
    left.plot(*targets[chosen].T, "k*", ms=11, label="target")
    left.set(xlabel="x, m", ylabel="y, m", aspect="equal", title="Postures for three unseen targets")
    for number, error in enumerate(errors.values(), 1):
        right.bar(np.arange(4) + 0.4 * number - 0.6, error, 0.38, color=af.plots.style.colour(number))
    right.set(ylabel="median error, degrees", title="On all unseen targets", xticks=range(4), xticklabels=JOINTS)
    figure.legend(loc="outside lower center", ncols=4)


@af.plots.style.styled
def main(out: Path, count: int = 64, epochs: int = 400) -> dict:
    rng = np.random.default_rng(0)
    reached = np.asarray(jax.vmap(lambda q: joints(q)[-1])(np.float32(rng.uniform(LOWER, UPPER, (6 * count, 4)))))
    seen, unseen = np.split(reached[np.linalg.norm(reached, axis=1) > 0.5][: 2 * count], 2)
    solve = jax.jit(lambda learned, targets: af.ProgramLayer(arm, **learned).solve(targets))
    demonstrated = solve(TRUE, seen)
    shown = demonstrated.x + rng.normal(0, np.radians(2.0), (count, 4)).astype(np.float32)
    loss = lambda layer, targets, shown: jnp.mean((layer(targets) - shown) ** 2)
    first, rule = af.ProgramLayer(arm, **FIRST), af.Adam(0.03)
    layer, history = af.train(loss, first, [(seen, shown)], rule, epochs=epochs, progress=False)
    ways = {"demonstrator": TRUE, "first guess": FIRST, "learned": jax.tree.map(np.asarray, layer.learned)}
    postures = {name: np.asarray(solve(way, unseen).x) for name, way in ways.items()}
    off = {name: np.degrees(np.abs(q - postures["demonstrator"])) for name, q in postures.items()}
    errors = {name: np.median(off[name], 0) for name in ("first guess", "learned")}
    held = np.asarray((demonstrated.z_lower > 0) | (demonstrated.z_upper > 0)).any(1)
    print(f"{held.mean():.0%} of the demonstrations with a joint at its limit")
    for name, error in errors.items():
        print(f"{name}: {error.round(2)} degrees, at most {off[name].max():.1f}")
    draw(figure := Figure(figsize=(9.5, 4.4)), unseen, postures, errors)
    out.mkdir(parents=True, exist_ok=True)
    af.plots.save_figure(figure, out / "arm.png", dpi=90)
    return {"layer": layer, "off": off, "held": held, "demonstrated": demonstrated, "losses": history.losses}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/planar_arm"))
    main(parser.parse_args().out)
