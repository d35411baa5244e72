"""The networks in Flax NNX, trained by Optax."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

_rngs = nnx.Rngs(0)


class Block(nnx.Module):
    """A transformer's block: attention, then a gelu layer, each with a norm and a skip."""

    def __init__(self, width: int, heads: int):
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=_rngs), nnx.LayerNorm(width, rngs=_rngs)])
        self.attention = nnx.MultiHeadAttention(heads, width, use_bias=False, decode=False, rngs=_rngs)
        self.up, self.down = nnx.Linear(width, 4 * width, rngs=_rngs), nnx.Linear(4 * width, width, rngs=_rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map (batch, length, width) to the same shape."""
        x = x + self.attention(self.norms[0](x))
        return x + self.down(jax.nn.gelu(self.up(self.norms[1](x)), approximate=False))


def _conv(i: int, o: int, **options: Any) -> nnx.Conv:
    return nnx.Conv(i, o, (3, 3), padding=1, rngs=_rngs, **options)


def _pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (2, 2), (2, 2))


def _flat(x: jax.Array) -> jax.Array:
    return x.reshape(x.shape[0], -1)


def conv_net() -> nnx.Module:
    layers = _conv(1, 32), nnx.relu, _pool, _conv(32, 32), nnx.relu, _pool, _conv(32, 32), nnx.relu
    return nnx.Sequential(*layers, _flat, nnx.Linear(7 * 7 * 32, 10, rngs=_rngs))


def batch_norm_net() -> nnx.Module:
    norm = lambda: nnx.BatchNorm(32, momentum=0.9, use_running_average=False, rngs=_rngs)
    layers = _conv(3, 32, use_bias=False), norm(), nnx.relu, _conv(32, 32, use_bias=False), norm(), nnx.relu
    return nnx.Sequential(*layers, lambda x: jnp.mean(x, (1, 2)), nnx.Linear(32, 10, rngs=_rngs))


def lstm() -> nnx.Module:
    layer = nnx.RNN(nnx.OptimizedLSTMCell(64, 64, rngs=_rngs))
    return nnx.Sequential(layer, lambda y: y[:, -1], nnx.Linear(64, 10, rngs=_rngs))


def attention() -> nnx.Module:
    return Block(256, 8)


def step(model: nnx.Module, x: np.ndarray) -> Callable[[], Any]:
    """Return a call that makes a step of Adam."""
    optimiser, x = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param), jnp.asarray(x)

    @nnx.jit
    def run(model, optimiser, x):
        loss, grads = nnx.value_and_grad(lambda model: jnp.mean(jnp.square(model(x))))(model)
        optimiser.update(model, grads)
        return loss

    def turn():
        run(model, optimiser, x)
        jax.block_until_ready(nnx.state(model, nnx.Param))

    return turn
