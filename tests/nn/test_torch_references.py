"""Layers and losses against values and gradients of PyTorch, kept in a file that `make_torch_references` wrote.

Layers are compared in float64, as PyTorch computed them: rounding in float32 hides the sixth digit of attention's
gradients, in JAX's own too.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from argflux import nn
from argflux.autodiff import withgradient
from argflux.training import loadmodel

KEPT: dict[str, dict[str, np.ndarray]] = {}
for key, value in load_file(Path(__file__).with_name("torch_references.safetensors")).items():
    KEPT.setdefault(key.split("/")[0], {})[key.split("/")[1]] = value

# name: our layer
LAYERS = {
    "Dense": lambda: nn.Dense(3, 2),
    "Bilinear": lambda: nn.Bilinear((3, 4), 2),
    "Conv": lambda: nn.Conv((2, 3), 2, 3),
    "Conv same": lambda: nn.Conv((4,), 2, 3, padding="same", dilation=2),
    "Conv strides": lambda: nn.Conv((3, 3), 4, 6, stride=(2, 1), padding=1, dilation=(1, 2), groups=2),
    "Conv volume": lambda: nn.Conv((2, 2, 2), 1, 2, stride=2),
    "DepthwiseConv": lambda: nn.DepthwiseConv((2, 2), 2, 4),
    "ConvTranspose": lambda: nn.ConvTranspose((3, 2), 2, 3),
    "ConvTranspose strides": lambda: nn.ConvTranspose(
        (3, 3), 4, 2, stride=2, padding=1, output_padding=1, groups=2, dilation=(1, 2)
    ),
    "MaxPool": lambda: nn.MaxPool((3, 2), stride=(2, 1), padding=(1, 0)),
    "MeanPool": lambda: nn.MeanPool((3, 3), stride=2, padding=1),
    "AdaptiveMeanPool": lambda: nn.AdaptiveMeanPool((2, 3)),
    "AdaptiveMaxPool": lambda: nn.AdaptiveMaxPool((3, 2)),
    "LayerNorm": lambda: nn.LayerNorm((4, 3)),
    "GroupNorm": lambda: nn.GroupNorm(4, 2),
    "InstanceNorm": lambda: nn.InstanceNorm(2, affine=True),
    "RNN": lambda: nn.RNN(3, 2),
    "LSTM": lambda: nn.LSTM(3, 2),
    "GRU": lambda: nn.GRU(3, 2),
    "MultiHeadAttention": lambda: nn.MultiHeadAttention(4, heads=2, bias=True),
    "MultiHeadAttention causal": lambda: nn.MultiHeadAttention(4, heads=2, bias=True, causal=True),
    "Upsample": lambda: nn.Upsample(2),
    "Upsample to a size": lambda: nn.Upsample(size=(5,)),
    "Upsample linearly": lambda: nn.Upsample(2, "bilinear"),
    "Upsample by cells": lambda: nn.Upsample(size=(5,), mode="linear", align_corners=False),
    "PixelShuffle": lambda: nn.PixelShuffle(2),
}
SEQUENCES = ("RNN", "LSTM", "GRU", "MultiHeadAttention", "LayerNorm")
LOSSES = [name for name in KEPT if name not in LAYERS]


def test_every_reference_is_compared():
    assert set(LAYERS) <= set(KEPT)
    assert set(LOSSES) <= set(nn.__all__)
    assert len(LOSSES) >= 7


def entries(name, field):
    return {key.removeprefix(f"{field}."): value for key, value in KEPT[name].items() if key.startswith(f"{field}.")}


def channels_last(name, array):
    is_sequence = name.startswith(SEQUENCES)
    return jnp.asarray(array if is_sequence or array.ndim < 3 else np.moveaxis(array, 1, -1))


def summed_biases(name, gradient):
    """PyTorch's recurrent layers have two biases whose sum is ours: either's gradient is that of the sum."""
    halved = dict(gradient)
    for key in [key for key in halved if key.startswith("bias_hh") and name in ("RNN", "LSTM")]:
        halved[key] = np.zeros_like(halved[key])
    if name == "GRU":
        hidden = halved["weight_hh_l0"].shape[1]
        halved["bias_hh_l0"] = np.where(np.arange(3 * hidden) < 2 * hidden, 0, halved["bias_hh_l0"])
    return halved


def in_double(layer):
    return jax.tree.map(lambda a: jnp.asarray(np.asarray(a, np.float64)), layer)


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    kept = KEPT[name]
    loss = lambda layer, *inputs: jnp.sum(jnp.sin(layer(*inputs)))
    layer = LAYERS[name]()
    with jax.enable_x64(True):
        layer = loadmodel(in_double(layer), entries(name, "state"))
        inputs = [channels_last(name, kept[key]) for key in ("x", "x2") if key in kept]
        y = layer(*inputs)
        _, (of_layer, *of_inputs) = withgradient(loss, layer, *inputs)
        expected = loadmodel(layer, summed_biases(name, entries(name, "grad")))
        np.testing.assert_allclose(y, channels_last(name, kept["y"]), rtol=1e-10, atol=1e-10)
        for key, gradient in zip(("dx", "dx2"), of_inputs, strict=False):
            np.testing.assert_allclose(gradient, channels_last(name, kept[key]), rtol=1e-10, atol=1e-10)
        for ours, theirs in zip(jax.tree.leaves(of_layer), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    kept = {key: jnp.asarray(value, jnp.float32) for key, value in KEPT[name].items()}
    of = {
        "poisson_loss": lambda yhat: nn.poisson_loss(jnp.exp(yhat), kept["target"]),
        "kldivergence": lambda yhat: nn.kldivergence(nn.softmax(yhat), kept["target"]),
    }.get(name, lambda yhat: getattr(nn, name)(yhat, kept["target"]))
    value, (gradient,) = withgradient(of, kept["x"])
    np.testing.assert_allclose(value, kept["y"], rtol=1e-5)
    np.testing.assert_allclose(gradient, kept["dx"], rtol=1e-5, atol=1e-6)
