"""The progress bar of a training run, on a terminal only."""

import sys
from types import TracebackType
from typing import Any


class Progress:
    """A bar over the epochs with loss, rate and the time left; draws nothing unless stderr is a terminal.

    Args:
        epochs: how many epochs there will be.
        done: how many are done already.
        per_epoch: the number of batches in an epoch, if known.
        shown: whether a bar is wanted.
    """

    def __init__(self, epochs: int, done: int, per_epoch: int | None, shown: bool = True):
        self.bar: Any = None
        self.per_epoch, self.done = per_epoch, done
        if shown and sys.stderr.isatty():
            self.bar, self.task = _bar(epochs, done)

    def __enter__(self) -> "Progress":
        if self.bar:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar:
            self.bar.stop()

    def show(self, epoch: int, batch: int, loss: float, rate: float | None, failed: int = 0) -> None:
        """Draw the position, with the loss of the last step, and how many programs were not solved so far."""
        if self.bar:
            done = epoch + (batch / self.per_epoch if self.per_epoch else 0.0)
            numbers = f"loss {loss:.4g}" + ("" if rate is None else f"  rate {rate:.3g}")
            numbers += f"  {failed} failed programs" if failed else ""
            self.bar.update(self.task, completed=done, epoch=epoch, numbers=numbers)


def _bar(epochs: int, done: int) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = [
        TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}"),
        BarColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
    ]
    bar = RichProgress(*columns, console=Console(stderr=True))
    return bar, bar.add_task("training", total=epochs, completed=done, epoch=done, numbers="compiling")
