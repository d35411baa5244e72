"""Files of programs opened: which format they are in, and what of it cannot be solved here."""

import dataclasses
from pathlib import Path

from argflux.data.idx import read_bytes
from argflux.errors import ArgumentError, DataError
from argflux.programs.files.contents import Contents
from argflux.programs.files.lp import read_lp
from argflux.programs.files.mps import read_mps

KINDS = {".mps": "mps", ".qps": "mps", ".lp": "lp"}


def kind_of(path: Path) -> str:
    """The format that the ending of a path says, "mps" or "lp"."""
    ending = Path(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    if ending.lower() not in KINDS:
        got = f"the ending {ending}" if ending else "a path without an ending"
        raise ArgumentError(got, ".mps, .qps or .lp, with .gz behind it or not", "rename the file", where=str(path))
    return KINDS[ending.lower()]


def read_contents(path: Path, relax: bool) -> Contents:
    """Read a file, compressed or not.

    Raises:
        ArgumentError: for another ending.
        DataError: for what is no such file, naming the line, and for integer columns unless they are to be relaxed.
    """
    kind, content = kind_of(path), read_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    found = {"mps": read_mps, "lp": read_lp}[kind](text, str(path))
    if not found.columns:
        raise DataError("no columns", "at least one", "check that this is the file you meant", where=str(path))
    if found.integers and not relax:
        some = ", ".join(found.integers[:5]) + (", …" if len(found.integers) > 5 else "")
        got = f"{len(found.integers)} columns that are to be integers or semicontinuous: {some}"
        raise DataError(got, "columns of real numbers", "pass relax=True to let them be real", where=str(path))
    if found.integers:
        note = f"{len(found.integers)} columns that were to be integers or semicontinuous are real within their bounds"
        found = dataclasses.replace(found, integers=(), notes=(*found.notes, note))
    return found
