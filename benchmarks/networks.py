"""Forward and backward of whole networks beside PyTorch on the CPU: convolutions, LSTM, attention, batch norms.

Each network has one loss, the mean square of its output, and the same sizes on both sides; a turn is the loss and its
gradient in all parameters. Ratios are PyTorch's time over ours, above 1 we are faster. Both run in this process, turn
by turn, with as many threads as there are cores; compilation is not counted.
"""

import math
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn as tnn

import argflux as af
from benchmarks.report import publish

TURNS = 8


class Last(tnn.Module):
    """The last output of a recurrent layer."""

    def __init__(self, module: tnn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, length, inputs) to (batch, hidden)."""
        return self.module(x)[0][:, -1]


class Block(tnn.Module):
    """A transformer's block: attention, then a gelu layer, each with a norm and a skip."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = tnn.ModuleList([tnn.LayerNorm(width), tnn.LayerNorm(width)])
        self.attention = tnn.MultiheadAttention(width, heads, batch_first=True, bias=False)
        self.feed = tnn.Sequential(tnn.Linear(width, 4 * width), tnn.GELU(), tnn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, length, width) to the same shape."""
        y = self.norms[0](x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.feed(self.norms[1](x))


def conv_net() -> tuple:
    """Three convolutions with relu and pooling, then a dense layer, on pictures of 28 x 28, batch 64."""
    ours = af.Chain(
        af.Conv((3, 3), 1, 32, af.relu, padding=1),
        af.MaxPool((2, 2)),
        af.Conv((3, 3), 32, 32, af.relu, padding=1),
        af.MaxPool((2, 2)),
        af.Conv((3, 3), 32, 32, af.relu, padding=1),
        af.Flatten(),
        af.Dense(7 * 7 * 32, 10),
    )
    convs = [tnn.Conv2d(i, 32, 3, padding=1) for i in (1, 32, 32)]
    theirs = tnn.Sequential(
        *(convs[0], tnn.ReLU(), tnn.MaxPool2d(2), convs[1], tnn.ReLU(), tnn.MaxPool2d(2), convs[2], tnn.ReLU()),
        *(tnn.Flatten(), tnn.Linear(7 * 7 * 32, 10)),
    )
    return ours, theirs, (64, 28, 28, 1), lambda x: np.moveaxis(x, -1, 1)


def batch_norm_net() -> tuple:
    """Two convolutions with batch norms, then the mean over the picture, 16 x 16, batch 64, in training."""
    layers = lambda i, o: [af.Conv((3, 3), i, o, padding=1, bias=False), af.BatchNorm(o, af.relu)]
    ours = af.Chain(*layers(3, 32), *layers(32, 32), af.GlobalMeanPool(), af.Flatten(), af.Dense(32, 10))
    block = lambda i, o: [tnn.Conv2d(i, o, 3, padding=1, bias=False), tnn.BatchNorm2d(o), tnn.ReLU()]
    theirs = tnn.Sequential(*block(3, 32), *block(32, 32), tnn.AdaptiveAvgPool2d(1), tnn.Flatten(), tnn.Linear(32, 10))
    return ours, theirs, (64, 16, 16, 3), lambda x: np.moveaxis(x, -1, 1)


def lstm() -> tuple:
    """An LSTM of width 64 over sequences of length 100, batch 32, and a dense layer on its last output."""
    ours = af.Chain(af.LSTM(64, 64), lambda y: y[:, -1], af.Dense(64, 10))
    theirs = tnn.Sequential(Last(tnn.LSTM(64, 64, batch_first=True)), tnn.Linear(64, 10))
    return ours, theirs, (32, 100, 64), lambda x: x


def attention() -> tuple:
    """A transformer's block of width 256 with 8 heads, length 128, batch 32."""
    feed = af.Chain(af.Dense(256, 1024, af.gelu_erf), af.Dense(1024, 256))
    ours = af.Chain(
        af.SkipConnection(af.Chain(af.LayerNorm(256), af.MultiHeadAttention(256, heads=8)), jnp.add),
        af.SkipConnection(af.Chain(af.LayerNorm(256), *feed), jnp.add),
    )
    return ours, Block(256, 8), (32, 128, 256), lambda x: x


def our_turn(model: af.Chain, x: np.ndarray) -> Callable:
    loss = af.nn.withstate(lambda model, x: jnp.mean(jnp.square(model(x))))
    step = jax.jit(lambda model, x, key: af.withgradient(lambda m: loss(m, x, key=key), model, has_aux=True))
    key, x = jax.random.key(0), jnp.asarray(x)
    return lambda: jax.block_until_ready(step(model, x, key))


def their_turn(model: tnn.Module, x: np.ndarray) -> Callable:
    batch = torch.tensor(x)

    def turn():
        model.zero_grad(set_to_none=True)
        model(batch).square().mean().backward()

    return turn


def seconds(action: Callable) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measured(make: Callable[[], tuple]) -> dict:
    ours, theirs, shape, layout = make()
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    turns = our_turn(ours, x), their_turn(theirs, np.ascontiguousarray(layout(x)))
    for turn in turns:
        turn()
    times = [[seconds(turn) for turn in turns] for _ in range(TURNS)]
    mine, peer = (min(column) for column in zip(*times, strict=True))
    return {
        "network": make.__name__.replace("_", " "),
        "ours, ms": 1e3 * mine,
        "PyTorch, ms": 1e3 * peer,
        "ratio": peer / mine,
    }


def main() -> None:
    rows = [measured(make) for make in (conv_net, batch_norm_net, lstm, attention)]
    mean = math.exp(sum(math.log(row["ratio"]) for row in rows) / len(rows))
    rows.append({"network": "geometric mean", "ours, ms": "", "PyTorch, ms": "", "ratio": mean})
    publish("networks", "Forward and backward: PyTorch's time / ours", rows, ["torch"])


if __name__ == "__main__":
    main()
