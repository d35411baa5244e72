"""Patterns: counting the zeros of a network, beside the loop over elements of document 004 and vectorised PyTorch.

The network is 784-750-320-50-10 with a ReLU after every layer, the data are the 10,000 test images of MNIST. The loop
over elements is timed on the first images and scaled to all; the count that it makes is held against ours.
"""

import itertools
import sys
import time

import jax
import numpy as np
import torch

import argflux as af
from argflux.errors import ArgfluxError
from benchmarks.report import publish

WIDTHS = (784, 750, 320, 50, 10)
LOOPED = 200
TURNS = 5


def networks():
    """The same network twice, from PyTorch's own initial weights."""
    torch.manual_seed(0)
    linear = [torch.nn.Linear(i, o) for i, o in itertools.pairwise(WIDTHS)]
    pairs = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in linear]
    return af.Chain(*[af.Dense(weight, af.relu, bias=bias) for weight, bias in pairs]), linear


def by_element(linear, x) -> int:
    """Count as document 004 does: every element of every output is asked."""
    zeros = 0
    with torch.no_grad():
        for layer in linear:
            x = torch.relu(layer(x))
            for entry in torch.flatten(x):
                if entry.item() == 0:
                    zeros += 1
    return zeros


def vectorised(linear, x, batch) -> int:
    zeros = 0
    with torch.no_grad():
        for part in torch.split(x, batch):
            for layer in linear:
                part = torch.relu(layer(part))
                zeros += int((part == 0).sum())
    return zeros


def seconds(action) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def zero_counting() -> list[dict]:
    _, test = af.load_mnist()
    x = (test.x - np.float32(0.1307)) / np.float32(0.3081)
    model, linear = networks()
    tensor = torch.tensor(x)
    first = seconds(lambda: af.count_zeros(model, x))
    peers = {f"PyTorch, batches of {batch:,}": batch for batch in (1_000, 10_000)}
    times = {name: [] for name in ("ours", *peers)}
    for _ in range(TURNS):
        times["ours"].append(seconds(lambda: af.count_zeros(model, x).total))
        for name, batch in peers.items():
            times[name].append(seconds(lambda batch=batch: vectorised(linear, tensor, batch)))
    ours = min(times["ours"])
    loop = seconds(lambda: by_element(linear, tensor[:LOOPED])) * len(x) / LOOPED
    counted = by_element(linear, tensor[:LOOPED]), af.count_zeros(model, x[:LOOPED]).total
    rows = {f"loop over elements ({LOOPED} images, scaled)": loop} | {name: min(times[name]) for name in peers}
    return [
        {
            "peer": name,
            "peer / ours": peer / ours,
            "ours, s": ours,
            "first call, s": first,
            "zeros of the loop": counted[0],
            "ours": counted[1],
        }
        for name, peer in rows.items()
    ]


ROWS = [zero_counting]


def main() -> None:
    jax.block_until_ready(jax.numpy.zeros(1))
    try:
        rows = [row for measure in ROWS for row in measure()]
    except ArgfluxError as error:
        sys.exit(f"skipped: {error}")
    publish("patterns", "Counting zeros: the peer's time / ours", rows, ["torch"])


if __name__ == "__main__":
    main()
