"""Whole networks beside PyTorch, Flax NNX and Equinox: convolutions, batch norms, an LSTM, attention.

Each network has one loss, the mean square of its output, and the same sizes on all sides. Beside PyTorch a turn is the
loss and its gradient in all parameters; beside Flax and Equinox, both with Optax, it is a step of Adam too, compiled
as one. Ratios are the peer's time over ours, above 1 we are faster. All run in this process, on all cores, each for a
stretch of turns, since the threads that a library leaves waiting disturb the next one for a while. Compilation is not
counted.
"""

import importlib
import math
import time
from collections.abc import Callable

import numpy as np

from benchmarks.nets import SHAPES
from benchmarks.report import publish

ROUNDS, STRETCH = 4, 5
PEERS = {"PyTorch": ("pytorch", "gradient"), "Flax NNX": ("flax_nnx", "step"), "Equinox": ("equinox_optax", "step")}


def turn(module: str, network: str, kind: str) -> Callable:
    """Return the turn of one side."""
    side = importlib.import_module(f"benchmarks.nets.{module}")
    x = np.random.default_rng(0).normal(size=SHAPES[network]).astype(np.float32)
    return getattr(side, kind)(getattr(side, network)(), x)


def best_times(actions: dict) -> dict:
    """Return the best time of each action, in milliseconds, taken in stretches whose first turn does not count."""
    best = dict.fromkeys(actions, math.inf)
    for _ in range(ROUNDS):
        for name, action in actions.items():
            action()
            best[name] = min(best[name], *(milliseconds(action) for _ in range(STRETCH)))
    return best


def milliseconds(action: Callable) -> float:
    start = time.perf_counter()
    action()
    return 1e3 * (time.perf_counter() - start)


def measured(peer: str, network: str) -> dict:
    """Return the row of one network beside one peer."""
    module, kind = PEERS[peer]
    best = best_times({name: turn(name, network, kind) for name in ("ours", module)})
    return {
        "network": network.replace("_", " "),
        "beside": peer,
        "turn": kind,
        "ours, ms": best["ours"],
        "theirs, ms": best[module],
        "ratio": best[module] / best["ours"],
    }


def geometric_mean(rows: list[dict], peer: str) -> dict:
    ratios = [row["ratio"] for row in rows if row["beside"] == peer]
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    empty = {"turn": "", "ours, ms": "", "theirs, ms": ""}
    return {"network": "geometric mean", "beside": peer} | empty | {"ratio": mean}


def main() -> None:
    rows = [measured(peer, network) for peer in PEERS for network in SHAPES]
    rows += [geometric_mean(rows, peer) for peer in PEERS]
    publish("networks", "Networks: the peer's time / ours", rows, ["torch", "flax", "equinox", "optax"])


if __name__ == "__main__":
    main()
