"""A portfolio chosen from predicted returns: a predictor fitted to returns, and one trained through the choice."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import argflux as af
from argflux.programs import Program

ASSETS, FEATURES, TRAIN, TEST = 8, 5, 200, 400


def cost(weights, returns, root):
    """Risk less return; `root' root` is the covariance."""
    return jnp.sum((root @ weights) ** 2) / 2 - jnp.vdot(returns, weights)


portfolio = Program(
    cost, variable=(ASSETS,), equality=lambda weights, returns, root: jnp.sum(weights) - 1, lower=0.0, upper=0.4
)
choose = jax.vmap(portfolio, (0, None))
costs = jax.vmap(cost, (0, 0, None))


def realised(predictor, features, returns, root):
    """Mean cost of what is chosen on predictions, at the returns that came."""
    return jnp.mean(costs(choose(features @ predictor, root), returns, root))


def loss(predictors, features, returns, roots):
    """The sum over markets that share nothing: one run trains a predictor for each."""
    return jnp.sum(jax.vmap(realised)(predictors, features, returns, roots))


def main(out: Path, markets: int = 5, epochs: int = 150, degrees: tuple = (1, 2, 4, 8)) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    keys = jax.random.split(jax.random.key(0), markets)
    found = {"least squares": [], "through the program": []}
    lines = [f"regret on {TEST} unseen days, % of the best cost; mean ± deviation of {markets} markets"]
    for degree in degrees:
        features, mean, returns, roots = jax.vmap(market, (0, None))(keys, degree)
        days = (features[:, :TRAIN], returns[:, :TRAIN])
        fitted = jax.vmap(lambda x, y: jnp.linalg.lstsq(x, y)[0])(*days)
        trained, _ = af.train(loss, fitted, [(*days, roots)], af.Adam(0.03), epochs=epochs, progress=False)
        unseen = (features[:, TRAIN:], mean[:, TRAIN:], roots)
        for name, predictors in zip(found, (fitted, trained), strict=True):
            found[name].append(100 * np.asarray(jax.vmap(regret)(predictors, *unseen)))
        lower = np.sum(found["through the program"][-1] < found["least squares"][-1])
        shown = [f"{name} {scores[-1].mean():.2f} ± {scores[-1].std():.2f}" for name, scores in found.items()]
        lines.append(f"degree {degree}: {', '.join(shown)}, lower in {lower} of {markets}")
    (out / "report.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return {name: np.array(scores) for name, scores in found.items()}


def market(key, degree):
    """Features of days, mean returns that are their polynomial, the returns that came, and a root of the covariance."""
    keys = jax.random.split(key, 4)
    loads = jax.random.bernoulli(keys[0], 0.5, (FEATURES, ASSETS)).astype(jnp.float32)
    features = jax.random.normal(keys[1], (TRAIN + TEST, FEATURES + 1)).at[:, -1].set(1.0)
    mean = (1 + features[:, :-1] @ loads / (3 * FEATURES**0.5)) ** degree
    returns = mean * jax.random.uniform(keys[2], mean.shape, minval=0.75, maxval=1.25)
    root = 0.2 * jnp.eye(ASSETS) + 0.3 * jax.random.normal(keys[3], (ASSETS, ASSETS)) / ASSETS**0.5
    return features, mean, returns, root


def regret(predictor, features, mean, root):
    """Cost above that of choosing with the mean returns known, as a part of the latter."""
    best = jnp.mean(costs(choose(mean, root), mean, root))
    return (realised(predictor, features, mean, root) - best) / jnp.abs(best)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/predict_then_optimise"))
    main(parser.parse_args().out)
