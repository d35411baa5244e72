"""Models, all but one in plain JAX, each with parameters, a batch and a loss, at a size of the caller's choosing."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import argflux as af


@dataclass(frozen=True)
class Model:
    """`loss(parameters, *batch)` and what to call it with."""

    name: str
    loss: Callable[..., jax.Array]
    parameters: Any
    batch: tuple

    @property
    def loops(self) -> bool:
        """Whether the program holds a loop."""
        return self.name == "LSTM"


def _normal(rng: np.random.Generator, *shape: int) -> jax.Array:
    return jnp.asarray(rng.normal(size=shape) / np.sqrt(shape[0] if len(shape) > 1 else 10), jnp.float32)


def _cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return -jnp.mean(jnp.sum(labels * jax.nn.log_softmax(logits), axis=-1))


def _onehot(rng: np.random.Generator, count: int, classes: int) -> jax.Array:
    return jax.nn.one_hot(rng.integers(classes, size=count), classes)


def mlp(size: int = 256, batch: int = 64) -> Model:
    """Three dense layers with relu, cross entropy of the logits."""
    rng = np.random.default_rng(0)
    widths = [2 * size, size, size, 10]
    layers = [{"w": _normal(rng, a, b), "b": _normal(rng, b)} for a, b in pairwise(widths)]

    def loss(layers, x, y):
        *hidden, last = layers
        for p in hidden:
            x = jax.nn.relu(x @ p["w"] + p["b"])
        return _cross_entropy(x @ last["w"] + last["b"], y)

    return Model("MLP", loss, layers, (_normal(rng, batch, 2 * size), _onehot(rng, batch, 10)))


def chain(size: int = 256, batch: int = 64) -> Model:
    """A network of this library's layers with a skip connection, and its loss."""
    rng = np.random.default_rng(6)
    one, two, three = jax.random.split(jax.random.key(0), 3)
    skip = af.SkipConnection(af.Dense(size, size, af.gelu, key=two), jnp.add)
    model = af.Chain(af.Dense(size, size, af.relu, key=one), skip, af.Dense(size, 10, key=three))
    parameters, static = eqx.partition(model, eqx.is_inexact_array)

    def loss(parameters, x, y):
        return af.logitcrossentropy(eqx.combine(parameters, static)(x), y)

    return Model("argflux Chain", loss, parameters, (_normal(rng, batch, size), _onehot(rng, batch, 10)))


def conv_net(size: int = 28, batch: int = 16) -> Model:
    """Two convolutions with relu and pooling, then a dense layer: what digits are recognised with."""
    rng = np.random.default_rng(1)
    parameters = {
        "one": _normal(rng, 3, 3, 1, 8),
        "two": _normal(rng, 3, 3, 8, 16),
        "bias": [_normal(rng, 8), _normal(rng, 16)],
        "dense": _normal(rng, (size // 4) ** 2 * 16, 10),
    }

    def convolve(x, kernel, bias):
        x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jax.nn.relu(x + bias)

    def loss(p, x, y):
        x = convolve(x, p["one"], p["bias"][0])
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        x = convolve(x, p["two"], p["bias"][1])
        x = lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4
        return _cross_entropy(x.reshape(batch, -1) @ p["dense"], y)

    return Model("conv net", loss, parameters, (_normal(rng, batch, size, size, 1), _onehot(rng, batch, 10)))


def _layer_norm(p: dict, x: jax.Array) -> jax.Array:
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(centred * centred, axis=-1, keepdims=True)
    return centred * lax.rsqrt(variance + 1e-5) * p["scale"] + p["shift"]


def layer_norm(size: int = 512, batch: int = 64) -> Model:
    """Normalised features with a scale and a shift, then a nonlinear loss."""
    rng = np.random.default_rng(2)
    parameters = {"scale": _normal(rng, size), "shift": _normal(rng, size)}

    def loss(p, x, y):
        return jnp.mean(jnp.square(jnp.tanh(_layer_norm(p, x)) - y))

    return Model("layer norm", loss, parameters, (_normal(rng, batch, size), _normal(rng, batch, size)))


def attention(size: int = 64, batch: int = 8, length: int = 64, heads: int = 4) -> Model:
    """A transformer's block: causal attention with several heads, then a gelu layer, each with a norm and a skip."""
    rng = np.random.default_rng(3)
    parameters = {
        "qkv": _normal(rng, size, 3 * size),
        "out": _normal(rng, size, size),
        "up": _normal(rng, size, 4 * size),
        "down": _normal(rng, 4 * size, size),
        "norms": [{"scale": _normal(rng, size), "shift": _normal(rng, size)} for _ in range(2)],
    }
    mask = np.tril(np.ones((length, length), bool))

    def attend(p, x):
        q, k, v = jnp.split((x @ p["qkv"]).reshape(batch, length, heads, -1), 3, axis=-1)
        scores = jnp.einsum("blhd,bmhd->bhlm", q, k) / np.sqrt(size // heads).item()
        weights = jax.nn.softmax(jnp.where(mask, scores, -1e9))
        return jnp.einsum("bhlm,bmhd->blhd", weights, v).reshape(batch, length, size) @ p["out"]

    def loss(p, x, y):
        x = x + attend(p, _layer_norm(p["norms"][0], x))
        x = x + jax.nn.gelu(_layer_norm(p["norms"][1], x) @ p["up"]) @ p["down"]
        return jnp.mean(jnp.square(x - y))

    x, y = _normal(rng, batch, length, size), _normal(rng, batch, length, size)
    return Model("attention block", loss, parameters, (x, y))


def lstm(size: int = 64, batch: int = 16, length: int = 100) -> Model:
    """A long short-term memory read over a sequence by `scan`."""
    rng = np.random.default_rng(4)
    parameters = {
        "input": _normal(rng, size, 4 * size),
        "state": _normal(rng, size, 4 * size),
        "bias": _normal(rng, 4 * size),
        "out": _normal(rng, size, 10),
    }

    def loss(p, xs, y):
        def cell(state, x):
            h, c = state
            i, f, g, o = jnp.split(x @ p["input"] + h @ p["state"] + p["bias"], 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), None

        zero = jnp.zeros((batch, size), jnp.float32)
        (h, _), _ = lax.scan(cell, (zero, zero), xs)
        return _cross_entropy(h @ p["out"], y)

    return Model("LSTM", loss, parameters, (_normal(rng, length, batch, size), _onehot(rng, batch, 10)))


def gaussian_process(size: int = 128, features: int = 4) -> Model:
    """Minus the log-likelihood of a Gaussian process, by Cholesky factorisation."""
    rng = np.random.default_rng(5)
    parameters = {name: jnp.asarray(value, jnp.float32) for name, value in [("scale", 0.1), ("noise", -1.0)]}
    parameters["lengths"] = _normal(rng, features)

    def loss(p, x, y):
        z = x * jnp.exp(p["lengths"])
        squared = jnp.sum(jnp.square(z[:, None] - z[None]), axis=-1)
        kernel = jnp.exp(p["scale"] - 0.5 * squared) + jnp.exp(p["noise"]) * jnp.eye(size)
        factor = jnp.linalg.cholesky(kernel)
        whitened = lax.linalg.triangular_solve(factor, y[:, None], left_side=True, lower=True)
        return 0.5 * jnp.sum(jnp.square(whitened)) + jnp.sum(jnp.log(jnp.diagonal(factor)))

    return Model("Cholesky likelihood", loss, parameters, (_normal(rng, size, features), _normal(rng, size)))


MODELS = (mlp, chain, conv_net, attention, lstm, layer_norm, gaussian_process)
