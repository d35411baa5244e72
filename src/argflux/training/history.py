"""What a training run leaves behind: one record an epoch, and the loss of every step."""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from argflux.errors import ArgumentError, LoadError
from argflux.files import write_atomically
from argflux.keywords import explained
from argflux.kinds import Row

_NUMBERS = ("loss", "rate", "failed_programs")


@explained
@dataclass(slots=True)
class Record:
    """An epoch of training, as callbacks see it.

    Attributes:
        epoch: its number, from 1.
        step: how many steps have been made in all.
        loss: the mean of the losses of its steps, each taken before its update.
        rate: the learning rate of the last step, None for an Optax transformation.
        failed_programs: how many optimisation problems inside the loss were not solved, in all its steps.
        metrics: the measurements on validation data, by name.
        time: seconds of training so far.

    Example:
        >>> from argflux.training import Record
        >>> Record(epoch=3, step=30, loss=0.25, rate=0.1)
        Record(epoch=3, step=30, loss=0.25, rate=0.1, metrics={}, time=0.0, failed_programs=0)
    """

    epoch: int
    step: int
    loss: float
    rate: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    time: float = 0.0
    failed_programs: int = 0
    build: Callable[[], Any] | None = field(default=None, repr=False, compare=False)

    @property
    def model(self) -> Any:
        """The model right after this epoch; it is rebuilt on demand, and only while the callback runs."""
        if self.build is None:
            got, todo = "record.model after its callback returned", "keep the model inside the callback"
            raise ArgumentError(got, "a look at it inside callback or until", todo, where=f"epoch {self.epoch}")
        return self.build()

    def score(self, name: str) -> float:
        """Return `loss`, `rate`, `failed_programs`, or a metric by name.

        Example:
            >>> from argflux.training import Record
            >>> Record(1, 10, 0.5, metrics={"accuracy": 0.9}).score("accuracy")
            0.9
        """
        if name in _NUMBERS:
            return getattr(self, name)
        if name not in self.metrics:
            got, expected = f"{name!r}", ", ".join([*_NUMBERS[:2], *self.metrics, *_NUMBERS[2:]])
            raise ArgumentError(got, expected, "use a listed name, or pass metrics= to train", where="record")
        return self.metrics[name]


