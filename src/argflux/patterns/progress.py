"""A bar over the units of long work, with the time left; draws nothing unless stderr is a terminal."""

import sys
import threading
from types import TracebackType
from typing import Any


class UnitProgress:
    """A context that counts units done, from any thread.

    Args:
        total: how many units there are.
        shown: whether a bar is wanted.
    """

    def __init__(self, total: int, shown: bool = True):
        self._bar: Any = None
        self._lock = threading.Lock()
        if shown and sys.stderr.isatty():
            self._bar, self._task = _bar(total)

    def __enter__(self) -> "UnitProgress":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def layer(self, name: str) -> None:
        """Name the layer at work."""
        if self._bar:
            self._bar.update(self._task, layer=name)

    def done(self, units: int) -> None:
        """Count units of which the programs are solved."""
        if self._bar:
            with self._lock:
                self._bar.advance(self._task, units)


def _bar(total: int) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [
        TextColumn("{task.fields[layer]}"),
        BarColumn(),
        TextColumn("unit {task.completed:.0f}/{task.total:.0f}"),
        TimeRemainingColumn(),
    ]
    bar = Progress(*columns, console=Console(stderr=True))
    return bar, bar.add_task("designing", total=total, layer="")
