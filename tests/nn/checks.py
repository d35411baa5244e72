"""Checks that the tests of networks share: derivatives against finite differences, dtype, jit and vmap."""

import jax
import jax.numpy as jnp
import numpy as np


def finite_difference(f, x, step=1e-5):
    """Return the gradient of a scalar function at a float64 array, by central differences of fourth order."""
    x = np.asarray(x, np.float64)
    moves = step * np.eye(x.size).reshape(x.size, *x.shape)
    values = jax.jit(jax.vmap(f))
    near, far = (np.asarray(values(x + moves * k)) - np.asarray(values(x - moves * k)) for k in (1, 2))
    return ((8 * near - far) / (12 * step)).reshape(x.shape)


def assert_gradient(f, *args, rtol=1e-7, atol=1e-9):
    """Hold jax.grad of a scalar function against finite differences, in every argument; call under x64."""
    args = [jnp.asarray(a, jnp.float64) for a in args]
    for position, argument in enumerate(args):

        def of_one(x, position=position):
            return f(*args[:position], x, *args[position + 1 :])

        expected = finite_difference(of_one, argument)
        np.testing.assert_allclose(jax.jit(jax.grad(of_one))(argument), expected, rtol=rtol, atol=atol)


def assert_compiles_alike(f, *args):
    """Hold jit against eager, and the dtype of the result against that of the first argument."""
    eager = f(*args)
    assert eager.dtype == args[0].dtype
    np.testing.assert_allclose(jax.jit(f)(*args), eager, rtol=2e-6, atol=1e-6)