@explained
class History:
    """The records of a run and the loss of every step.

    Iterating, indexing and `len` are over the records.

    Args:
        records: one `Record` an epoch.
        losses: the loss of every step.
        failed_programs: how many optimisation problems inside the loss were not solved, of every step.

    Attributes:
        records: one `Record` an epoch.
        stopped: why the run ended: "epochs", "callback", "until", "interrupted", or "" while it goes on.
        state: the optimiser's state at the end, for `train` to go on from.

    Example:
        >>> from argflux.training import History, Record
        >>> history = History([Record(1, 2, 0.5)], [0.75, 0.25])
        >>> history.losses.tolist(), len(history), history[-1].loss
        ([0.75, 0.25], 1, 0.5)
    """

    def __init__(self, records: Iterable[Record] = (), losses: Row = (), failed_programs: Row = ()):
        self.records = list(records)
        self.stopped = ""
        self.state: Any = None
        self._pieces = [np.asarray(losses)] if len(losses) else []
        given = np.asarray(failed_programs, np.int32)
        self._failed = [given if len(given) else np.zeros(len(losses), np.int32)]

    @property
    def losses(self) -> np.ndarray:
        """The loss of every step, shape (steps,), each taken before its update."""
        if len(self._pieces) != 1:
            self._pieces = [np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.float32)]
        return self._pieces[0]

    @property
    def failed_programs(self) -> np.ndarray:
        """How many optimisation problems inside the loss were not solved, of every step: int32, shape (steps,)."""
        if len(self._failed) != 1:
            self._failed = [np.concatenate(self._failed)]
        return self._failed[0]

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the run."""
        return self.stopped == "interrupted"

    def column(self, name: str) -> list[float]:
        """Return one number of every record: `loss`, `rate`, `failed_programs`, or a metric by name.

        Example:
            >>> from argflux.training import History, Record
            >>> History([Record(1, 5, 0.5), Record(2, 10, 0.25)]).column("loss")
            [0.5, 0.25]
        """
        return [record.score(name) for record in self.records]

    def add_steps(self, losses: np.ndarray, failed_programs: np.ndarray) -> None:
        """Append the losses of further steps, and how many problems inside them were not solved."""
        if losses.size:
            self._pieces.append(losses)
            self._failed.append(failed_programs)

    def lines(self) -> Iterator[str]:
        """Yield the history as JSON, one line an epoch; a last one for the steps of an unfinished epoch."""
        losses, failed, done = self.losses, self.failed_programs, 0
        for record in self.records:
            steps = slice(done, record.step)
            yield _line(_fields(record), losses[steps], failed[steps])
            done = record.step
        if done < len(losses):
            yield _line({"step": len(losses)}, losses[done:], failed[done:])

    def save(self, path: str | Path) -> None:
        """Write the history as JSON lines.

        Raises:
            OutputError: when the file cannot be written.
        """
        write_atomically(path, "".join(f"{line}\n" for line in self.lines()).encode())

    @staticmethod
    def load(path: str | Path) -> "History":
        """Read a history that `save` wrote.

        Raises:
            LoadError: when the file is not there or holds something else, naming the line.
        """
        try:
            return History.parse(Path(path).read_text().splitlines(), str(path))
        except (OSError, UnicodeDecodeError) as error:
            got, todo = f"{type(error).__name__}", "check the path"
            raise LoadError(got, "a file that History.save wrote", todo, where=str(path)) from error

    @staticmethod
    def parse(lines: Iterable[str], where: str = "history") -> "History":
        """Return the history that `lines` gives.

        Raises:
            LoadError: for a line that is not of this form.
        """
        history = History()
        for number, line in enumerate(lines, 1):
            try:
                fields = json.loads(line)
                losses = [math.nan if loss is None else float(loss) for loss in fields.pop("losses")]
                failed = fields.pop("failed_programs", [0] * len(losses))
                if "epoch" in fields:
                    history.records.append(_record(fields))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                got, todo = f"{line[:40]!r}", "use the file of a finished save"
                raise LoadError(got, "the JSON of a record", todo, where=f"{where}, line {number}") from error
            history.add_steps(np.array(losses), np.array(failed, np.int32))
            if history.records and "epoch" in fields:
                history.records[-1].failed_programs = sum(failed)
        return history

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __getitem__(self, index: int) -> Record:
        return self.records[index]

    def __repr__(self) -> str:
        last = f", last loss {self.records[-1].loss:.4g}" if self.records else ""
        stopped = f", stopped by {self.stopped}" if self.stopped else ""
        return f"History({len(self.records)} epochs, {len(self.losses)} steps{last}{stopped})"


def _fields(record: Record) -> dict[str, Any]:
    fields = ("epoch", "step", "loss", "rate", "metrics", "time")
    return {name: getattr(record, name) for name in fields}


def _record(fields: dict[str, Any]) -> Record:
    loss = math.nan if fields["loss"] is None else float(fields["loss"])
    metrics = {name: math.nan if value is None else value for name, value in fields["metrics"].items()}
    return Record(fields["epoch"], fields["step"], loss, fields["rate"], metrics, fields["time"])


def _line(fields: dict[str, Any], losses: np.ndarray, failed: np.ndarray) -> str:
    metrics = {name: _finite(value) for name, value in fields.get("metrics", {}).items()}
    numbers = {name: _finite(value) for name, value in fields.items() if name != "metrics"}
    extra = {"metrics": metrics} if "metrics" in fields else {}
    steps: dict[str, Any] = {"losses": [_finite(loss) for loss in losses.tolist()]}
    if failed.any():
        steps["failed_programs"] = failed.tolist()
    return json.dumps(numbers | extra | steps, allow_nan=False)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
