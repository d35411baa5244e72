"""Shortest paths on predicted costs: least squares beside three losses that judge a prediction by its decision."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
from matplotlib.figure import Figure
from scipy.stats import sem, t

import argflux as af
from argflux.programs import Program, fenchel_young_loss, perturbed_loss, regret, spo_plus_loss

grid = lambda edges: (edges[:20].reshape(5, 4), edges[20:].reshape(4, 5))  # 5 × 5 nodes: edges to the right, then down


def flow(w, cost):
    """What leaves each node, less what enters it, is 1 at the first corner and -1 at the last."""
    right, down = (jnp.pad(part, 1) for part in grid(w))
    return (jnp.diff(right, axis=1)[1:-1] + jnp.diff(down, axis=0)[:, 1:-1]).at[0, 0].add(-1.0).at[-1, -1].add(1.0)


def length(cost):
    """Length of the shortest path, row by row of the grid; its slope is the path."""
    right, down = grid(cost)
    along = jnp.pad(jnp.cumsum(right, 1), ((0, 0), (1, 0)))
    row = lambda above, steps: (steps[0] + jax.lax.cummin(above + steps[1] - steps[0]), None)
    return jax.lax.scan(row, along[0], (along[1:], down))[0][-1]


shortest = jax.grad(length)
smooth = Program(lambda w, cost: jnp.vdot(cost, w), lambda cost: cost, equality=flow, lower=0.0, smoothing=1.0)
LOSSES = {
    "SPO+": lambda cost, true, best, key: spo_plus_loss(shortest, cost, true, solution=best),
    "perturbed": lambda cost, true, best, key: perturbed_loss(shortest, cost, best, key=key, scale=0.5, samples=4),
    "Fenchel-Young": lambda cost, true, best, key: fenchel_young_loss(smooth, cost, best),
}


def roads(key, degree, days):
    """Features of days, mean costs that are their polynomial, and the costs that came."""
    keys = jax.random.split(key, 3)
    loads = jax.random.bernoulli(keys[0], 0.5, (5, 40)).astype(jnp.float32)
    features = jax.random.normal(keys[1], (days, 6)).at[:, -1].set(1.0)
    mean = ((features[:, :-1] @ loads / 5**0.5 + 3) ** degree + 1) / (3.0**degree + 1)
    return features, mean, mean * jax.random.uniform(keys[2], mean.shape, minval=0.5, maxval=1.5)


@af.plots.style.styled
def main(out: Path, seeds: int = 8, days: int = 100, steps: int = 40, degrees: tuple = (1, 2, 4, 8)) -> dict:
    keys = jnp.tile(jax.random.split(jax.random.key(0), seeds), len(degrees))
    powers = jnp.repeat(jnp.array(degrees, float), seeds)
    features, mean, costs = jax.vmap(roads, (0, 0, None))(keys, powers, days + 500)
    x, seen, unseen = features[:, :days], costs[:, :days], (features[:, days:], mean[:, days:])
    best = jax.jit(jax.vmap(jax.vmap(shortest)))(seen)
    batches = [(x, seen, best, jax.random.split(jax.random.key(step), len(keys))) for step in range(steps)]
    predictors = {"least squares": jax.vmap(lambda x, cost: jnp.linalg.lstsq(x, cost)[0])(x, seen)}
    for name, one in LOSSES.items():  # predictors of all seeds and degrees share nothing, and train together
        loss = lambda *batch, one=one: jnp.sum(jax.vmap(lambda B, x, *rest: one(x @ B, *rest))(*batch))
        predictors[name], _ = af.train(loss, predictors["least squares"], batches, af.Adam(0.02), progress=False)
    lost = jax.jit(jax.vmap(lambda B, x, c: 100 * regret(shortest, x @ B, c) / jnp.mean(jax.vmap(length)(c))))
    found = {name: lost(B, *unseen).reshape(-1, seeds) for name, B in predictors.items()}
    axes = Figure(figsize=(9, 4)).add_subplot(xlabel="degree of the true costs", ylabel="regret, %", yscale="log")
    for number, (name, scores) in enumerate(found.items()):
        middle, half = scores.mean(1), sem(scores, 1) * t.ppf(0.975, seeds - 1)  # a 95 % interval by Student's t
        print(f"{name}: {', '.join(f'{m:.2f} ± {h:.2f}' for m, h in zip(middle.tolist(), half, strict=True))}")
        place = [row + 0.14 * (number - 1.5) for row in range(len(degrees))]
        axes.errorbar(place, middle, half, fmt="o", color=af.plots.style.colour(number), label=name)
    axes.set(xticks=range(len(degrees)), xticklabels=degrees, yticks=[1, 2, 5, 10, 20], yticklabels=[1, 2, 5, 10, 20])
    axes.figure.legend(loc="outside right")
    out.mkdir(parents=True, exist_ok=True)
    af.plots.save_figure(axes.figure, out / "regret.png", dpi=90)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/decision_losses"))
    main(parser.parse_args().out)
