"""What looks on while a run goes on: callbacks, measurements, the checkpoint, the bar."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from argflux.errors import ArgumentError
from argflux.training.checkpoint import Checkpoint
from argflux.training.history import Record


@dataclass(frozen=True)
class Watch:
    """What looks on while a run goes on.

    Attributes:
        callback: called with every record.
        until: called with every record, after the callback.
        measure: from the model to measurements by name, after every epoch; None for none.
        checkpoint: where and how often to write.
        progress: whether to draw a bar.
    """

    callback: Callable[[Record], Any] | None = None
    until: Callable[[Record], Any] | None = None
    measure: Callable[[Any], dict[str, float]] | None = None
    checkpoint: Checkpoint | None = None
    progress: bool = True

    @property
    def needs_starts(self) -> bool:
        """Whether the start of a chunk must outlive the call, to go back to a step within it."""
        return bool(self.callback or self.until or self.checkpoint)

    def look(self, record: Record, build: Callable[[], Any]) -> str:
        """Show a record, with its model on demand; return what stops the run: "callback", "until" or ""."""
        record.build = build
        try:
            called = self.callback is not None and is_true(self.callback(record))
            reached = self.until is not None and bool(self.until(record))
        finally:
            record.build = None
        return "callback" if called else "until" if reached else ""

    def finish(self, record: Record, model: Any) -> None:
        """Let a throttled callback make its last call, for the last record."""
        flush = getattr(self.callback, "flush", None)
        if flush is not None:
            record.build = lambda: model
            flush()
            record.build = None

    def look_back(self, records: list[Record]) -> None:
        """Show `until` the records of an earlier part of the run; what needs their models cannot see them."""
        for record in records if self.until else []:
            with contextlib.suppress(ArgumentError):
                self.until(record)  # type: ignore[misc]


def is_true(value: Any) -> bool:
    """Say whether a callback returned True itself, of Python, NumPy or JAX; other values mean nothing."""
    if isinstance(value, jax.Array):
        return value.shape == () and value.dtype == bool and bool(value)
    return isinstance(value, bool | np.bool_) and bool(value)
