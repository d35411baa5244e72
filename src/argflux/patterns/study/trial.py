"""Starts go through a study in chunks: drawn, measured, trained together, scored."""

import itertools
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.data import DataLoader
from argflux.patterns.study.families import Family
from argflux.patterns.study.measures import SAMPLE, Measured
from argflux.patterns.study.records import Record
from argflux.patterns.study.together import Together

ROWS_FOR_THE_GAP, DESIGN_ROWS = 10_000, 500
PIECE_BYTES, CHUNK_BYTES, LARGEST_CHUNK = 2**26, 2**29, 64
Start = tuple[Family, int]
Advance = Callable[[float], None]


@dataclass(frozen=True)
class Course:
    """What every start goes through.

    Attributes:
        train: inputs and one-hot rows, NumPy.
        test: inputs and one-hot rows, NumPy.
        epochs: how often training goes through the data.
        batchsize: rows in a step; what is left of an epoch after the last whole batch is left out.
        every: epochs between two measurements of the test accuracy.
        seed: of the batches, which all starts share, and of the draws.
    """

    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    epochs: int
    batchsize: int
    every: int
    seed: int

    def stops(self) -> list[int]:
        """Return after which epochs the test accuracy is measured, 0 first."""
        return [*range(0, self.epochs, self.every), self.epochs]

    def pieces(self, epoch: int) -> Iterator[tuple[jax.Array, jax.Array, int]]:
        """Yield the batches of an epoch in pieces of limited size, all of one shape, and how many batches count."""
        loader = DataLoader(self.train, self.batchsize, shuffle=True, partial=False, seed=self.seed)
        batches = loader.batches_per_epoch
        rows = loader.order(epoch)[: batches * self.batchsize].reshape(batches, self.batchsize)
        at_once = max(1, PIECE_BYTES // (self.train[0].itemsize * self.train[0][0].size * self.batchsize))
        length = math.ceil(batches / math.ceil(batches / at_once))
        for begin in range(0, batches, length):
            piece = jnp.asarray(np.resize(rows[begin : begin + length], (length, self.batchsize)))
            x, y = (_taken(part, piece) for part in self._on_device)
            yield x, y, min(length, batches - begin)

    @cached_property
    def _on_device(self) -> tuple[jax.Array, jax.Array]:
        x, y = map(jnp.asarray, self.train)
        return x, y

    @property
    def is_one_batch(self) -> bool:
        """Whether a step sees all rows."""
        return self.batchsize == len(self.train[0])

    def sample(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return at most so many training rows, evenly spaced."""
        n = len(self.train[0])
        chosen = np.unique(np.linspace(0, n - 1, min(n, rows)).astype(int))
        x, y = self.train
        return x[chosen], y[chosen]


@jax.jit
def _taken(rows: jax.Array, places: jax.Array) -> jax.Array:
    return rows.at[places].get(mode="promise_in_bounds")


class Trial:
    """Takes starts through a course, a chunk at a time.

    Args:
        together: trains them.
        course: what they go through.
    """

    def __init__(self, together: Together, course: Course):
        self.together, self.course = together, course
        self.measured = Measured(together, course.sample(SAMPLE)[0], course.seed)
        self.gap_rows = tuple(map(jnp.asarray, course.sample(ROWS_FOR_THE_GAP)))
        self.test = tuple(map(jnp.asarray, course.test))

    def run(self, chunk: Sequence[Start], advance: Advance) -> list[Record]:
        """Return the records of a chunk of starts; `advance` is told how many starts' worth of training was done."""
        drawn = self._draw(chunk)
        before = self.measured.of(drawn)
        curve, starts = self._train(drawn, advance)
        train_loss, train_right = self.together.score(starts, *self.gap_rows)
        test_loss, test_right = self.together.score(starts, *self.test)
        after = {
            "train loss": train_loss,
            "test loss": test_loss,
            "train accuracy": train_right,
            "test accuracy": test_right,
            "gap": train_right - test_right,
        }
        return [
            {
                "family": family.name,
                "start": number,
                "before": before[i],
                "after": {name: _finite(values[i]) for name, values in after.items()},
                "test accuracy": [_finite(values[i]) for values in curve],
            }
            for i, (family, number) in enumerate(chunk)
        ]

    def _draw(self, chunk: Sequence[Start]) -> list[jax.Array]:
        """Return the stacked arrays of the starts, in order."""
        places: dict[Family, list[int]] = {}
        for place, (family, _) in enumerate(chunk):
            places.setdefault(family, []).append(place)
        found = [self._of_family(family, [chunk[place][1] for place in own]) for family, own in places.items()]
        order = np.argsort([place for own in places.values() for place in own])
        return [jnp.concatenate(parts)[order] for parts in zip(*found, strict=True)]

    def _of_family(self, family: Family, numbers: Sequence[int]) -> list[jax.Array]:
        together, x = self.together, self.course.sample(DESIGN_ROWS)[0]
        network = together.network(together.template)
        draw = lambda key: together.split.take(family.draw(key, network, x))[0]
        keys = [start_key(self.course.seed, family.name, number) for number in numbers]
        if family.batched:
            return jax.vmap(draw)(jnp.stack(keys))
        return [jnp.stack(arrays) for arrays in zip(*map(draw, keys), strict=True)]

    def _train(self, drawn: list[jax.Array], advance: Advance) -> tuple[list[np.ndarray], list[jax.Array]]:
        """Return the test accuracies at every stop, and the trained starts."""
        together, course = self.together, self.course
        underway = together.begin(drawn)
        curve = [together.score(drawn, *self.test)[1]]
        stops = course.stops()
        for last, stop in itertools.pairwise(stops):
            for x, y, n, part in self._batches(last, stop):
                underway, _ = together.steps(underway, x, y, n)
                advance(len(drawn[0]) * part / course.epochs)
            curve.append(together.score(underway.starts, *self.test)[1])
        return curve, underway.starts

    def _batches(self, first: int, end: int) -> Iterator[tuple[jax.Array, jax.Array, int, float]]:
        """Yield batches, how many steps to make with them, and how many epochs that is."""
        if self.course.is_one_batch:
            x, y = (jnp.asarray(part)[None] for part in self.course.train)
            yield x, y, end - first, float(end - first)
            return
        for epoch in range(first, end):
            for x, y, n in self.course.pieces(epoch):
                yield x, y, n, n / (len(self.course.train[0]) // self.course.batchsize)


def start_key(seed: int, family: str, number: int) -> jax.Array:
    """Return the random key of a start, which depends on nothing else in the study.

    Example:
        >>> import jax
        >>> from argflux.patterns.study.trial import start_key
        >>> bool((jax.random.key_data(start_key(0, "a", 1)) == jax.random.key_data(start_key(0, "a", 2))).all())
        False
    """
    key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(family.encode()))
    return jax.random.fold_in(key, number)


def chunks(starts: Sequence[Start], parameters: int, largest: int | None = None) -> list[list[Start]]:
    """Divide starts into chunks of nearly equal size that fit the memory.

    Example:
        >>> from argflux.patterns.study.trial import chunks
        >>> [len(chunk) for chunk in chunks([(None, i) for i in range(70)], parameters=1000)]
        [35, 35]
    """
    fitting = max(1, min(LARGEST_CHUNK, CHUNK_BYTES // (16 * max(1, parameters))))
    size = min(fitting, largest or fitting)
    count = max(1, math.ceil(len(starts) / size))
    bounds = [round(i * len(starts) / count) for i in range(count + 1)]
    return [list(starts[low:high]) for low, high in itertools.pairwise(bounds) if high > low]


def _finite(value: Any) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
