"""The bar of long work on a terminal: how much is done, and the time left."""

import sys
from types import TracebackType
from typing import Any


class Meter:
    """A bar over a number of things; draws nothing unless stderr is a terminal.

    Args:
        total: how many there will be.
        done: how many are done already.
        unit: what they are.
        shown: whether a bar is wanted.
    """

    def __init__(self, total: int, done: int, unit: str, shown: bool = True):
        self.bar: Any = None
        if shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = [TextColumn(f"{{task.completed:.0f}}/{{task.total:.0f}} {unit}"), BarColumn()]
            self.bar = Progress(
                *columns, TimeRemainingColumn(), console=Console(stderr=True), speed_estimate_period=600
            )
            self.task = self.bar.add_task(unit, total=total, completed=done)

    def __enter__(self) -> "Meter":
        if self.bar:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar:
            self.bar.stop()

    def advance(self, share: float) -> None:
        """Move the bar on."""
        if self.bar:
            self.bar.advance(self.task, share)
