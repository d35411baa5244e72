"""The library's own gradient of every layer, activation and loss, against JAX's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.autodiff import gradient, primitive
from tests.nn.activation.test_activations import FORMULAS, GRID
from tests.nn.layers import LAYERS
from tests.nn.losses.test_losses import ROWS, single


def assert_agree(f, *args):
    ours, theirs = gradient(f, *args), jax.jit(jax.grad(f, argnums=tuple(range(len(args)))))(*args)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=3e-5, atol=1e-6)


@pytest.mark.parametrize("name", FORMULAS)
def test_activations(name):
    f = getattr(nn, name)
    assert_agree(lambda x: jnp.sum(jnp.sin(f(x))), jnp.asarray(GRID, jnp.float32))


@pytest.mark.parametrize("name", ROWS)
def test_losses(name):
    yhat, y, _ = ROWS[name]
    assert_agree(getattr(nn, name), *single(yhat, y))


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    nn.seed(0)
    row = LAYERS[name]
    layer, x = row.make(), row.batch()
    if row.entries:
        assert_agree(lambda layer: jnp.sum(jnp.sin(layer(x))), layer)
    else:
        assert_agree(lambda layer, x: jnp.sum(jnp.sin(layer(x))), layer, x)


def test_a_primitive_is_a_layer():
    @primitive
    def double(x):
        return 2 * np.asarray(x)

    @double.rrule
    def _(x):
        return double(x), lambda dy: (None, 2 * dy)

    m = nn.Chain(nn.Dense(3, 2), double)
    assert len(jax.tree.leaves(m)) == 2
    (g,) = gradient(lambda m: jnp.sum(m(jnp.ones((4, 3)))), m)
    np.testing.assert_allclose(g[0].bias, [8.0, 8.0])
