"""Programs over cones beside the formulas of their answers: values, gradients, second derivatives, batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import argflux as af
from tests.programs.cones.closed_forms import ROWS

TWICE = ("second-order cone", "exponential cone", "largest eigenvalue", "log-sum-exp", "trust region", "fidelity")
OUTSIDE_JIT = (
    "second-order cone",
    "semidefinite cone",
    "exponential cone",
    "power cone",
    "ball of the spectral norm",
    "correlation matrix of two",
    "shrunk groups",
    "sum of the two largest",
    "completion of largest determinant",
    "largest entropy",
    "demand through power cones",
    "trust region",
    "robust linear program",
)


def drawn(row, seeds):
    """Parameters of instances, each an array with the instances in front."""
    each = [row.draw(np.random.default_rng(seed)) for seed in seeds]
    return [jnp.asarray(np.stack(values), float) for values in zip(*each, strict=True)]


def flat(f):
    return lambda *params: ravel_pytree(f(*params))[0]


def weighed(f, size):
    """One number of what f returns, and all of it."""
    weights = np.random.default_rng(100).normal(size=size)

    def number(*params):
        values = flat(f)(*params)
        return jnp.vdot(weights, values), values

    return number


def compared(found, expected, tolerance):
    for mine, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance * max(1.0, np.abs(other).max()))


@pytest.mark.parametrize("name", ROWS)
def test_values_and_gradients(name, x64):
    """Three instances at once under `jit`, and the values of the first one alone, outside."""
    row = ROWS[name]
    params = drawn(row, range(3))
    one, every = [p[0] for p in params], tuple(range(len(params)))
    size = jax.eval_shape(flat(row.formula), *one).size
    pulled = lambda f: jax.grad(weighed(f, size), every, has_aux=True)

    @jax.jit
    @jax.vmap
    def both(*params):
        return pulled(row.program)(*params), pulled(row.formula)(*params)

    (slopes, values), (slopes_known, values_known) = both(*params)
    compared(values, values_known, 1e-8)
    compared(slopes, slopes_known, 1e-6)
    compared(flat(row.program)(*one), values_known[0], 1e-8)


@pytest.mark.parametrize("name", OUTSIDE_JIT)
def test_gradients_outside_jit(name, x64):
    """By JAX and by our own engine, operation by operation."""
    row = ROWS[name]
    one = [p[0] for p in drawn(row, [0])]
    size = jax.eval_shape(flat(row.formula), *one).size
    known = jax.jit(jax.grad(lambda params: weighed(row.formula, size)(*params)[0]))(one)
    ours = lambda params: weighed(row.program, size)(*params)[0]
    compared(jax.grad(ours)(one), known, 1e-6)
    compared(af.gradient(ours, one)[0], known, 1e-6)


@pytest.mark.parametrize("name", TWICE)
def test_second_derivatives(name, x64):
    row = ROWS[name]
    one = [p[0] for p in drawn(row, [0])]
    point, shaped = ravel_pytree(one)
    size = jax.eval_shape(flat(row.formula), *one).size
    twice = lambda f: jax.hessian(lambda v: weighed(f, size)(*shaped(v))[0])
    found, known = jax.jit(lambda v: (twice(row.program)(v), twice(row.formula)(v)))(point)
    compared(found, known, 1e-5)
