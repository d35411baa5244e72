"""Every layer, one row each: how to make it, the shapes that it takes and gives; user's layers of all the kinds."""

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


class FirstOf(eqx.Module):
    """A layer of which only the first output is wanted, such as a cell without its state."""

    inner: Any

    def __call__(self, x):
        return self.inner(x)[0]


def affine(width=3):
    return Affine(jnp.arange(1.0, width + 1), jnp.full(width, 0.5))


@dataclasses.dataclass(frozen=True)
class Row:
    """A layer, its input and output without the batch axis."""

    make: Any
    takes: tuple[int, ...] = (3,)
    gives: tuple[int, ...] = (3,)
    entries: int = 0  # of an input of integers below this number
    by_example: bool = True  # whether every example stands for itself

    def batch(self, dtype=jnp.float32, examples=5):
        """Draw an input; of many entries few are equal, so that maxima are unique."""
        shape = (examples, *self.takes)
        if self.entries:
            return jax.random.randint(jax.random.key(1), shape, 0, self.entries)
        return jax.random.normal(jax.random.key(1), shape, dtype)


LAYERS = {
    "Dense": Row(lambda: nn.Dense(3, 2), (3,), (2,)),
    "Dense with activation": Row(lambda: nn.Dense(3, 2, nn.tanh), (3,), (2,)),
    "Dense without bias": Row(lambda: nn.Dense(3, 2, bias=False), (3,), (2,)),
    "Dense of a matrix": Row(lambda: nn.Dense(jnp.arange(6.0).reshape(2, 3), nn.sigmoid), (3,), (2,)),
    "Dense of more axes": Row(lambda: nn.Dense(3, 2), (4, 3), (4, 2)),
    "Scale": Row(lambda: nn.Scale(3, nn.tanh, init=nn.initialisers.normal)),
    "Scale of two axes": Row(lambda: nn.Scale((2, 3), bias=False), (4, 2, 3), (4, 2, 3)),
    "Bilinear": Row(lambda: nn.Bilinear(3, 2, nn.tanh), (3,), (2,)),
    "Bilinear of two": Row(
        lambda: nn.Chain(nn.Parallel(tuple, nn.Dense(3, 2), nn.tanh), nn.Bilinear((2, 3), 4)), (3,), (4,)
    ),
    "Embedding": Row(lambda: nn.Embedding(7, 3), (4,), (4, 3), entries=7),
    "Embedding with padding": Row(lambda: nn.Embedding(7, 3, padding=2), (4,), (4, 3), entries=7),
    "Chain": Row(lambda: nn.Chain(nn.Dense(3, 4, nn.softplus), nn.tanh, nn.Dense(4, 2), nn.softmax), (3,), (2,)),
    "named Chain": Row(lambda: nn.Chain(enc=nn.Dense(3, 4), act=nn.swish, dec=nn.Dense(4, 2)), (3,), (2,)),
    "nested Chain": Row(lambda: nn.Chain(nn.Chain(nn.Dense(3, 4), nn.tanh), nn.Chain(nn.Dense(4, 2))), (3,), (2,)),
    "empty Chain": Row(lambda: nn.Chain()),
    "SkipConnection adding": Row(lambda: nn.SkipConnection(nn.Dense(3, 3, nn.tanh), jnp.add)),
    "SkipConnection by operator": Row(lambda: nn.SkipConnection(nn.Dense(3, 3), operator.mul)),
    "SkipConnection concatenating": Row(lambda: nn.SkipConnection(nn.Dense(3, 2), nn.cat), (3,), (5,)),
    "SkipConnection of functions": Row(lambda: nn.SkipConnection(nn.tanh, nn.cat), (3,), (6,)),
    "SkipConnection over several": Row(
        lambda: nn.SkipConnection(nn.Chain(nn.Dense(3, 4, nn.tanh), nn.Dense(4, 3)), jnp.add)
    ),
    "SkipConnection with activation": Row(lambda: nn.SkipConnection(nn.Dense(3, 3), jnp.add, nn.softplus)),
    "SkipConnection of convolutions": Row(
        lambda: nn.SkipConnection(nn.Conv((3, 3), 2, 2, nn.tanh, padding="same"), jnp.add), (4, 4, 2), (4, 4, 2)
    ),
    "Parallel": Row(lambda: nn.Parallel(nn.cat, nn.Dense(3, 2), nn.Dense(3, 4, nn.tanh)), (3,), (6,)),
    "Parallel of three": Row(lambda: nn.Parallel(jnp.add, a=nn.Dense(3, 3), b=nn.tanh, c=nn.Scale(3))),
    "PairwiseFusion": Row(
        lambda: nn.Chain(nn.PairwiseFusion(nn.cat, nn.Dense(3, 2), nn.Dense(5, 4)), lambda ys: nn.cat(*ys)), (3,), (6,)
    ),
    "Maxout": Row(lambda: nn.Maxout(lambda: nn.Dense(3, 2), 3), (3,), (2,)),
    "Conv": Row(lambda: nn.Conv((2, 3), 2, 3), (5, 6, 2), (4, 4, 3)),
    "Conv of a sequence": Row(lambda: nn.Conv((3,), 2, 3, nn.tanh, padding="same"), (6, 2), (6, 3)),
    "Conv of a volume": Row(lambda: nn.Conv((2, 2, 2), 1, 2, stride=2), (4, 4, 4, 1), (2, 2, 2, 2)),
    "Conv with strides": Row(
        lambda: nn.Conv((3, 2), 2, 4, stride=(2, 1), padding=((1, 0), (2, 1)), dilation=(1, 2), groups=2, bias=False),
        (5, 4, 2),
        (2, 5, 4),
    ),
    "Conv of one pixel": Row(lambda: nn.Conv((1, 1), 3, 2), (3, 3, 3), (3, 3, 2)),
    "DepthwiseConv": Row(lambda: nn.DepthwiseConv((2, 2), 2, 4), (4, 3, 2), (3, 2, 4)),
    "ConvTranspose": Row(lambda: nn.ConvTranspose((3, 2), 2, 3), (4, 3, 2), (6, 4, 3)),
    "ConvTranspose with strides": Row(
        lambda: nn.ConvTranspose((3, 3), 4, 2, stride=2, padding=1, output_padding=1, groups=2), (3, 2, 4), (6, 4, 2)
    ),
    "ConvTranspose the same": Row(
        lambda: nn.ConvTranspose((3,), 2, 3, nn.tanh, stride=2, padding="same", dilation=2), (4, 2), (8, 3)
    ),
    "MaxPool": Row(lambda: nn.MaxPool((2, 2)), (5, 4, 2), (2, 2, 2)),
    "MaxPool with overlap": Row(lambda: nn.MaxPool((3, 2), stride=(2, 1), padding=(1, 0)), (5, 4, 2), (3, 3, 2)),
    "MaxPool of a sequence": Row(lambda: nn.MaxPool((2,)), (6, 2), (3, 2)),
    "MeanPool": Row(lambda: nn.MeanPool((2, 2)), (5, 4, 2), (2, 2, 2)),
    "MeanPool with overlap": Row(lambda: nn.MeanPool((3, 3), stride=1, padding="same"), (4, 4, 2), (4, 4, 2)),
    "AdaptiveMaxPool": Row(lambda: nn.AdaptiveMaxPool((2, 2)), (5, 4, 2), (2, 2, 2)),
    "AdaptiveMeanPool": Row(lambda: nn.AdaptiveMeanPool((3,)), (7, 2), (3, 2)),
    "GlobalMaxPool": Row(lambda: nn.GlobalMaxPool(), (3, 4, 2), (1, 1, 2)),
    "GlobalMeanPool": Row(lambda: nn.GlobalMeanPool(), (3, 4, 2), (1, 1, 2)),
    "Flatten": Row(lambda: nn.Flatten(), (3, 4, 2), (24,)),
    "Flatten as in PyTorch": Row(lambda: nn.Flatten(channels_first=True), (3, 4, 2), (24,)),
    "Upsample": Row(lambda: nn.Upsample((2, 3)), (3, 2, 2), (6, 6, 2)),
    "Upsample to a size": Row(lambda: nn.Upsample(size=(5,)), (3, 2), (5, 2)),
    "Upsample linearly": Row(lambda: nn.Upsample(2, "bilinear"), (3, 2, 2), (6, 4, 2)),
    "Upsample linearly by cells": Row(
        lambda: nn.Upsample(size=(5,), mode="linear", align_corners=False), (3, 2), (5, 2)
    ),
    "PixelShuffle": Row(lambda: nn.PixelShuffle(2), (2, 3, 8), (4, 6, 2)),
    "LayerNorm": Row(lambda: nn.LayerNorm(3, nn.tanh), (4, 3), (4, 3)),
    "LayerNorm of two axes": Row(lambda: nn.LayerNorm((4, 3), affine=False), (4, 3), (4, 3)),
    "GroupNorm": Row(lambda: nn.GroupNorm(4, 2, nn.tanh), (3, 2, 4), (3, 2, 4)),
    "InstanceNorm": Row(lambda: nn.InstanceNorm(2, nn.tanh, affine=True), (3, 2, 2), (3, 2, 2)),
    "BatchNorm": Row(lambda: nn.testmode(nn.BatchNorm(3, nn.tanh)), (2, 3), (2, 3)),
    "BatchNorm in training": Row(
        lambda: nn.trainmode(nn.BatchNorm(3, nn.tanh, track=False)), (2, 3), (2, 3), by_example=False
    ),
    "Dropout": Row(lambda: nn.Chain(nn.Dense(3, 3), nn.testmode(nn.Dropout(0.5)))),
    "AlphaDropout": Row(lambda: nn.Chain(nn.Dense(3, 3), nn.testmode(nn.AlphaDropout(0.5)))),
    "InstanceNorm with statistics": Row(lambda: nn.testmode(nn.InstanceNorm(2, nn.tanh, track=True)), (3, 2), (3, 2)),
    "RNNCell": Row(lambda: FirstOf(nn.RNNCell(3, 2)), (3,), (2,)),
    "LSTMCell": Row(lambda: FirstOf(nn.LSTMCell(3, 2)), (3,), (2,)),
    "GRUCell": Row(lambda: FirstOf(nn.GRUCell(3, 2)), (3,), (2,)),
    "RNN": Row(lambda: nn.RNN(3, 2, nn.sigmoid), (4, 3), (4, 2)),
    "LSTM": Row(lambda: nn.LSTM(3, 2), (4, 3), (4, 2)),
    "GRU": Row(lambda: nn.GRU(3, 2), (4, 3), (4, 2)),
    "LSTM without bias": Row(lambda: nn.LSTM(3, 2, bias=False), (4, 3), (4, 2)),
    "Recurrence": Row(lambda: nn.Chain(nn.Recurrence(nn.GRUCell(3, 2)), lambda y: y[:, -1]), (4, 3), (2,)),
    "MultiHeadAttention": Row(lambda: nn.MultiHeadAttention(4, heads=2), (3, 4), (3, 4)),
    "MultiHeadAttention causal": Row(
        lambda: nn.MultiHeadAttention(4, (6, 8), 5, heads=2, causal=True, bias=True), (3, 4), (3, 5)
    ),
    "dataclass": Row(lambda: nn.Chain(IdentitySkip(nn.Dense(3, 3), nn.tanh))),
    "dataclass with arrays": Row(lambda: nn.Chain(affine(), nn.Dense(3, 2)), (3,), (2,)),
    "dataclasses in a module": Row(lambda: nn.Chain(Gate([affine(), IdentitySkip(affine())]))),
    "Equinox layer": Row(lambda: nn.Chain(PerExample(eqx.nn.Linear(3, 3, key=jax.random.key(0))), nn.tanh)),
}
