"""Networks whose patterns the tests look at: of this library's layers, and of user-written ones."""

import dataclasses
import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux import nn


@dataclasses.dataclass
class Conv:
    """A user's convolution of images (n, height, width, channels)."""

    kernel: Any
    bias: Any

    def __call__(self, x):
        dimensions = ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(x, self.kernel, (1, 1), "VALID", dimension_numbers=dimensions)
        return y + self.bias


class Residual(eqx.Module):
    """A user's block with a relu by another name, after the sum."""

    inner: Any

    def __call__(self, x):
        return jnp.maximum(self.inner(x) + x, 0)


@dataclasses.dataclass
class Stacked:
    """A user's deep network, its layers in one array, applied by a loop."""

    weights: Any

    def __call__(self, x):
        return lax.scan(lambda h, w: (nn.relu(h @ w), None), x, self.weights)[0]


@dataclasses.dataclass
class Maxout:
    """A user's layer whose units are the larger of two."""

    first: Any
    second: Any

    def __call__(self, x):
        return jnp.maximum(self.first(x), self.second(x))


@dataclasses.dataclass
class ParametricRelu:
    """A user's leaky relu with a slope for each unit."""

    slope: Any

    def __call__(self, x):
        return jnp.where(x > 0, x, self.slope * x)


@dataclasses.dataclass
class Threshold:
    """A user's unit that is off below a threshold of its own."""

    level: Any

    def __call__(self, x):
        return jnp.where(x > self.level, x - self.level, 0.0)


def max_pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")


def flat(x):
    return x.reshape(len(x), -1)


def normal(seed, *shape, scale=1.0):
    return jnp.asarray(scale * np.random.default_rng(seed).normal(size=shape), jnp.float32)


def dense(seed, inputs, outputs, activation=nn.identity):
    bias = normal(seed + 100, outputs, scale=0.3)
    return nn.Dense(normal(seed, outputs, inputs) / inputs**0.5, activation, bias=bias)


def network(*widths, activation=nn.relu, last=nn.identity):
    pairs = list(itertools.pairwise(widths))
    return nn.Chain(*[dense(i, a, b, activation if i < len(pairs) - 1 else last) for i, (a, b) in enumerate(pairs)])


def conv_network(pool=max_pool):
    first = Conv(normal(1, 3, 3, 2, 4, scale=0.3), normal(2, 4, scale=0.3))
    after = jax.eval_shape(lambda x: flat(pool(first(x))), jax.ShapeDtypeStruct((1, 6, 6, 2), jnp.float32)).shape[1]
    return nn.Chain(first, nn.relu, pool, flat, dense(3, after, 5, nn.leakyrelu), dense(4, 5, 3))


# name: (make, shape of an observation, names of the sites of units)
NETWORKS = {
    "dense": (lambda: network(3, 8, 6, 2), (3,), ["layers[0]", "layers[1]"]),
    "relu last": (lambda: network(3, 8, 4, last=nn.relu), (3,), ["layers[0]", "layers[1]"]),
    "relu as a layer": (lambda: nn.Chain(dense(0, 3, 5), nn.relu, dense(1, 5, 2)), (3,), ["layers[0]"]),
    "relu6": (lambda: network(3, 8, 2, activation=nn.relu6), (3,), ["layers[0]"]),
    "softshrink": (lambda: network(3, 8, 6, 2, activation=nn.softshrink), (3,), ["layers[0]", "layers[1]"]),
    "hardtanh": (lambda: network(3, 8, 6, 2, activation=nn.hardtanh), (3,), ["layers[0]", "layers[1]"]),
    "trelu": (lambda: network(3, 8, 6, 2, activation=nn.trelu), (3,), ["layers[0]", "layers[1]"]),
    "abs": (lambda: network(3, 8, 6, 2, activation=jnp.abs), (3,), ["layers[0]", "layers[1]"]),
    "skips": (
        lambda: nn.Chain(
            nn.SkipConnection(nn.Chain(dense(0, 3, 4, nn.relu), dense(1, 4, 3)), jnp.add),
            nn.SkipConnection(dense(2, 3, 4, nn.leakyrelu), nn.cat),
            dense(3, 7, 2),
        ),
        (3,),
        ["layers[0].layer.layers[0]", "layers[1].layer"],
    ),
    "user's residual": (
        lambda: nn.Chain(Residual(dense(0, 3, 3, nn.relu)), dense(1, 3, 2)),
        (3,),
        ["layers[0].inner", "layers[0].inner#2"],
    ),
    "scan": (lambda: nn.Chain(Stacked(normal(0, 3, 4, 4)), dense(1, 4, 2)), (4,),
        ["layers[0]", "layers[0]#2", "layers[0]#3"]),
    "maxout": (
        lambda: nn.Chain(Maxout(dense(0, 3, 4), dense(1, 3, 4)), dense(2, 4, 3, nn.relu), dense(3, 3, 2)),
        (3,),
        ["layers[1]"],
    ),
    "layers of ours": (
        lambda: nn.Chain(
            nn.Conv((3, 3), 2, 4, nn.relu, key=jax.random.key(0)), nn.MaxPool((2, 2)), flat, dense(4, 16, 3, nn.relu)
        ),
        (6, 6, 2),
        ["layers[0]", "layers[3]"],
    ),
    "learned threshold": (
        lambda: nn.Chain(dense(0, 3, 4), Threshold(normal(1, 4)), dense(2, 4, 2)),
        (3,),
        ["layers[0]"],
    ),
    "parametric": (
        lambda: nn.Chain(dense(0, 3, 4), ParametricRelu(normal(1, 4)), dense(2, 4, 2)),
        (3,),
        ["layers[0]"],
    ),
    "named": (lambda: nn.Chain(enc=dense(0, 3, 4, nn.relu), dec=dense(1, 4, 2)), (3,), ["layers['enc']"]),
    "conv and pool": (conv_network, (6, 6, 2), ["layers[0]", "layers[4]"]),
    "inputs": (lambda: nn.Chain(nn.relu, dense(0, 3, 2)), (3,), ["input"]),
}  # fmt: skip


def data(name, count=7, seed=5):
    """Return a network by name and data for it."""
    make, shape, _ = NETWORKS[name]
    return make(), normal(seed, count, *shape)
