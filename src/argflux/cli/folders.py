"""Folders for results: new ones with names of their own, never one that holds something already."""

from itertools import count
from pathlib import Path

from argflux.errors import OutputError

RUNS = Path("runs")
RESUMABLE = "pass another --out, or go on with an interrupted run by --resume"
MODEL, HISTORY, CHECKPOINT, SETTINGS = ("model.safetensors", "history.jsonl", "checkpoint.safetensors", "settings.json")


def new_folder(out: Path | None, name: str, advice: str = "pass another --out") -> Path:
    """Make and return the folder `out`, or else the first free one of runs/name, runs/name-2, runs/name-3 …

    Args:
        out: the folder that was asked for, or None.
        name: of the folder in runs otherwise.
        advice: what to do about a folder that holds files already.

    Raises:
        OutputError: when `out` is a file or holds files already, or when it cannot be made.
    """
    if out is None:
        return _first_free(name)
    if out.is_dir() and any(out.iterdir()):
        raise OutputError("a folder that holds files already", "a new or empty folder", advice, where=str(out))
    return _make(out, exist_ok=True)


def _first_free(name: str) -> Path:
    for number in count(1):
        folder = RUNS / (name if number == 1 else f"{name}-{number}")
        try:
            return _make(folder, exist_ok=False)
        except FileExistsError:
            continue
    raise AssertionError("the numbers do not end")


def _make(folder: Path, exist_ok: bool) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        if isinstance(error, FileExistsError) and folder.is_dir():
            raise
        got, todo = error.strerror or str(error), "pass another --out, or allow writing there"
        raise OutputError(got, "a folder that can be made", todo, where=str(folder)) from error
    return folder
