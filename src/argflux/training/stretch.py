"""A chunk of steps that has been made, with the way back to any step within it."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgfluxError, DataError, NonFiniteError
from argflux.training.batches import Chunk
from argflux.training.program import Carry, Made
from argflux.tree import is_differentiable, named_leaves


class Stretch:
    """What came of a chunk.

    Args:
        chunk: the steps.
        call: makes the first n of them.

    Attributes:
        losses: the loss of every step.
        failed: how many problems inside the loss were not solved, of every step.
        rates: the rate of every step, if it follows a schedule; else empty.
        good: how many steps come before the first loss that is not finite.
        seconds: how long it took.
    """

    def __init__(self, chunk: Chunk, call: Callable[[int], Made]):
        began = time.perf_counter()
        self.chunk, self.call = chunk, call
        self.after, *columns = call(chunk.n)
        self.losses, self.failed, self.rates = (np.asarray(column)[: chunk.n] for column in columns)
        self.seconds = time.perf_counter() - began
        finite = np.isfinite(self.losses)
        self.good = chunk.n if finite.all() else int(np.argmin(finite))

    def carry_at(self, n: int) -> Carry:
        """Return the arrays right after step n, made again by the same program if that is not the last one."""
        return self.after if n == self.chunk.n else self.call(n).carry

    def rate(self, n: int, constant: float | None) -> float | None:
        """Return the learning rate of step n: the schedule's, or the constant one."""
        return float(self.rates[n - 1]) if self.rates.size else constant

    def recent(self, n: int, before: list) -> list[tuple[Any, Any]]:
        """Return the last two batches before step n + 1, as pool and rows; some may lie in the stretch before."""
        pool, index = self.chunk.pool, self.chunk.index
        return [*before, *((pool, index[k]) for k in range(max(0, n - 2), n))][-2:]

    def failure(self, where: str, rate: float | None, before: list[tuple[Any, Any]]) -> ArgfluxError:
        """Return the error for the first loss that is not finite: the data's fault, or that of the training.

        Args:
            where: the step, in words.
            rate: the learning rate.
            before: the last two batches of the stretch before; a bad batch may show one step late, and numbers that
                did no harm two steps ago are masked by the loss.
        """
        earlier = self.recent(self.good, before)
        culprit = _first_not_finite(self.chunk.pool, self.chunk.index[self.good], "this batch")
        if not culprit and earlier:
            culprit = _first_not_finite(*earlier[-1], "the batch before")
        if len(earlier) == 2 and _first_not_finite(*earlier[0], ""):
            culprit = ""
        if culprit:
            todo = "drop, fill or mask such rows, so that the loss and its gradient are finite"
            return DataError(culprit, "finite numbers in every batch", todo, where=where)
        now = "" if rate is None else f" (now {rate:g})"
        todo = f"lower the rate{now}, clip with OptimiserChain(ClipNorm(1), …), or look for log(0) and 0/0"
        return NonFiniteError(f"a loss of {self.losses[self.good]}", "a finite number", todo, where=where)


def _first_not_finite(pool: Any, rows: Any, which: str) -> str:
    batch = jax.tree.map(lambda leaf: leaf[rows], pool)
    for name, leaf in named_leaves(batch):
        if is_differentiable(leaf) and not jnp.isfinite(leaf).all():
            index = np.argwhere(~np.isfinite(np.asarray(leaf, np.float64)))[0].tolist()
            return f"{leaf[tuple(index)]} in {which}, at batch{name}{index or ''}"
    return ""
