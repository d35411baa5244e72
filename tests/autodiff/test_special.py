"""Derivatives of special functions that finite differences cannot judge, and those that are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from argflux import autodiff
from argflux.errors import MissingRuleError

X = jnp.array([0.7, 1.9])


@pytest.mark.parametrize("sample", [jax.random.gamma, jax.random.loggamma])
def test_gamma_samples_move_as_in_jax(sample):
    f = lambda a: jnp.sum(sample(jax.random.key(0), a) * X)
    ours, theirs = jax.jit(lambda a: (autodiff.gradient(f, a)[0], jax.grad(f)(a)))(X)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert np.all(ours != 0)


def test_the_two_incomplete_gamma_functions_add_up_to_one():
    lower = autodiff.gradient(lambda a, x: jnp.sum(lax.igamma(a, x)), X, X + 0.3)
    upper = autodiff.gradient(lambda a, x: jnp.sum(lax.igammac(a, x)), X, X + 0.3)
    for low, up in zip(lower, upper, strict=True):
        np.testing.assert_allclose(low, -up, rtol=1e-6)


@pytest.mark.parametrize(
    ("f", "operand"),
    [
        (lambda a: lax.polygamma(a, X), "order"),
        (lambda a: lax.zeta(a + 1, X), "exponent"),
        (lambda a: lax.betainc(a, X, X / 2), "shape parameters"),
        (lambda a: lax.betainc(X, a, X / 2), "shape parameters"),
    ],
)
def test_a_refused_operand_is_named(f, operand):
    with pytest.raises(MissingRuleError, match=f"with respect to its {operand}"):
        autodiff.gradient(lambda a: jnp.sum(f(a)), X)
