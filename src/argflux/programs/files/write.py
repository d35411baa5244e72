"""Contents written as MPS, or as QPS where the objective is quadratic: free format, every number to the last bit."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from argflux.errors import ArgumentError
from argflux.files import write_atomically
from argflux.programs.files.contents import Contents
from argflux.programs.files.read import kind_of

FAR = "1e30"


def write_contents(contents: Contents, path: Path) -> None:
    """Write a file, compressed where its name ends with `.gz`.

    Raises:
        ArgumentError: for another ending than `.mps` and `.qps`, and for names that hold spaces.
        OutputError: for a place that cannot be written to.
    """
    if kind_of(path) == "lp":
        got = f"the ending {path.suffix}"
        raise ArgumentError(got, ".mps or .qps", "LP files lose digits and names: write MPS", where=str(path))
    for name in (*contents.columns, *contents.rows, contents.objective):
        if name.split() != [name] and name:
            raise ArgumentError(f"the name {name!r}", "names without spaces", "rename it", where=str(path))
    text = "\n".join(_lines(contents)) + "\n"
    data = text.encode()
    write_atomically(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _lines(c: Contents) -> Iterator[str]:
    yield f"NAME {c.name}".rstrip()
    if c.maximised:
        yield from ("OBJSENSE", "    MAX")
    yield "ROWS"
    if c.objective:
        yield f" N  {c.objective}"
    yield from (f" {kind}  {row}" for kind, row in zip(_kinds(c), c.rows, strict=True))
    yield "COLUMNS"
    yield from _columns(c)
    yield "RHS"
    if c.constant:
        yield f"    RHS  {c.objective}  {_number(-c.constant)}"
    yield from (f"    RHS  {row}  {_number(v)}" for row, v in zip(c.rows, c.rhs, strict=True) if v)
    yield "RANGES"
    yield from _ranges(c)
    yield "BOUNDS"
    for column, lower, upper in zip(c.columns, c.lower, c.upper, strict=True):
        yield from (f" {kind}  BND  {column}{value}" for kind, value in _bounds(lower, upper))
    if len(c.quadratic.values):
        yield "QUADOBJ"
        lower = zip(*c.quadratic, strict=True)
        yield from (f"    {c.columns[j]}  {c.columns[i]}  {_number(v)}" for i, j, v in lower if i >= j)
    yield "ENDATA"


def _kinds(c: Contents) -> Iterator[str]:
    for below, above in zip(c.below, c.above, strict=True):
        yield "L" if np.isinf(below) else "G" if np.isinf(above) else "E"


def _columns(c: Contents) -> Iterator[str]:
    """The entries of each column; one that has none has a cost of zero, so that it is there."""
    order = np.argsort(c.matrix.columns, kind="stable")
    ends = np.searchsorted(c.matrix.columns[order], np.arange(len(c.columns) + 1))
    for k, column in enumerate(c.columns):
        places = order[ends[k] : ends[k + 1]]
        if c.objective and (c.cost[k] or not len(places)):
            yield f"    {column}  {c.objective}  {_number(c.cost[k])}"
        yield from (f"    {column}  {c.rows[c.matrix.rows[i]]}  {_number(c.matrix.values[i])}" for i in places)


def _ranges(c: Contents) -> Iterator[str]:
    for row, below, above in zip(c.rows, c.below, c.above, strict=True):
        if np.isfinite(below) and np.isfinite(above) and (below or above):
            yield f"    RNG  {row}  {_number(below or above)}"


def _bounds(lower: float, upper: float) -> Iterator[tuple[str, str]]:
    if lower == upper and np.isfinite(lower):
        yield "FX", f"  {_number(lower)}"
    elif np.isinf(lower) and np.isinf(upper) and lower < upper:
        yield "FR", ""
    else:
        if lower == -np.inf:
            yield "MI", ""
        elif lower or upper < 0:
            yield "LO", f"  {_number(lower)}"
        if upper < np.inf:
            yield "UP", f"  {_number(upper)}"


def _number(value: Any) -> str:
    """The shortest text that reads as the same number."""
    return repr(float(value)) if np.isfinite(value) else FAR if value > 0 else f"-{FAR}"
