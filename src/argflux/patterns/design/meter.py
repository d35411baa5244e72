"""The bar of long work on a terminal: what is at work, how much is done, and the time left."""

import sys
import threading
from types import TracebackType
from typing import Any


class Meter:
    """A bar over a number of things, moved on from any thread; draws nothing unless stderr is a terminal.

    Args:
        total: how many there will be.
        unit: what they are.
        done: how many are done already.
        shown: whether a bar is wanted.
    """

    def __init__(self, total: int, unit: str, done: int = 0, shown: bool = True):
        self._bar: Any = None
        self._lock = threading.Lock()
        if shown and sys.stderr.isatty():
            self._bar, self._task = _bar(total, unit, done)

    def __enter__(self) -> "Meter":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def name(self, part: str) -> None:
        """Name the part at work."""
        if self._bar:
            self._bar.update(self._task, part=part)

    def advance(self, count: float) -> None:
        """Move the bar on."""
        if self._bar:
            with self._lock:
                self._bar.advance(self._task, count)


def _bar(total: int, unit: str, done: int) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [
        TextColumn("{task.fields[part]}"),
        TextColumn(f"{{task.completed:.0f}}/{{task.total:.0f}} {unit}"),
        BarColumn(),
        TimeRemainingColumn(),
    ]
    bar = Progress(*columns, console=Console(stderr=True), speed_estimate_period=600)
    return bar, bar.add_task(unit, total=total, completed=done, part="")
