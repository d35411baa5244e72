"""The networks in Equinox, one example at a time under vmap, channels first, trained by Optax."""

from collections.abc import Callable
from itertools import count
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from equinox import nn

_numbers = count()
_relu, _flat = nn.Lambda(jax.nn.relu), nn.Lambda(jnp.ravel)


def _key() -> jax.Array:
    return jax.random.key(next(_numbers))


class Recurrence(eqx.Module):
    """A cell taken along a sequence, whose last output is kept."""

    cell: nn.LSTMCell

    def __call__(self, xs: jax.Array, *, key: Any = None) -> jax.Array:
        """Map (length, inputs) to (hidden,)."""
        zeros = jnp.zeros(self.cell.hidden_size)
        return jax.lax.scan(lambda state, x: (self.cell(x, state), None), (zeros, zeros), xs)[0][0]


class Block(eqx.Module):
    """A transformer's block: attention, then a gelu layer, each with a norm and a skip."""

    norms: list
    attention: nn.MultiheadAttention
    up: nn.Linear
    down: nn.Linear

    def __init__(self, width: int, heads: int):
        self.norms = [nn.LayerNorm(width), nn.LayerNorm(width)]
        self.attention = nn.MultiheadAttention(heads, width, key=_key())
        self.up, self.down = nn.Linear(width, 4 * width, key=_key()), nn.Linear(4 * width, width, key=_key())

    def __call__(self, x: jax.Array, state: Any) -> tuple[jax.Array, Any]:
        """Map (length, width) to the same shape."""
        y = jax.vmap(self.norms[0])(x)
        x = x + self.attention(y, y, y)
        feed = lambda x: self.down(jax.nn.gelu(self.up(self.norms[1](x)), approximate=False))
        return x + jax.vmap(feed)(x), state


def _conv(i: int, o: int, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(i, o, 3, padding=1, key=_key(), **options)


def conv_net() -> eqx.Module:
    pool = nn.MaxPool2d(2, 2)
    layers = _conv(1, 32), _relu, pool, _conv(32, 32), _relu, pool, _conv(32, 32), _relu
    return nn.Sequential([*layers, _flat, nn.Linear(7 * 7 * 32, 10, key=_key())])


def batch_norm_net() -> eqx.Module:
    norm = lambda: nn.BatchNorm(32, "batch", mode="batch")
    layers = _conv(3, 32, use_bias=False), norm(), _relu, _conv(32, 32, use_bias=False), norm(), _relu
    return nn.Sequential([*layers, nn.Lambda(lambda x: jnp.mean(x, (1, 2))), nn.Linear(32, 10, key=_key())])


def lstm() -> eqx.Module:
    return nn.Sequential([Recurrence(nn.LSTMCell(64, 64, key=_key())), nn.Linear(64, 10, key=_key())])


def attention() -> eqx.Module:
    return Block(256, 8)


def step(model: Any, x: np.ndarray) -> Callable[[], Any]:
    """Return a call that makes a step of Adam."""
    x = jnp.asarray(np.moveaxis(x, -1, 1) if x.ndim == 4 else x)
    rule = optax.adam(1e-3)

    def loss(model, state, x):
        y, state = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)
        return jnp.mean(jnp.square(y)), state

    @eqx.filter_jit
    def run(model, state, memory, x):
        (_, state), grads = eqx.filter_value_and_grad(loss, has_aux=True)(model, state, x)
        steps, memory = rule.update(grads, memory)
        return eqx.apply_updates(model, steps), state, memory

    now = [(model, nn.State(model), rule.init(eqx.filter(model, eqx.is_inexact_array)))]

    def turn():
        now[0] = run(*now[0], x)
        jax.block_until_ready(eqx.filter(now[0], eqx.is_array))

    return turn
