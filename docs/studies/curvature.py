"""How curved the loss is at starts on the moons, and how descent fares there: python docs/studies/curvature.py

The largest eigenvalue λ of the Hessian bounds the rate of stable descent by 2 / λ. Designed starts are scaled either
so that what layers pass on has the usual mean square ("signal") or by the variance of their pre-activations.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

import argflux as af
from argflux.patterns.study.families import FAMILIES

STARTS = 8


def starts(x, kappa=None, scale="signal"):
    """Return starts of Kaiming's, or designed from them."""
    network = af.Chain(af.Dense(2, 16, af.relu), af.Dense(16, 16, af.relu), af.Dense(16, 2))
    drawn = [FAMILIES["kaiming_normal"].draw(key, network, x) for key in jax.random.split(jax.random.key(0), STARTS)]
    if kappa is None:
        return drawn
    design = lambda number, m: af.design_weights(m, x, kappa=kappa, scale=scale, key=jax.random.key(number))[0]
    return [design(number, m) for number, m in enumerate(drawn)]


def curvature(model, x, y):
    """Return the largest eigenvalue of the Hessian, by 60 power iterations."""
    flat, tree = ravel_pytree(model)
    slope = jax.grad(lambda w: af.logitcrossentropy(tree(w)(x), y))

    def step(_, state):
        turned = jax.jvp(slope, (flat,), (state[0],))[1]
        return turned / jnp.linalg.norm(turned), jnp.vdot(state[0], turned)

    first = jax.random.normal(jax.random.key(1), flat.shape)
    return float(jax.lax.fori_loop(0, 60, step, (first / jnp.linalg.norm(first), 0.0))[1])


def main():
    """Print a line for each kind of start."""
    train, test = af.make_moons(200, seed=0), af.make_moons(200, seed=2**32)
    y = af.onehotbatch(train.y, range(2))
    loss = lambda m, x, y: af.logitcrossentropy(m(x), y)
    kinds = {"Kaiming": ()} | {
        f"κ = {k:g}, {scale}": (k, scale) for scale in ("signal", "variance") for k in (0.1, 1.0)
    }
    for name, options in kinds.items():
        drawn = starts(train.x, *options)
        lam = np.median([curvature(m, train.x, y) for m in drawn])
        right = []
        for m in drawn:
            trained, _ = af.train(loss, m, [(train.x, y)], af.Descent(0.9), epochs=200, progress=False)
            right.append(100 * float(af.accuracy(trained(test.x), test.y)))
        print(
            f"{name:18} λ {lam:5.1f}   2/λ {2 / lam:.2f}   test accuracy after 200 steps at 0.9: {np.mean(right):.1f} %"
        )


if __name__ == "__main__":
    main()
