"""A run for tests to kill: `python -m tests.training.interrupted_run CHECKPOINT KIND PAUSE`."""

import os
import sys
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from argflux.data import DataLoader
from argflux.training import Adam, Checkpoint, early_stopping, train
from tests.training.models import line_data, loss, network

EPOCHS = 12


def data(kind: str):
    """Return data of a kind: a shuffled loader with a partial batch, a list, or a stream."""
    if kind == "loader":
        return DataLoader(line_data(70), 8, shuffle=True, seed=5)
    batches = [line_data(8, seed) for seed in range(9)]
    return batches if kind == "list" else Stream(batches)


class Stream:
    """Batches that can be gone through again but are no list."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


def go(path, kind: str, pause: float, resume: bool = True):
    """Run with a checkpoint after every chunk, slowed down by a pause after each epoch."""

    def rest(record):
        time.sleep(pause)

    checkpoint = Checkpoint(path, every=0.0) if path else None
    until = early_stopping("loss", 3, min_dist=0.05)
    keywords = {"epochs": EPOCHS, "callback": rest, "until": until, "validation": line_data(16, 99)}
    return train(
        loss, network(), data(kind), Adam(0.01), checkpoint=checkpoint, resume=resume and bool(path), **keywords
    )


if __name__ == "__main__":
    go(sys.argv[1], sys.argv[2], float(sys.argv[3]))
