"""Logistic regression over exponential cones: a penalty a feature, learned by the slope of the validation loss."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer

import argflux as af

TRAIN, VALIDATION, SPLITS = 40, 200, 6
GRID = np.linspace(-7.0, 1.0, 9, dtype=np.float32)  # of the logarithm of one penalty for all features


def losses(x, X, y, penalty):
    """`log(1 + exp(-m)) <= t` for margins m is `exp(-t) <= u` and `exp(-m - t) <= v` with `u + v <= 1`."""
    two = -x["t"], -y * (X @ x["w"] + x["b"]) - x["t"]
    return *(af.cones.exponential(e, 1.0, x[part]) for e, part in zip(two, "uv", strict=True)), x["u"] + x["v"] - 1


regression = af.Program(
    lambda x, X, y, penalty: jnp.mean(x["t"]) + jnp.vdot(penalty, x["w"] ** 2) / 2,
    variable=lambda X, y, penalty: {"w": penalty, "b": 0.0 * y[0], "t": y, "u": y, "v": y},
    inequality=losses,
)


def splits(shuffled):
    """The ten means of the breast cancer data and shuffled copies of some, standardised by the rows to learn from."""
    data, drawn = load_breast_cancer(), []
    for seed in range(SPLITS):
        random = np.random.default_rng(seed)
        rows = random.permutation(len(data.target))
        X = np.hstack([data.data[:, :10], *(random.permutation(data.data[:, [i]]) for i in range(shuffled))])[rows]
        drawn.append(((X - X[:TRAIN].mean(0)) / X[:TRAIN].std(0), 2.0 * data.target[rows] - 1))
    return tuple(jnp.array(part, jnp.float32) for part in zip(*drawn, strict=True))


@jax.jit
@jax.vmap
def scores(logs, X, y):
    """Mean losses on the rows for validation and on the rest, of the regression on the first ones."""
    x = regression(X[:TRAIN], y[:TRAIN], jnp.exp(logs))
    each = jax.nn.softplus(-y * (X @ x["w"] + x["b"]))[TRAIN:]
    return each[:VALIDATION].mean(), each[VALIDATION:].mean()


@af.plots.style.styled
def main(out: Path, steps: int = 25) -> dict:
    found, figure = {}, Figure(figsize=(9.5, 3.8))
    for axes, shuffled in zip(figure.subplots(1, 2, sharey=True), (0, 10), strict=True):
        data, size = splits(shuffled), (SPLITS, 10 + shuffled)
        grid = np.array([scores(jnp.full(size, log), *data) for log in GRID])  # (penalties, 2, splits)
        start = jnp.broadcast_to(GRID[grid[:, 0].argmin(0)][:, None], size)
        loss = lambda logs, X, y: jnp.sum(scores(logs, X, y)[0])  # the splits share nothing, and learn together
        logs, _ = af.train(loss, start, [data], af.Adam(0.2), epochs=steps, progress=False)
        one, each = np.array(scores(start, *data)), np.array(scores(logs, *data))
        for i, rows in enumerate(("validation", "test")):
            lines = axes.plot([0, 1], [one[i], each[i]], "o-", color=af.plots.style.colour(i))
            lines[0].set_label(rows)
            line = f"{rows} loss with one penalty {one[i].mean():.3f}, with one a feature {each[i].mean():.3f}"
            print(f"{shuffled} shuffled copies, {line}; lower in {np.sum(each[i] < one[i])} of {SPLITS} splits")
        axes.set(xticks=[0, 1], xticklabels=["one penalty, grid", "one a feature, learned"], xlim=(-0.3, 1.3))
        axes.set(title=f"10 features, {shuffled} shuffled copies", ylabel="mean logistic loss")
        found[shuffled] = {"one": one, "each": each}
    axes.legend()
    out.mkdir(parents=True, exist_ok=True)
    af.plots.save_figure(figure, out / "losses.png", dpi=110)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/logistic_hyperparameters"))
    main(parser.parse_args().out)
