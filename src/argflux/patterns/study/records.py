"""The file of a study: one line of JSON for each start, on the disk for good as soon as a chunk of starts is done."""

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from argflux.errors import ArgumentError, LoadError, OutputError
from argflux.files import write_atomically

SETTINGS, RECORDS = "study.json", "records.jsonl"
Record = dict[str, Any]


class Records:
    """What is known of the starts of a study, in memory and, if it has a folder, in its file.

    Opening the folder of an interrupted study reads what is there; a line that was cut off in the middle is dropped.

    Args:
        folder: where the study lies; None to keep it in memory.
        settings: what determines the study, as JSON.
        part: the number of the process that writes here, if there are several; each has a file of its own.

    Raises:
        ArgumentError: when the folder belongs to a study with other settings, naming those that differ.
        LoadError: when its files are damaged.
        OutputError: when it cannot be made, or holds something else.
    """

    def __init__(self, folder: str | Path | None, settings: dict[str, Any], part: int | None = None):
        self.folder = None if folder is None else Path(folder)
        self.name = RECORDS if part is None else f"records-{part}.jsonl"
        self.settings = json.loads(json.dumps(settings))
        self.kept: list[Record] = []
        if self.folder is not None:
            self._open(self.folder)

    @property
    def file(self) -> Path | None:
        """The file of the records."""
        return None if self.folder is None else self.folder / self.name

    def has(self, family: str, start: int) -> bool:
        """Say whether a start is recorded."""
        return any(record["family"] == family and record["start"] == start for record in self.kept)

    def add(self, records: Sequence[Record]) -> None:
        """Record starts; when this returns they are on the disk.

        Raises:
            OutputError: when they cannot be written, as on a full disk; what was recorded before stays whole.
        """
        text = "".join(json.dumps(record, allow_nan=False) + "\n" for record in records)
        if self.file is not None:
            _append(self.file, text.encode())
        self.kept += records

    def read(self) -> None:
        """Take in what all processes have recorded."""
        if self.folder is not None:
            self.kept = read_records(self.folder)

    def _open(self, folder: Path) -> None:
        if (folder / SETTINGS).exists():
            _check_same(self.settings, read_settings(folder), folder)
            self.read()
            _drop_torn_line(folder / self.name)
            return
        if folder.is_dir() and any(folder.iterdir()):
            todo = "pass a new folder, or the folder of this study"
            raise OutputError("a folder with other files", "a new or empty folder", todo, where=str(folder))
        write_atomically(folder / SETTINGS, (json.dumps(self.settings, indent=2) + "\n").encode())


def read_settings(folder: str | Path) -> dict[str, Any]:
    """Return the settings of the study in a folder.

    Raises:
        LoadError: when there is none, or the file is damaged.
    """
    path = Path(folder) / SETTINGS
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        got = (error.strerror or str(error)) if isinstance(error, OSError) else f"no JSON: {error}"
        todo = "pass the folder that the study was made in"
        raise LoadError(got, "the settings of a study", todo, where=str(path)) from error


def read_records(folder: str | Path) -> list[Record]:
    """Return the records in a folder, of all processes that wrote there, without last lines that were cut off.

    Raises:
        LoadError: for a line that is no record, naming it, and for a start recorded twice.
    """
    found: dict[tuple, Record] = {}
    for path in sorted(Path(folder).glob("records*.jsonl")):
        for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
            record = _parsed(line, f"{path}, line {number}")
            name = (record["family"], record["start"])
            if name in found:
                got, todo = f"start {name[1]} of {name[0]} a second time", "delete the line"
                raise LoadError(got, "every start once", todo, where=f"{path}, line {number}")
            found[name] = record
    return list(found.values())


def _parsed(line: bytes, where: str) -> Record:
    try:
        record = json.loads(line)
        if {"family", "start", "before", "after"} <= set(record):
            return record
    except (ValueError, TypeError):
        pass
    raise LoadError(f"{line[:40]!r}", "the JSON of a record", "restore the file, or delete the line", where=where)


def _check_same(wanted: dict, kept: dict, folder: Path) -> None:
    names = [name for name in {**kept, **wanted} if kept.get(name) != wanted.get(name)]
    if names:
        got = ", ".join(f"{name} {wanted.get(name)!r}" for name in names)
        expected = f"{', '.join(f'{name} {kept.get(name)!r}' for name in names)}, as in the folder"
        raise ArgumentError(got, expected, "use these settings, or another folder", where=str(folder))


def _drop_torn_line(path: Path) -> None:
    if path.exists():
        whole = path.read_bytes().rfind(b"\n") + 1
        if whole < path.stat().st_size:
            os.truncate(path, whole)


def _append(path: Path, content: bytes) -> None:
    """Append to a file and wait for the disk; on failure leave the file as it was."""
    before = path.stat().st_size if path.exists() else 0
    try:
        with open(path, "ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            os.truncate(path, before)
        got = f"{error.strerror or error} after {before} bytes of records"
        todo = "make room and run it again: it goes on with the starts that are not recorded"
        raise OutputError(got, "a disk with room for them", todo, where=str(path)) from error
