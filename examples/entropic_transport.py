"""Costs of transport, learned from plans: entropy-regularised transport over exponential cones, and its derivative."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
from matplotlib.figure import Figure

import argflux as af

FROM, TO, SEEN, HEAT = 5, 6, 10, 0.2


transport = af.Program(
    lambda x, cost, supply, demand: jnp.sum(cost * x["plan"]) - HEAT * jnp.sum(x["h"]),
    variable={"plan": (FROM, TO), "h": (FROM, TO)},
    equality=lambda x, cost, supply, demand: (x["plan"].sum(1) - supply, x["plan"].sum(0)[:-1] - demand[:-1]),
    inequality=lambda x, cost, supply, demand: af.cones.exponential(x["h"], x["plan"], 1.0),  # h <= -plan log plan
)


@jax.jit
def plans(cost, supplies, demands):
    return jax.vmap(lambda supply, demand: transport(cost, supply, demand)["plan"])(supplies, demands)


@jax.jit
def sinkhorn(cost, supply, demand):
    """The same plan, by scaling rows and columns in turn."""
    kernel = jnp.exp(-cost / HEAT)
    step = lambda _, v: demand / (kernel.T @ (supply / (kernel @ v)))
    v = jax.lax.fori_loop(0, 2000, step, jnp.ones_like(demand))
    return (supply / (kernel @ v))[:, None] * kernel * v


def centred(cost):
    """What is left of a cost when the means of its rows and columns are taken away: the part that plans depend on."""
    return cost - cost.mean(0) - cost.mean(1, keepdims=True) + cost.mean()


largest = lambda difference: float(jnp.abs(difference).max())


@af.plots.style.styled
@jax.enable_x64(True)
def main(out: Path, steps: int = 150) -> dict:
    keys = jax.random.split(jax.random.key(0), 4)
    true = jax.random.uniform(keys[0], (FROM, TO))
    supplies, demands = (jax.random.dirichlet(k, jnp.full(n, 4.0), (20,)) for k, n in ((keys[1], FROM), (keys[2], TO)))
    exact = plans(true, supplies, demands)
    found = {"sinkhorn": largest(exact - jax.vmap(sinkhorn, (None, 0, 0))(true, supplies, demands))}
    found["no cost"] = largest(plans(0 * true, supplies[SEEN:], demands[SEEN:]) - exact[SEEN:])
    print(f"off Sinkhorn's plans by {found['sinkhorn']:.0e}; unseen plans with no cost off by {found['no cost']:.3f}")
    noisy = exact * jnp.exp(0.1 * jax.random.normal(keys[3], exact.shape))
    axes = Figure(figsize=(4.8, 4.2)).add_subplot(xlabel="true cost, centred", ylabel="learned cost, centred")
    for i, (name, seen) in enumerate((("noisy", noisy[:SEEN]), ("exact", exact[:SEEN]))):
        seen /= seen.sum((1, 2), keepdims=True)
        loss = lambda cost, seen, *sums: -jnp.mean(jnp.sum(seen * jnp.log(plans(cost, *sums)), (1, 2)))
        data, rule = (seen, seen.sum(2), seen.sum(1)), af.Adam(0.05)
        cost, history = af.train(loss, 0 * true, [data], rule, epochs=steps, progress=False)
        unseen = largest(plans(cost, supplies[SEEN:], demands[SEEN:]) - exact[SEEN:])
        off, apart = largest(cost - true), largest(centred(cost - true))
        print(f"{name}: cost off by {off:.2f}, centred by {apart:.1e}; unseen plans off by {unseen:.1e}")
        axes.plot(centred(true).ravel(), centred(cost).ravel(), "so"[i], color=af.plots.style.colour(1 - i), label=name)
        found[name] = {"off": off, "centred": apart, "unseen": unseen, "losses": history.losses}
    axes.axline((0, 0), slope=1, color="black", linestyle=":", linewidth=1)
    axes.legend(title="plans")
    out.mkdir(parents=True, exist_ok=True)
    af.plots.save_figure(axes.figure, out / "costs.png", dpi=110)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/entropic_transport"))
    main(parser.parse_args().out)
