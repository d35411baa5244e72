"""What looks on while a run goes on: callbacks, measurements, the checkpoint, the bar."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from argflux.errors import ArgumentError
from argflux.training.callbacks import every_steps
from argflux.training.checkpoint import Checkpoint
from argflux.training.history import Record


@dataclass(frozen=True)
class Watch:
    """What looks on while a run goes on.

    Attributes:
        callbacks: called with the record of every epoch.
        step_callbacks: called after so many steps each.
        until: called with every record, after the callback.
        measure: from the model to measurements by name, after every epoch; None for none.
        checkpoint: where and how often to write.
        progress: whether to draw a bar.
    """

    callbacks: tuple[Callable[[Record], Any], ...] = ()
    step_callbacks: tuple[every_steps, ...] = ()
    until: Callable[[Record], Any] | None = None
    measure: Callable[[Any], dict[str, float]] | None = None
    checkpoint: Checkpoint | None = None
    progress: bool = True

    @property
    def needs_starts(self) -> bool:
        """Whether the start of a chunk must outlive the call, to go back to a step within it."""
        return bool(self.callbacks or self.step_callbacks or self.until or self.checkpoint)

    def steps_left(self, step: int) -> int:
        """Return how many steps may be made before a callback wants to look."""
        return min((callback.n - step % callback.n for callback in self.step_callbacks), default=2**31)

    def look_at_step(self, record: Record, build: Callable[[], Any]) -> bool:
        """Show a record in the midst of an epoch to the callbacks whose turn it is; say whether one stops the run."""
        record.build = build
        try:
            due = [callback for callback in self.step_callbacks if record.step % callback.n == 0]
            answers = [is_true(callback(record)) for callback in due]
            return any(answers)
        finally:
            record.build = None

    def settle(self) -> None:
        """Let callbacks make the models that they kept for later."""
        for callback in self.callbacks:
            if hasattr(callback, "settle"):
                callback.settle()  # type: ignore[attr-defined]

    def look(self, record: Record, build: Callable[[], Any]) -> str:
        """Show a record, with its model on demand; return what stops the run: "callback", "until" or ""."""
        record.build = build
        try:
            answers = [is_true(callback(record)) for callback in self.callbacks]
            reached = self.until is not None and bool(self.until(record))
        finally:
            record.build = None
        return "callback" if any(answers) else "until" if reached else ""

    def finish(self, record: Record, model: Any) -> None:
        """Let throttled callbacks make their last call, for the last record."""
        for callback in self.callbacks:
            if hasattr(callback, "flush"):
                record.build = lambda: model
                callback.flush()  # type: ignore[attr-defined]
                record.build = None

    def look_back(self, records: list[Record]) -> None:
        """Show `until` the records of an earlier part of the run; what needs their models cannot see them."""
        lookers = [callback.look_back for callback in self.callbacks if hasattr(callback, "look_back")]  # type: ignore[attr-defined]
        for look in [*lookers, *([self.until] if self.until else [])]:
            for record in records:
                with contextlib.suppress(ArgumentError):
                    look(record)


def is_true(value: Any) -> bool:
    """Say whether a callback returned True itself, of Python, NumPy or JAX; other values mean nothing."""
    if isinstance(value, jax.Array):
        return value.shape == () and value.dtype == bool and bool(value)
    return isinstance(value, bool | np.bool_) and bool(value)
