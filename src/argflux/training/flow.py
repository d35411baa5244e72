"""The flow of batches through all epochs, cut into chunks of steps that one call can make."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from argflux.training.batches import Chunk, Source


class Flow:
    """Batches from a position on, one ahead of need, so that the last one of an epoch is known as such.

    Args:
        source: where the batches come from.
        epoch: the epoch to start in, counted from 0.
        batch: how many of its batches are done already.
        epochs: how many epochs there are in all.
    """

    def __init__(self, source: Source, epoch: int, batch: int, epochs: int):
        self.source = source
        self.steps = _steps(source, epoch, batch, epochs)
        self.following = next(self.steps, None)

    def take(self, limit: int, within_epoch: bool) -> Chunk | None:
        """Return the next steps of one shape, at most `limit` and at least one; None when all epochs are over."""
        if self.following is None:
            return None
        batch, ends_epoch = self.following
        first, kind, length = batch, self.source.kind(batch), self.source.limit(batch)
        room = min(limit, length)
        batches, ends = [], []
        while batch is first or self.source.kind(batch) == kind:
            batches.append(batch)
            if ends_epoch:
                ends.append(len(batches))
            self.following = next(self.steps, None)
            if self.following is None or len(batches) == room or (ends_epoch and within_epoch):
                break
            batch, ends_epoch = self.following
        pool, index = self.source.stage(batches, length)
        return Chunk(pool, index, len(batches), ends)


def _steps(source: Source, epoch: int, batch: int, epochs: int) -> Iterator[tuple[Any, bool]]:
    """Yield every batch with whether it is the last one of its epoch."""
    for current in range(epoch, epochs):
        items = islice(source.batches(current), batch if current == epoch else 0, None)
        held = next(items, None)
        while held is not None:
            item = next(items, None)
            yield held, item is None
            held = item
