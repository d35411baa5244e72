"""Robust regression in bounds: its ridge and the width of its loss are tuned by the slope of the validation error."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize

import argflux as af

SETS, ROWS, FEATURES = 16, 30, 20
PENALTIES, WIDTHS = np.linspace(-5.0, 1.0, 9), np.linspace(-3.0, 3.0, 9)  # logarithms


def loss(w, X, y, logs):
    """Half the squares of small residuals, in proportion to large ones; and the ridge."""
    penalty, width = jnp.exp(logs)
    return jnp.mean(width**2 * (jnp.sqrt(1 + ((X @ w - y) / width) ** 2) - 1)) + penalty / 2 * w @ w


regression = af.Program(loss, variable=FEATURES, lower=0.0)  # no feature is known to lower what is measured


def draw(rng, rows):
    """Data sets of features that lie together, few of which matter, with noise of heavy tails."""
    common = rng.normal(size=(SETS, rows, 1))
    X = 0.7 * common + 0.7 * rng.normal(size=(SETS, rows, FEATURES))
    return X, X[:, :, ::4].sum(2) / 2 + 0.7 * rng.standard_t(1.5, (SETS, rows))


@jax.jit
def validated(logs, train, validation, test):
    """The mean absolute error on rows for validation, and that on rows for testing with the fits."""

    def errors(logs):
        w = jax.vmap(regression, (0, 0, None))(*train, logs)
        of = lambda X, y: jnp.mean(jnp.abs(jnp.einsum("srf,sf->sr", X, w) - y), 1)
        return jnp.mean(of(*validation)), (of(*test), w)

    return jax.value_and_grad(errors, has_aux=True)(logs)


@af.plots.style.styled
def main(out: Path) -> dict:
    rng = np.random.default_rng(0)
    data = [jax.tree.map(np.float32, draw(rng, rows)) for rows in (ROWS, ROWS, 1000)]
    at = lambda *logs: jax.tree.map(np.asarray, validated(np.float32(logs), *data))
    grid = np.array([[at(penalty, width)[0][0] for penalty in PENALTIES] for width in WIDTHS])
    path = [np.array([-4.0, 2.0])]
    value = lambda logs: ((found := at(*logs))[0][0].astype(float), found[1].astype(float))
    best = minimize(value, path[0], jac=True, method="L-BFGS-B", callback=lambda x: path.append(x.copy()))
    ridge = PENALTIES[grid[-1].argmin()], WIDTHS[-1]  # residuals are small beside this width: least squares
    ways = {"where learning starts": path[0], "ridge alone": ridge, "tuned": best.x}
    tests = {name: at(*logs)[0][1][0] for name, logs in ways.items()}
    print(f"penalty {np.exp(best.x[0]):.3f}, width {np.exp(best.x[1]):.3f} after {len(path) - 1} steps")
    print(f"validation error {best.fun:.4f}, the least on the grid {grid.min():.4f}")
    print("test errors:", {name: round(float(error.mean()), 3) for name, error in tests.items()})
    left, right = (figure := Figure(figsize=(9.5, 4))).subplots(1, 2, width_ratios=(1.4, 1))
    shades = left.contourf(np.exp(PENALTIES), np.exp(WIDTHS), grid, np.linspace(1.57, 1.87, 16), extend="max")
    figure.colorbar(shades, ax=left, label="mean absolute error, validation")
    left.plot(*np.exp(path).T, "o-", color="white", mec="black", ms=5)
    left.set(xscale="log", yscale="log", xlabel="penalty", ylabel="width of the loss", title="From start to tuned")
    right.scatter(tests["ridge alone"], tests["tuned"], color=af.plots.style.BLUE)
    right.axline((1.5, 1.5), slope=1, color="black", linestyle=":")
    right.set(xlabel="test error, ridge alone", ylabel="test error, tuned", title="16 data sets", aspect="equal")
    out.mkdir(parents=True, exist_ok=True)
    af.plots.save_figure(figure, out / "tuning.png", dpi=90)
    return {"at": at, "grid": grid, "path": np.array(path), "best": best, "tests": tests}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/ridge_tuning"))
    main(parser.parse_args().out)
