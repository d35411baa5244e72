"""Functions with derivatives of their own that read values from outside, and solvers that are made of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.ode import odeint

from argflux import autodiff
from argflux.errors import RuleError


def _with_vjp(x, k):
    @jax.custom_vjp
    def scaled(x):
        return x * k

    scaled.defvjp(lambda x: (x * k, (x,)), lambda kept, dy: (dy * k + 0 * kept[0],))
    return jnp.sum(scaled(x))


def _with_jvp(x, k):
    @jax.custom_jvp
    def scaled(x):
        return x * k

    scaled.defjvp(lambda primals, tangents: (primals[0] * k, tangents[0] * k))
    return jnp.sum(scaled(x))


BOTH = pytest.mark.parametrize("f", [_with_vjp, _with_jvp])


@BOTH
def test_arrays_from_outside_are_read(f):
    k, x = jnp.array([2.0, 3.0]), jnp.ones(2)
    np.testing.assert_array_equal(autodiff.gradient(lambda x: f(x, k), x)[0], k)
    np.testing.assert_array_equal(jax.jit(lambda x, k: autodiff.gradient(lambda x: f(x, k), x)[0])(x, k), k)


@BOTH
def test_a_value_computed_outside_is_refused(f):
    with pytest.raises(RuleError, match=r"called at test_calls\.py:\d+.*pass that value as an argument"):
        autodiff.gradient(f, jnp.ones(2), jnp.array(2.0))


def test_an_ode_solver_is_differentiated():
    def distance(v):
        return jnp.sum(odeint(lambda y, t, a: -a * y, v, jnp.linspace(0.0, 1.0, 3), v) ** 2)

    v = jnp.array([0.5, 1.0])
    np.testing.assert_allclose(autodiff.gradient(distance, v)[0], jax.grad(distance)(v), rtol=1e-5)
