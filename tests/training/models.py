"""Small models and data that the tests of training share."""

import jax
import jax.numpy as jnp
import numpy as np

from argflux import nn


def line_data(n: int = 32, seed: int = 0):
    """Return x and y = 2x - 1 with some noise, shape (n, 1) each."""
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, (n, 1)).astype(np.float32)
    return x, (2 * x - 1 + 0.1 * random.standard_normal((n, 1))).astype(np.float32)


def network(seed: int = 0, dtype=jnp.float32):
    """Return a network of 1-8-1 with tanh."""
    first, second = jax.random.split(jax.random.key(seed))
    return nn.Chain(nn.Dense(1, 8, jnp.tanh, key=first, dtype=dtype), nn.Dense(8, 1, key=second, dtype=dtype))


def loss(model, x, y):
    return jnp.mean((model(x) - y) ** 2)


def assert_same_bits(a, b):
    """Compare the arrays of two trees bit for bit."""
    left, right = jax.tree.leaves(a), jax.tree.leaves(b)
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        if hasattr(one, "dtype"):
            assert one.dtype == other.dtype
            assert one.shape == other.shape
            assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
