"""Units for the unknowns, the rows and the objective of one program, because solvers' tolerances are absolute.

Every host solver is handed `x = size · columns · x̃`, rows times `rows`, and an objective times `cost`, such that the
largest entries are near one. All units are powers of two, so that scaling itself rounds nothing.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse

from argflux.programs.forms.form import Form
from argflux.programs.forms.stencil import stencils

ROUNDS = 4
NEAR = 16.0


class Units(NamedTuple):
    """What the unknowns, the rows, the objective and the point as a whole are measured in."""

    columns: np.ndarray
    rows: np.ndarray
    cost: float = 1.0
    size: float = 1.0

    def x(self, x: np.ndarray) -> np.ndarray:
        """The user's x."""
        return x * (self.columns * self.size)

    def dual(self, dual: np.ndarray) -> np.ndarray:
        """The user's duals of the rows."""
        return dual * (self.rows / self.cost)

    def bound(self, bound: np.ndarray) -> np.ndarray:
        """The user's duals of the bounds."""
        return bound / (self.columns * self.cost)

    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What x, the duals of the rows and those of the bounds are measured in."""
        return self.columns * self.size, self.rows / self.cost, 1 / (self.columns * self.cost)


class Instance(NamedTuple):
    """The numbers of one program of a form with patterns: `values` of its matrices as stencils take them, `[b; h]`."""

    form: Form
    values: np.ndarray
    q: np.ndarray
    right: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def in_units(self, units: Units) -> "Instance":
        """The same program, measured in units."""
        rows, columns = stencils(self.form).places
        scale = np.concatenate(
            [units.columns * np.sqrt(units.cost * units.size), units.rows / np.sqrt(units.cost * units.size)]
        )
        values = self.values.copy()
        values[:-1] *= scale[rows] * scale[columns]
        width = units.columns * units.size
        vectors = units.cost * units.columns * self.q, self.right * (units.rows / units.size)
        return Instance(self.form, values, *vectors, self.lower / width, self.upper / width)


def power(v: Any) -> Any:
    """The power of two nearest to `1 / v`; one where v is zero."""
    v = np.asarray(v, np.float64)
    with np.errstate(divide="ignore"):
        return np.where((v > 0) & np.isfinite(v), np.exp2(-np.rint(np.log2(v))), 1.0)


def equilibrium(M: Any) -> tuple[np.ndarray, np.ndarray]:
    """Units of columns and rows that bring the largest entry of each near one; ones where they are near it already.

    Source:
        Ruiz, "A scaling algorithm to equilibrate both rows and columns norms in matrices" (2001).
    """
    size = abs(M)
    columns, rows = np.ones(M.shape[1]), np.ones(M.shape[0])
    if _is_near(_largest(size, 1)) and _is_near(_largest(size, 0)):
        return columns, rows
    for _ in range(ROUNDS):
        rows = np.sqrt(rows * _inverse(_largest(_by_columns(size, columns), 1)))
        columns = np.sqrt(columns * _inverse(_largest(_by_rows(size, rows), 0)))
    return power(1 / columns), power(_largest(_by_columns(size, columns), 1))


def sizes_of(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Sizes of programs' limits: how far zero is from them, or, if it meets them all, what they are like.

    Args:
        low: the least values of the unknowns and the rows of each program, in their units, `(programs, limits)`.
        high: the largest ones.
    """
    far = np.maximum(low.max(1, initial=0.0), -high.min(1, initial=0.0))
    given = np.concatenate([-low, high], 1)
    some = (given > 0) & np.isfinite(given)
    like = np.exp(np.log(np.where(some, given, 1.0)).sum(1) / np.maximum(some.sum(1), 1))
    return 1 / power(np.where(far > 0, far, like))


def _is_near(v: np.ndarray) -> bool:
    return v.max(initial=0.0) < NEAR and bool(np.all((v > 1 / NEAR) | (v == 0)))


def _inverse(v: np.ndarray) -> np.ndarray:
    return np.where(v > 0, 1 / np.where(v > 0, v, 1.0), 1.0)


def _largest(M: Any, axis: int) -> np.ndarray:
    if not issparse(M):
        return M.max(axis, initial=0.0)
    places = M.indices if axis == 0 else np.repeat(np.arange(M.shape[0]), np.diff(M.indptr))
    largest = np.zeros(M.shape[1 - axis])
    np.maximum.at(largest, places, M.data)
    return largest


def _by_columns(M: Any, columns: np.ndarray) -> Any:
    if issparse(M):
        return csr_array((M.data * columns[M.indices], M.indices, M.indptr), shape=M.shape)
    return M * columns


def _by_rows(M: Any, rows: np.ndarray) -> Any:
    if issparse(M):
        return csr_array((M.data * np.repeat(rows, np.diff(M.indptr)), M.indices, M.indptr), shape=M.shape)
    return M * rows[:, None]


def in_units(M: Any, units: Units) -> Any:
    """A matrix in units."""
    plain = np.all(units.columns == 1) and np.all(units.rows == 1)
    return M if plain else _by_rows(_by_columns(M, units.columns), units.rows)
