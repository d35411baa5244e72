"""Many starts trained together beside PyTorch, which trains them one after another: moons and MNIST.

Ratios are PyTorch's time over ours, above 1 we are faster, for training alone: both hold the data as tensors, no
scores on the way, compilation given apart. PyTorch trains a few starts, in this process, with its default number of
threads, turn by turn with ours; its time for all of them is that of one times their number. A whole epoch of MNIST is
timed of every contestant; three of them take three times as long for each.
"""

import itertools
import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import torch

import argflux as af
from argflux.errors import ArgfluxError
from argflux.patterns.study.families import FAMILIES
from argflux.patterns.study.together import Together
from argflux.patterns.study.trial import Course
from benchmarks.report import publish
from benchmarks.training import network, seconds, torch_steps

TURNS = 2


def prepared(widths: list[int], count: int, rate: float) -> tuple[Together, list]:
    """Return the program and the stacked starts."""
    last = len(widths) - 2
    layers = [
        af.Dense(i, o, af.identity if k == last else af.relu) for k, (i, o) in enumerate(itertools.pairwise(widths))
    ]
    together = Together(af.Chain(*layers), af.logitcrossentropy, af.Descent(rate))
    model = together.network(together.template)
    draw = lambda key: together.split.take(FAMILIES["glorot_uniform"].draw(key, model, None))[0]
    return together, jax.vmap(draw)(jax.random.split(jax.random.key(0), count))


def best(ours: Callable, theirs: dict[str, Callable]) -> tuple[float, dict[str, float]]:
    """Return our best time and the best of each peer, taken turn by turn."""
    mine, peers = [], {name: [] for name in theirs}
    for _ in range(TURNS):
        for name, action in theirs.items():
            peers[name].append(seconds(action))
        mine.append(seconds(ours))
    return min(mine), {name: min(times) for name, times in peers.items()}


def moons(count: int = 500, steps: int = 200) -> list[dict]:
    X, y = af.make_moons(200, noise=0.1)
    batch = jnp.asarray(X)[None], af.onehotbatch(y, range(2))[None]
    x, t = torch.tensor(X), torch.tensor(y, dtype=torch.long)
    together, starts = prepared([2, 16, 16, 2], count, 0.9)

    def ours():
        return together.steps(together.begin(starts), *batch, steps)[1]

    def theirs():
        model = network([2, 16, 16, 2], None)
        torch_steps(model, torch.optim.SGD(model.parameters(), 0.9), [(x, t)] * steps)

    first = seconds(ours)
    mine, peers = best(ours, {"full batches": theirs})
    return [row(f"moons, {count} starts", "full batches", count * peers["full batches"], mine, first)]


def mnist(count: int = 64) -> list[dict]:
    train, _ = af.load_mnist()
    Y = np.eye(10, dtype=np.float32)[train.y]
    x, t = torch.tensor(train.x), torch.tensor(train.y, dtype=torch.long)
    widths = [784, 64, 32, 10]
    course = Course((train.x, Y), (train.x[:1], Y[:1]), 1, 64, 1, 0)
    together, starts = prepared(widths, count, 0.1)
    model = network(widths, None)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, t), 64, shuffle=True, drop_last=True)

    def ours():
        underway = together.begin(starts)
        for xs, ys, n in course.pieces(0):
            underway, losses = together.steps(underway, xs, ys, n)
        return losses

    def indexed():
        order = torch.randperm(len(x))
        rows = (order[i : i + 64] for i in range(0, len(x) - 63, 64))
        torch_steps(model, optimiser, ((x[r], t[r]) for r in rows))

    first = seconds(ours)
    peers = {"rows by index": indexed, "DataLoader": lambda: torch_steps(model, optimiser, loader)}
    mine, times = best(ours, peers)
    return [row(f"MNIST, {count} starts", name, count * time, mine, first) for name, time in times.items()]


def row(what: str, peer: str, theirs: float, ours: float, first: float) -> dict:
    return {
        "what": what,
        "peer": peer,
        "ratio": theirs / ours,
        "ours, s": ours,
        "peer's, s": theirs,
        "first call / later": first / ours,
    }


def main() -> None:
    rows = moons()
    try:
        rows += mnist()
    except ArgfluxError as error:
        print(f"MNIST skipped: {error}", file=sys.stderr)
    publish("starts", "PyTorch one after another / ours together (MNIST: an epoch)", rows, ["torch"])


if __name__ == "__main__":
    main()
