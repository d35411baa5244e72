"""Training beside PyTorch on the CPU: two moons in full batches, an epoch of MNIST; and the time to import.

Ratios are PyTorch's time over ours, above 1 we are faster; for the import, ours over that of JAX, Equinox and Optax.
Both train in this process, turn by turn, from starts of the same distribution, on the same data; the first call of
ours, which compiles, is not counted and its time is given apart. MNIST is read as `argflux train mnist` reads it.
"""

import itertools
import subprocess
import sys
import time
from collections.abc import Callable

import jax
import numpy as np
import torch

import argflux as af
from argflux.errors import ArgfluxError
from benchmarks.report import publish

TURNS = 4


def loss(model, X, Y):
    return af.logitcrossentropy(model(X), Y)


def alternately(ours: Callable, theirs: dict[str, Callable]) -> tuple[float, dict[str, float]]:
    """Return our best time and the best of each peer, taken turn by turn."""
    mine, peers = [], {name: [] for name in theirs}
    for _ in range(TURNS):
        mine.append(seconds(ours))
        for name, action in theirs.items():
            peers[name].append(seconds(action))
    return min(mine), {name: min(times) for name, times in peers.items()}


def seconds(action: Callable) -> float:
    start = time.perf_counter()
    jax.block_until_ready(action())
    return time.perf_counter() - start


def network(widths: list[int], last: type | None) -> torch.nn.Sequential:
    """A PyTorch network with ReLU between its layers, weights drawn as ours are, and `last` at the end."""
    layers: list[torch.nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        linear = torch.nn.Linear(inputs, outputs)
        torch.nn.init.xavier_uniform_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1], *([last()] if last else []))


def torch_steps(model, optimiser, batches) -> list[float]:
    """The usual loop: a step of Python for every batch, and a record of the losses, which ours keeps too."""
    losses = []
    for x, y in batches:
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(model(x), y)
        value.backward()
        optimiser.step()
        losses.append(value.item())
    return losses


def moons() -> list[dict]:
    X, y = af.make_moons(200, noise=0.1)
    Y = af.onehotbatch(y, range(2))
    x, t = torch.tensor(X), torch.tensor(y, dtype=torch.long)
    af.seed(3)
    start = af.Chain(af.Dense(2, 16, af.relu), af.Dense(16, 16, af.relu), af.Dense(16, 2, af.relu))

    def ours():
        return af.train(loss, start, [(X, Y)], af.Descent(0.9), epochs=200, progress=False)[0]

    def theirs():
        model = network([2, 16, 16, 2], torch.nn.ReLU)
        torch_steps(model, torch.optim.SGD(model.parameters(), 0.9), [(x, t)] * 200)

    first = seconds(ours)
    mine, peers = alternately(ours, {"loop": theirs})
    right = float(af.accuracy(ours()(X), y))
    return [row("moons, 200 steps", "usual loop", peers["loop"] / mine, first / mine, right, None)]


def mnist(epochs: int = 1) -> list[dict]:
    train, test = af.load_mnist()
    Y = np.eye(10, dtype=np.float32)[train.y]
    x, t = torch.tensor(train.x), torch.tensor(train.y, dtype=torch.long)
    af.seed(0)
    widths = [784, 750, 320, 50, 10]
    layers = [af.Dense(i, o, af.relu if o > 10 else af.identity) for i, o in itertools.pairwise(widths)]
    state = {"ours": af.Chain(*layers), "torch": network(widths, None)}
    loader = af.DataLoader((train.x, Y), 64, shuffle=True, partial=False)
    optimiser = torch.optim.SGD(state["torch"].parameters(), 0.1)
    peer_loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, t), 64, shuffle=True, drop_last=True)

    def ours():
        state["ours"] = af.train(loss, state["ours"], loader, af.Descent(0.1), epochs=epochs, progress=False)[0]
        return state["ours"]

    def indexed():
        order = torch.randperm(len(x))
        rows = (order[i : i + 64] for i in range(0, len(x) - 63, 64))
        torch_steps(state["torch"], optimiser, ((x[r], t[r]) for r in rows))

    def loaded():
        torch_steps(state["torch"], optimiser, peer_loader)

    first = seconds(ours)
    mine, peers = alternately(ours, {"rows by index": indexed, "DataLoader": loaded})
    right = float(af.accuracy(state["ours"](test.x), test.y))
    peer_right = float((state["torch"](torch.tensor(test.x)).argmax(1).numpy() == test.y).mean())
    return [row("MNIST epoch", name, t / mine, first / mine, right, peer_right) for name, t in peers.items()]


def imports() -> list[dict]:
    """Whole processes, alternately: `import argflux` with every name loaded, against what it stands on."""
    best = {"import jax, equinox, optax": [], "import argflux; argflux.train; argflux.gradient": []}
    for _ in range(TURNS):
        for code, times in best.items():
            times.append(seconds(lambda code=code: subprocess.run([sys.executable, "-c", code], check=True) and 0))
    base, ours = (min(times) for times in best.values())
    return [row("import", "jax, equinox, optax", ours / base, 1.0, None, None)]


def row(what: str, peer: str, ratio: float, first: float, right: float | None, peer_right: float | None) -> dict:
    shown = lambda part: "" if part is None else f"{part:.1%}"
    return {
        "what": what,
        "peer": peer,
        "ratio": ratio,
        "first call / later": first,
        "our accuracy": shown(right),
        "peer's": shown(peer_right),
    }


def main() -> None:
    rows = moons() + imports()
    try:
        rows += mnist()
    except ArgfluxError as error:
        print(f"MNIST skipped: {error}", file=sys.stderr)
    publish("training", "PyTorch's time / ours (import: ours / what it stands on)", rows, ["equinox", "optax", "torch"])


if __name__ == "__main__":
    main()
