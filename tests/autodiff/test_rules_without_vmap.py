"""Derivatives of what JAX cannot map, against the same functions written with operations that it can."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import autodiff
from tests.autodiff.rows.contraction import by_group
from tests.autodiff.rows.control import linear

GROUP = np.array([0, 0, 2, 2, 2])


def _masked(a, b):
    return jnp.einsum("mk,mkn->mn", a, b[GROUP])


def _scaled(scale, x):
    return jnp.sin(scale) * x


def _random(*shapes):
    rng = np.random.default_rng(0)
    return tuple(jnp.asarray(rng.normal(size=shape)) for shape in shapes)


def _total(f):
    return lambda *args: jnp.sum(jnp.sin(f(*args)))


def _length(gradient, f):
    return lambda *args: sum(jnp.sum(g * g) for g in gradient(_total(f), *args))


PAIRS = [(by_group, _masked, (5, 4), (3, 4, 2)), (linear, _scaled, (3,), (3,))]


@pytest.mark.parametrize(("f", "plain", "first", "second"), PAIRS, ids=["ragged_dot_general", "linear_call"])
def test_first_and_second_order(f, plain, first, second, x64):
    args = _random(first, second)
    theirs = lambda f, *args: jax.grad(f, (0, 1))(*args)
    for got, expected in zip(autodiff.gradient(_total(f), *args), theirs(_total(plain), *args), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
    ours = autodiff.gradient(_length(autodiff.gradient, f), *args)
    for got, expected in zip(ours, theirs(_length(theirs, plain), *args), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)
