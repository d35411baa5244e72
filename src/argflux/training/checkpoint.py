"""Checkpoints: everything a run needs to go on exactly where it was, in one file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from argflux.errors import ArgumentError, LoadError
from argflux.keywords import explained
from argflux.training.arrays import Arrays, Notes, check_path, read_arrays, write_arrays
from argflux.training.history import History
from argflux.training.rule import Hyper
from argflux.training.saving import CHECKPOINT, fill, named_arrays

_FORMAT = f"{CHECKPOINT} 1"
_SAME = "go on with the same settings, or start anew with resume=False"


@explained
@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a run writes what it needs to go on.

    Args:
        path: a file name ending in .safetensors or .npz.
        every: least number of seconds between two writes; the end of a run is always written.

    Example:
        >>> from argflux.training import Checkpoint
        >>> Checkpoint("runs/mnist.safetensors", every=60.0).every
        60.0
    """

    path: str | Path
    every: float = 10.0

    def __post_init__(self) -> None:
        check_path(self.path)
        if not self.every >= 0:
            got, todo = f"every={self.every!r}", "pass the seconds between two writes"
            raise ArgumentError(got, "a number at least 0", todo, where="Checkpoint")


@dataclass
class Position:
    """A place in a run: how many epochs are done, how many batches of the next, and since when the loader counts.

    `key` are the two words of the run's random key.
    """

    epoch: int = 0
    batch: int = 0
    first_epoch: int = 0
    key: tuple[int, int] = (0, 0)


@dataclass
class Snapshot:
    """A run at one moment.

    Attributes:
        arrays: trees of arrays: the model and the optimiser's state.
        hyper: the hyperparameters.
        history: what has happened.
        position: where the run is.
        setting: what must be the same for the run to go on, by name.
        given_key: the words of the random key that this run was given, if it was.
    """

    arrays: dict[str, Any]
    hyper: tuple[Hyper, ...]
    history: History
    position: Position
    setting: dict[str, str]
    given_key: tuple[int, int] | None = None

    def write(self, path: str | Path) -> None:
        """Write the snapshot in one move.

        Raises:
            OutputError: when the file cannot be written.
        """
        records = list(self._records_alone().lines())
        state = {
            "hyper": jax.tree.map(float, self.hyper),
            "position": vars(self.position),
            "setting": self.setting,
            "stopped": self.history.stopped,
        }
        text = np.frombuffer("\n".join([json.dumps(state), *records]).encode(), np.uint8)
        arrays = [
            *named_arrays(self.arrays),
            ("history", self.history.losses),
            ("failed", self.history.failed_programs),
        ]
        arrays.append(("run", text))
        write_arrays(path, arrays, {"format": _FORMAT})

    def read(self, path: str | Path) -> "Snapshot":
        """Return the snapshot that a file holds, for the same model and rule as this one.

        Raises:
            LoadError: when the file is damaged, no checkpoint, or that of another model, rule or data.
        """
        arrays, notes, run, lines = _read(path)
        self._check_setting(run["setting"], str(path))
        records = History.parse(lines, str(path)).records
        history = History(records, arrays.pop("history"), arrays.pop("failed"))
        for record, start in zip(records, [0, *(record.step for record in records)], strict=False):
            record.failed_programs = int(history.failed_programs[start : record.step].sum())
        history.stopped = run["stopped"]
        hyper = tuple({name: _number(value) for name, value in numbers.items()} for numbers in run["hyper"])
        self._check_hyper(hyper, str(path))
        filled = fill(self.arrays, arrays, notes, str(path))
        position = Position(**run["position"])
        if self.given_key and tuple(position.key) != self.given_key:
            raise LoadError("a run with another key", "the key given to train", _SAME, where=str(path))
        return Snapshot(filled, hyper, history, position, self.setting)

    def _records_alone(self) -> History:
        return History(self.history.records)

    def _check_hyper(self, found: tuple[Hyper, ...], where: str) -> None:
        """Refuse a run whose hyperparameters, after `adjust`, are not those that this one is to go on with."""
        wanted = jax.tree.map(float, self.hyper)
        named = [
            (name, *(own.get(name) for own in pair))
            for pair in zip(found, wanted, strict=True)
            for name in dict.fromkeys((*pair[0], *pair[1]))
        ]
        for name, old, new in named:
            if old != new:
                got, expected = (f"{name} {'a schedule' if value is None else value}" for value in (old, new))
                raise LoadError(f"a run with {got}", expected, _SAME, where=where)

    def _check_setting(self, found: dict[str, str], where: str) -> None:
        for name, wanted in self.setting.items():
            if found.get(name) != wanted:
                got, expected = f"a run with {name} {found.get(name)}", f"{name} {wanted}"
                raise LoadError(got, expected, _SAME, where=where)


def epochs_begun(path: str | Path) -> int:
    """Return how many epochs the run of a checkpoint had begun.

    Raises:
        LoadError: when the file is damaged or no checkpoint.
    """
    _, _, run, _ = _read(path)
    position = Position(**run["position"])
    return position.epoch + (position.batch > 0)


def _read(path: str | Path) -> tuple[Arrays, Notes, dict[str, Any], list[str]]:
    """Return the arrays and the notes of a checkpoint, its state and the lines of its history."""
    arrays, notes = read_arrays(path)
    if notes.get("format") != _FORMAT:
        got, todo = notes.get("format", "a file without a format"), "pass the file of a checkpoint"
        raise LoadError(got, _FORMAT, todo, where=str(path))
    state, *lines = bytes(arrays.pop("run")).decode().split("\n")
    return arrays, notes, json.loads(state), lines


def _number(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
