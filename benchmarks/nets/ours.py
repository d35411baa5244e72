"""The networks of this library; what they hold is described here once for all."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import argflux as af


def conv_net() -> af.Chain:
    """Three convolutions with relu and pooling, then a dense layer, on pictures of 28 x 28, batch 64."""
    return af.Chain(
        af.Conv((3, 3), 1, 32, af.relu, padding=1),
        af.MaxPool((2, 2)),
        af.Conv((3, 3), 32, 32, af.relu, padding=1),
        af.MaxPool((2, 2)),
        af.Conv((3, 3), 32, 32, af.relu, padding=1),
        af.Flatten(),
        af.Dense(7 * 7 * 32, 10),
    )


def batch_norm_net() -> af.Chain:
    """Two convolutions with batch norms, then the mean over the picture, 16 x 16, batch 64, in training."""
    layers = lambda i, o: [af.Conv((3, 3), i, o, padding=1, bias=False), af.BatchNorm(o, af.relu)]
    return af.Chain(*layers(3, 32), *layers(32, 32), af.GlobalMeanPool(), af.Flatten(), af.Dense(32, 10))


def lstm() -> af.Chain:
    """An LSTM of width 64 over sequences of length 100, batch 32, and a dense layer on its last output."""
    return af.Chain(af.LSTM(64, 64), lambda y: y[:, -1], af.Dense(64, 10))


def attention() -> af.Chain:
    """A transformer's block of width 256 with 8 heads, length 128, batch 32."""
    feed = af.Chain(af.Dense(256, 1024, af.gelu_erf), af.Dense(1024, 256))
    return af.Chain(
        af.SkipConnection(af.Chain(af.LayerNorm(256), af.MultiHeadAttention(256, heads=8)), jnp.add),
        af.SkipConnection(af.Chain(af.LayerNorm(256), *feed), jnp.add),
    )


_OPTIONS = {"compiler_options": af.compiler_options()}
_loss = af.nn.withstate(lambda model, x: jnp.mean(jnp.square(model(x))))


def gradient(model: af.Chain, x: np.ndarray) -> Callable[[], Any]:
    """Return a call that computes the loss and its gradient."""
    objective = lambda model, x, key: af.withgradient(lambda m: _loss(m, x, key=key), model, has_aux=True)
    run = jax.jit(objective, **_OPTIONS)
    x, key = jnp.asarray(x), jax.random.key(0)
    return lambda: jax.block_until_ready(run(model, x, key))


def step(model: af.Chain, x: np.ndarray) -> Callable[[], Any]:
    """Return a call that makes a step of Adam."""

    @functools.partial(jax.jit, **_OPTIONS)
    def run(state, model, x, key):
        (_, model), grads = af.withgradient(lambda m: _loss(m, x, key=key), model, has_aux=True)
        return af.update(state, model, grads[0])

    now, x, key = [(af.setup(af.Adam(1e-3), model), model)], jnp.asarray(x), jax.random.key(0)

    def turn():
        now[0] = jax.block_until_ready(run(*now[0], x, key))

    return turn
