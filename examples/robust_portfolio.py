"""Portfolios on estimated returns: how much to distrust the estimates is learned through a cone program."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import argflux as af

ASSETS, DAYS, RISK = 8, 40, 4.0


def cost(x, mean, root, errors):
    """Risk less return, and the most that returns may be off by; `root root'` is the covariance."""
    return RISK / 2 * jnp.sum((root.T @ x["weights"]) ** 2) - jnp.vdot(mean, x["weights"]) + x["worst"]


portfolio = af.Program(
    cost,
    variable={"weights": (ASSETS,), "worst": ()},
    equality=lambda x, mean, root, errors: jnp.sum(x["weights"]) - 1,
    inequality=lambda x, mean, root, errors: af.cones.second_order(x["worst"], errors * x["weights"]),
    lower={"weights": 0.0, "worst": -jnp.inf},
)


def universe(key):
    """True means and a root of the covariance; mean, root and standard errors as 40 days show them."""
    keys = jax.random.split(key, 4)
    mean = 0.05 + 0.05 * jax.random.normal(keys[0], (ASSETS,))
    own = jax.random.uniform(keys[1], (ASSETS,), minval=0.1, maxval=0.5)
    common = 0.15 * jax.random.normal(keys[2], (ASSETS, 2))
    root = jnp.linalg.cholesky(common @ common.T + jnp.diag(own**2))
    days = mean + jax.random.normal(keys[3], (DAYS, ASSETS)) @ root.T
    seen = days - days.mean(0)
    return (mean, root), (days.mean(0), jnp.linalg.cholesky(seen.T @ seen / (DAYS - 1)), seen.std(0) / DAYS**0.5)


@jax.jit
def worths(trust, true, estimated):
    """Return less risk, at the true means and covariances, of what is chosen on the estimates."""
    weights = jax.vmap(lambda mean, root, errors: portfolio(mean, root, jnp.exp(trust) * errors)["weights"])(*estimated)
    return jax.vmap(lambda w, mean, root: jnp.vdot(mean, w) - RISK / 2 * jnp.sum((root.T @ w) ** 2))(weights, *true)


def main(out: Path, universes: int = 128, epochs: int = 60) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    data = jax.vmap(universe)(jax.random.split(jax.random.key(0), 2 * universes))
    train, test = (jax.tree.map(lambda a: a[:universes], data), jax.tree.map(lambda a: a[universes:], data))
    loss = lambda trust, true, estimated: -jnp.mean(worths(trust, true, estimated))
    trust, history = af.train(loss, jnp.array(-1.0), [train], af.Adam(0.1), epochs=epochs, progress=False)
    plain, robust = (np.asarray(worths(jnp.array(value), *test)) for value in (-9.0, trust))
    line = f"{float(jnp.exp(trust)):.2f} standard errors; return less risk on unseen universes: {robust.mean():.4f}, "
    line += f"without distrust {plain.mean():.4f}; better in {np.mean(robust > plain):.0%} of {universes}"
    (out / "report.txt").write_text(line + "\n", encoding="utf-8")
    print(line)
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    (left, right), sizes = figure.subplots(1, 2), np.linspace(-2.5, 2.5, 21)
    for name, part in (("learned on", train), ("unseen", test)):
        left.plot(np.exp(sizes), [float(worths(jnp.array(size), *part).mean()) for size in sizes], label=name)
    left.axvline(float(jnp.exp(trust)), color="black", linestyle=":", label="learned size")
    left.set(xscale="log", xlabel="ellipsoid, in standard errors of the means", ylabel="return less risk, mean")
    left.legend(frameon=False)
    right.hist(robust - plain, 30)
    right.set(xlabel="gain over no distrust", ylabel="unseen universes")
    figure.savefig(out / "robust_portfolio.png", dpi=150)
    return {"trust": float(trust), "plain": plain, "robust": robust, "losses": history.losses}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/robust_portfolio"))
    main(parser.parse_args().out)
