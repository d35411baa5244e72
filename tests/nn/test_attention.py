"""MultiHeadAttention beside jax.nn.dot_product_attention."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af


def beside_jax(layer: af.MultiHeadAttention, x, **options):
    heads = lambda y: y.reshape(*y.shape[:2], layer.heads, -1)
    read = jax.nn.dot_product_attention(*(heads(part(x)) for part in (layer.query, layer.key, layer.value)), **options)
    return layer.output(read.reshape(*x.shape))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_values_and_gradients(causal, masked):
    layer = af.MultiHeadAttention(8, heads=2, causal=causal, bias=True, key=jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (3, 5, 8))
    mask = jnp.asarray(np.random.default_rng(0).random((3, 2, 5, 5)) < 0.7) | jnp.eye(5, dtype=bool) if masked else None
    ours = lambda layer, x: jnp.sum(jnp.sin(layer(x, mask=mask)))
    theirs = lambda layer, x: jnp.sum(jnp.sin(beside_jax(layer, x, mask=mask, is_causal=causal)))
    np.testing.assert_allclose(ours(layer, x), theirs(layer, x), rtol=1e-5)
    for a, b in zip(
        *(jax.tree.leaves(grads) for grads in (af.gradient(ours, layer, x), jax.grad(theirs, (0, 1))(layer, x))),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
