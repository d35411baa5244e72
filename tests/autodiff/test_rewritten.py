"""Functions of JAX that are differentiated by a program of our own: values are JAX's, derivatives those of formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import autodiff

SIDES = np.array([0.0, -0.0, 1.0, -1.0, 3.0, 1e-30, 1e30, np.inf, -np.inf, np.nan], np.float32)


def length(x):
    return jnp.hypot(x[0], x[1])


def test_values_are_those_of_jax():
    x, y = (jnp.asarray(side.ravel()) for side in np.meshgrid(SIDES, SIDES))
    for dtype in (jnp.float32, jnp.float16):
        a, b = x.astype(dtype), y.astype(dtype)
        got = autodiff.pullback(jnp.hypot, a, b)[0]
        assert got.dtype == dtype
        np.testing.assert_allclose(got, jnp.hypot(a, b), rtol=4 * float(jnp.finfo(dtype).eps))


@pytest.mark.parametrize("x", [(3.0, -4.0), (1.0, 1.0), (-2.0, 2.0), (0.0, 2.0), (3e-30, 4e-30), (3e30, 4e30)])
def test_derivatives_are_those_of_the_formula(x):
    x = jnp.array(x)
    r = np.hypot(*np.asarray(x, np.float64))
    u = np.asarray(x, np.float64) / r
    np.testing.assert_allclose(autodiff.gradient(length, x)[0], u, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jit(autodiff.gradient, static_argnums=0)(length, x)[0], u, rtol=1e-5, atol=1e-6)
    if 1e-3 < r < 1e3:
        second = (np.eye(2) - np.outer(u, u)) / r
        np.testing.assert_allclose(autodiff.hessian(length, x), second, atol=1e-6)
        slope = lambda x: jnp.sum(autodiff.gradient(length, x)[0] * jnp.array([1.0, 2.0]))
        np.testing.assert_allclose(autodiff.gradient(slope, x)[0], second @ [1.0, 2.0], atol=1e-6)


def test_zero_has_slope_zero_and_harms_no_neighbour():
    x = jnp.array([[0.0, 3.0, 0.0], [0.0, 4.0, 1.0]])
    expected = [[0.0, 0.6, 0.0], [0.0, 0.8, 1.0]]
    np.testing.assert_allclose(autodiff.gradient(lambda x: jnp.sum(length(x)), x)[0], expected, rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(lambda x: autodiff.gradient(length, x)[0], 1, 1)(x), expected, rtol=1e-6)


def test_broadcast_sides_get_what_their_entries_get():
    dx, dy = autodiff.gradient(lambda x, y: jnp.sum(jnp.hypot(x, y)), jnp.array([[3.0], [6.0]]), jnp.array([4.0, 8.0]))
    np.testing.assert_allclose(dx, [[3 / 5 + 3 / np.hypot(3, 8)], [6 / np.hypot(6, 4) + 6 / 10]], rtol=1e-6)
    np.testing.assert_allclose(dy, [4 / 5 + 4 / np.hypot(6, 4), 8 / np.hypot(3, 8) + 8 / 10], rtol=1e-6)


def test_a_function_of_the_users_by_that_name_is_left_alone():
    @jax.jit
    def hypot(x):
        return 7 * x

    @jax.custom_jvp
    def _hypot(x):
        return x

    _hypot.defjvp(lambda primals, tangents: (primals[0], 5 * tangents[0]))
    assert autodiff.gradient(hypot, 1.0)[0] == 7
    assert autodiff.gradient(_hypot, 1.0)[0] == 5
