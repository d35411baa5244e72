"""The constraints of a planner, learned from its decisions: a linear program recovered as far as it can be."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import argflux as af
from argflux.programs import Program, ProgramLayer

TRUTH = jnp.array([[0.9, 0.25], [0.6, 0.6], [0.2, 0.85], [0.4, 0.4]])  # the last resource never runs out

# Earn most with two products, when a unit of product j uses up the part `use[i, j]` of resource i.
planner = Program(
    lambda plan, prices, use: -jnp.vdot(prices, plan),
    variable=(2,),
    inequality=lambda plan, prices, use: use @ plan - 1,
    lower=0.0,
)


def misfit(layer, prices, plans):
    """Mean squared distance between a layer's decisions and those that were seen."""
    return jnp.mean(jnp.sum((layer(prices) - plans) ** 2, -1))


def loss(layers, prices, plans):
    """The sum over layers that share nothing: one run trains them all."""
    return jnp.sum(jax.vmap(misfit, (0, None, None))(layers, prices, plans))


def main(out: Path, starts: int = 8, epochs: int = 400) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    prices = jax.random.uniform(jax.random.key(0), (60, 2), minval=0.1)
    plans = ProgramLayer(planner, use=TRUTH).solve(prices).check().x
    seen = np.unique(plans.round(4), axis=0)
    ranks = [identifiable(prices), identifiable(prices[prices[:, 0] > prices[:, 1]])]  # all; the first product dearer
    print(f"{len(plans)} decisions, {len(seen)} kinds: {ranks[0]} of {TRUTH.size} numbers fixed, by half {ranks[1]}")

    guesses = jax.random.uniform(jax.random.key(1), (starts, *TRUTH.shape), minval=0.2)
    layers = jax.vmap(lambda use: ProgramLayer(planner, use=use))(guesses)
    for rate in (0.02, 0.004):
        layers, _ = af.train(loss, layers, [(prices, plans)], af.Adam(rate), epochs=epochs // 2, progress=False)
    errors = np.asarray(jax.vmap(misfit, (0, None, None))(layers, prices, plans))
    print("misfit of each start:", ", ".join(f"{error:.0e}" for error in np.sort(errors)))
    best = np.asarray(layers.learned["use"])[errors.argmin()]
    off = np.abs(np.asarray(TRUTH)[:, None] - best).max(-1).min(1)
    for row, distance in zip(TRUTH, off, strict=True):
        print(f"resource [{row[0]:.2f}, {row[1]:.2f}]: the nearest learned one is off by {distance:.3f}")
    print("wrote", af.plots.save_figure(draw(seen, guesses[errors.argmin()], best), out / "plans.png", dpi=110))
    return {"ranks": ranks, "errors": errors, "off": off, "use": best}


def identifiable(prices) -> int:
    """How many numbers of `use` the decisions fix, near the truth: the rank of their derivative."""
    slope = af.jacobian(lambda use: ProgramLayer(planner, use=use)(prices), TRUTH)
    return int(np.linalg.matrix_rank(slope.reshape(-1, TRUTH.size), tol=1e-3))


def draw(seen, start, found) -> Figure:
    """The plane of plans: where each resource runs out."""
    figure, ends = Figure(figsize=(4.6, 4.0), layout="constrained"), np.array([0.0, 3.0])
    axes = figure.add_subplot(xlabel="first product", ylabel="second product", xlim=(0, 2.6), ylim=(0, 2.6))
    kinds = {"guessed": (start, "#BBBBBB", "-"), "learned": (found, "#56B4E9", "-"), "true": (TRUTH, "#D55E00", ":")}
    for name, (use, color, line) in kinds.items():
        for i, (one, other) in enumerate(np.asarray(use)):
            axes.plot(ends, (1 - one * ends) / other, line, color=color, label=None if i else f"{name} resources")
    axes.plot(*seen.T, "o", color="#222222", label="decisions")
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/learn_constraint"))
    main(parser.parse_args().out)
