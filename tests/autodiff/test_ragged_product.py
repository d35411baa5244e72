"""The derivative of products by groups of rows, against the same product written with masks."""

import jax
import jax.numpy as jnp
import numpy as np

from argflux import autodiff
from tests.autodiff.rows.contraction import by_group

GROUP = np.array([0, 0, 2, 2, 2])


def _masked(a, b):
    return jnp.einsum("mk,mkn->mn", a, b[GROUP])


def _problem(f):
    return lambda a, b: jnp.sum(jnp.sin(f(a, b)))


def _operands():
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=(5, 4))), jnp.asarray(rng.normal(size=(3, 4, 2)))


def test_gradient_is_that_of_the_masked_product(x64):
    a, b = _operands()
    ours = autodiff.gradient(_problem(by_group), a, b)
    expected = jax.grad(_problem(_masked), (0, 1))(a, b)
    for got, want in zip(ours, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def test_second_order_is_that_of_the_masked_product(x64):
    a, b = _operands()

    def length(gradient, f):
        return lambda a, b: sum(jnp.sum(g * g) for g in gradient(_problem(f), a, b))

    ours = autodiff.gradient(length(autodiff.gradient, by_group), a, b)
    theirs = length(lambda f, *args: jax.grad(f, (0, 1))(*args), _masked)
    expected = jax.grad(theirs, (0, 1))(a, b)
    for got, want in zip(ours, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11)
