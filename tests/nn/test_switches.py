"""JAX's own switches stop no layer, loss or activation: ranks that must match, leak and NaN checks, eager code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.autodiff import gradient
from argflux.nn import activation
from tests.nn.layers import LAYERS, affine
from tests.nn.losses.test_losses import ROWS as LOSSES

RELYING = {"dataclass with arrays", "dataclasses in a module"}  # on promotion of ranks, in the user's own code
COMPUTED = ("Chain", "MaxPool with overlap", "BatchNorm in training", "GRU", "MultiHeadAttention causal")
X = jnp.array([[-1.3, 0.2, 0.6, -0.4], [0.7, 2.5, -0.1, 1.6]])


def slopes(layer, x):
    return gradient(lambda layer: jnp.sum(jnp.sin(layer(x))), layer)[0]


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_traced_with_equal_ranks_and_without_leaks(name):
    nn.seed(0)
    row = LAYERS[name]
    with jax.checking_leaks(), jax.numpy_rank_promotion("allow" if name in RELYING else "raise"):
        layer = row.make()
        found = jax.eval_shape(lambda x: dict(nn.trainables(slopes(layer, x))), row.batch(examples=2))
    assert {name: dx.shape for name, dx in found.items()} == {name: x.shape for name, x in nn.trainables(layer)}


def test_what_relies_on_promotion_is_the_users_own():
    with jax.numpy_rank_promotion("raise"), pytest.raises(ValueError, match="rank_promotion"):
        affine()(jnp.ones((2, 3)))


@pytest.mark.parametrize("name", COMPUTED)
def test_layers_compute_the_same(name):
    nn.seed(0)
    layer, x = LAYERS[name].make(), LAYERS[name].batch(examples=2)
    expected = jax.tree.leaves(slopes(layer, x))
    for switch in (jax.disable_jit, lambda: jax.debug_nans(True)):
        with switch():
            found = jax.tree.leaves(slopes(layer, x))
        for got, want in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_activations_and_losses():
    losses = {name: [jnp.asarray(a, jnp.float32) for a in row[:2]] for name, row in LOSSES.items()}
    functions = {name: (getattr(nn, name), X) for name in activation.__all__}
    functions |= {name: (lambda p, name=name, y=y: getattr(nn, name)(p, y), p) for name, (p, y) in losses.items()}
    every = lambda: {name: gradient(lambda x, f=f: jnp.sum(jnp.sin(f(x))), x)[0] for name, (f, x) in functions.items()}
    expected = jax.jit(every)()
    with jax.checking_leaks(), jax.numpy_rank_promotion("raise"), jax.debug_nans(True):
        found = jax.jit(every)()
    for name, want in expected.items():
        np.testing.assert_allclose(found[name], want, rtol=1e-5, atol=1e-6, err_msg=name)
    with jax.disable_jit():
        for name in ("gelu", "softmax", "crossentropy", "logitbinarycrossentropy", "dice_coeff_loss"):
            f, x = functions[name]
            np.testing.assert_allclose(gradient(lambda x, f=f: jnp.sum(jnp.sin(f(x))), x)[0], expected[name], rtol=1e-4)
