"""What a file of a program holds, by the file's names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from argflux.errors import DataError

INFINITE = 1e20
"""Bounds and sides of rows as large as this are none, as HiGHS, CLP and SCIP have it."""


class Entries(NamedTuple):
    """Entries of a matrix: row, column and value of each."""

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, found: Sequence[tuple[int, int, float]]) -> "Entries":
        """Put entries in the order of rows, and of columns in a row."""
        ordered = sorted(found)
        rows, columns = (np.array([entry[k] for entry in ordered], np.int32) for k in (0, 1))
        return cls(rows, columns, np.array([entry[2] for entry in ordered], np.float64))


@dataclass(frozen=True)
class Contents:
    """`constant + cost'x + x'Qx/2` is to be small or large with `rhs + below <= Ax <= rhs + above`, `lower <= x <= upper`.

    Attributes:
        name: of the program.
        objective: name of the objective.
        maximised: whether the objective is to be large.
        constant: of the objective.
        columns: names of the unknowns.
        rows: names of the rows.
        cost: of each unknown.
        matrix: entries of the rows, those that are zero in the file too.
        rhs: right-hand sides.
        below: how far below its right-hand side a row may be: 0, negative or infinite.
        above: how far above it may be.
        lower: bounds of the unknowns.
        upper: bounds of the unknowns.
        quadratic: entries of Q, both triangles.
        integers: names of the columns that are to be integers.
        notes: what other readers of the format would read otherwise, and what was left out.
    """

    name: str
    objective: str
    maximised: bool
    constant: float
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    cost: np.ndarray
    matrix: Entries
    rhs: np.ndarray
    below: np.ndarray
    above: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    quadratic: Entries
    integers: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)


def broken(where: str, got: str, expected: str, todo: str = "correct the file") -> DataError:
    """The error for a file that is not what its format says."""
    return DataError(got, expected, todo, where=where)


def number(text: str, where: str, what: str = "a number") -> float:
    """Read a number, Fortran's exponents too; infinities are numbers here, NaN is not."""
    try:
        value = float(text.upper().replace("D", "E") if "d" in text.lower() and "inf" not in text.lower() else text)
    except ValueError:
        raise broken(where, repr(text), what) from None
    if value != value or "_" in text:
        raise broken(where, repr(text), what)
    return value


def finite(text: str, where: str, what: str) -> float:
    """Read a number that has to be finite."""
    value = number(text, where, what)
    if abs(value) >= INFINITE:
        raise broken(
            where, f"{what} of {text}", f"one below {INFINITE:g} in size", "correct it, or leave the entry out"
        )
    return value


def bounded(value: Any) -> Any:
    """The value, infinite where it is as large as the format's infinity."""
    return np.where(np.abs(value) >= INFINITE, np.copysign(np.inf, value), value)
