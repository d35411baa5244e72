"""Every layer, one row each: how to make it, the width it takes; user's layers of all the kinds allowed."""

import dataclasses
import operator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from argflux import nn


@dataclasses.dataclass
class IdentitySkip:
    """An ordinary dataclass around another layer."""

    inner: Any
    activation: Any = nn.identity

    def __call__(self, x):
        return self.activation(self.inner(x) + x)


@dataclasses.dataclass
class Affine:
    """An ordinary dataclass with arrays of its own."""

    scale: Any
    shift: Any
    power: int = 1

    def __call__(self, x):
        return self.scale * x**self.power + self.shift


class Gate(eqx.Module):
    """An Equinox module with a list of dataclasses inside."""

    parts: list

    def __call__(self, x):
        return sum(part(x) for part in self.parts)


class PerExample(eqx.Module):
    """An Equinox module that maps another one, written for a single example, over the batch."""

    inner: Any

    def __call__(self, x):
        return jax.vmap(self.inner)(x)


def affine(width=3):
    return Affine(jnp.arange(1.0, width + 1), jnp.full(width, 0.5))


# name: (make, inputs, outputs)
LAYERS = {
    "Dense": (lambda: nn.Dense(3, 2), 3, 2),
    "Dense with activation": (lambda: nn.Dense(3, 2, nn.tanh), 3, 2),
    "Dense without bias": (lambda: nn.Dense(3, 2, bias=False), 3, 2),
    "Dense of a matrix": (lambda: nn.Dense(jnp.arange(6.0).reshape(2, 3), nn.sigmoid), 3, 2),
    "Chain": (lambda: nn.Chain(nn.Dense(3, 4, nn.softplus), nn.tanh, nn.Dense(4, 2), nn.softmax), 3, 2),
    "named Chain": (lambda: nn.Chain(enc=nn.Dense(3, 4), act=nn.swish, dec=nn.Dense(4, 2)), 3, 2),
    "nested Chain": (lambda: nn.Chain(nn.Chain(nn.Dense(3, 4), nn.tanh), nn.Chain(nn.Dense(4, 2))), 3, 2),
    "empty Chain": (lambda: nn.Chain(), 3, 3),
    "SkipConnection adding": (lambda: nn.SkipConnection(nn.Dense(3, 3, nn.tanh), jnp.add), 3, 3),
    "SkipConnection by operator": (lambda: nn.SkipConnection(nn.Dense(3, 3), operator.mul), 3, 3),
    "SkipConnection concatenating": (lambda: nn.SkipConnection(nn.Dense(3, 2), nn.cat), 3, 5),
    "SkipConnection of functions": (lambda: nn.SkipConnection(nn.tanh, nn.cat), 3, 6),
    "SkipConnection over several": (
        lambda: nn.SkipConnection(nn.Chain(nn.Dense(3, 4, nn.tanh), nn.Dense(4, 3)), jnp.add),
        3,
        3,
    ),
    "dataclass": (lambda: nn.Chain(IdentitySkip(nn.Dense(3, 3), nn.tanh)), 3, 3),
    "dataclass with arrays": (lambda: nn.Chain(affine(), nn.Dense(3, 2)), 3, 2),
    "dataclasses in a module": (lambda: nn.Chain(Gate([affine(), IdentitySkip(affine())])), 3, 3),
    "Equinox layer": (lambda: nn.Chain(PerExample(eqx.nn.Linear(3, 3, key=jax.random.key(0))), nn.tanh), 3, 3),
}
