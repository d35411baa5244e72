"""The cone of positive semidefinite matrices, as vectors of their lower triangles."""

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from argflux.programs.cones.cone import Cone, Equations
from argflux.programs.cones.frames import Frame
from argflux.programs.cones.spectral import Spectral
from argflux.programs.cones.triangles import matrix_of, places_of, triangle, vector_of
from argflux.programs.forms.arrays import namespace


@dataclass(frozen=True)
class Semidefinite(Cone):
    """`k (k + 1) / 2` rows whose slacks are a positive semidefinite matrix with `k` rows.

    They are its lower triangle column by column, entries off the diagonal times √2, so that the inner product of two
    such vectors is that of the matrices.

    Example:
        >>> from argflux.programs import cones
        >>> cones.Semidefinite(3).rows
        6
    """

    k: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.k * (self.k + 1) // 2

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the entries of two triangles share a row or column of the matrix."""
        made = _product(self.k)
        return made.rows, made.columns

    def violation(self, s: np.ndarray) -> np.ndarray:
        """How far the least eigenvalue is below zero."""
        return np.maximum(-np.linalg.eigvalsh(matrix_of(s, self.k)).min(-1, initial=0.0), 0.0)

    def dual_violation(self, z: np.ndarray) -> np.ndarray:
        """The same; the cone is its own dual."""
        return self.violation(z)

    def faces(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """One for all: the equations tell the ranks by themselves."""
        return np.zeros(s.shape[:-1], np.int32)

    def strictness(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """By the eigenvalues, the least of one with the largest of the other."""
        low, high = np.linalg.eigvalsh(matrix_of(s, self.k)), np.linalg.eigvalsh(matrix_of(z, self.k))
        return np.maximum(low, high[..., ::-1]).min(-1, initial=np.inf)

    def equations(self, s: Any, z: Any, face: Any) -> Equations:
        """The symmetric product `(S Z + Z S) / 2`."""
        made = _product(self.k)
        by_s, by_z = made.values(z), made.values(s)
        return Equations(made.times(by_s, s), by_s, by_z)

    def frame(self, by_s: np.ndarray, by_z: np.ndarray) -> Frame:
        """The eigenvectors that both matrices have in common."""
        made, unit = _product(self.k), vector_of(np.eye(self.k))
        return Spectral.of(*[matrix_of(made.times(by, unit), self.k) for by in (by_z, by_s)])

    def meeting(self, s: np.ndarray, z: np.ndarray, face: np.ndarray) -> tuple[Frame, np.ndarray]:
        """Those of the projection of `s - z`."""
        return Spectral.at(matrix_of(s, self.k), matrix_of(z, self.k))


class _Product(NamedTuple):
    """The matrices that take the symmetric product with a given matrix: each entry is a sum of two of its own."""

    rows: np.ndarray
    columns: np.ndarray
    sources: np.ndarray
    weights: np.ndarray
    side: int

    def values(self, v: Any) -> Any:
        first, second = self.sources
        one, two = self.weights.astype(v.dtype)
        return one * v[..., first] + two * v[..., second]

    def times(self, values: Any, s: Any) -> Any:
        """Such a matrix times a vector; its rows are sorted."""
        terms = values * s[..., self.columns]
        if isinstance(terms, np.ndarray):
            starts = np.searchsorted(self.rows, np.arange(s.shape[-1]))
            return np.add.reduceat(terms, starts, -1) if len(starts) else terms
        return namespace(s).zeros_like(s).at[..., self.rows].add(terms)


@functools.cache
def _product(k: int) -> _Product:
    size, place = k * (k + 1) // 2, places_of(k)
    i, j = triangle(k)
    i, j, inner = np.repeat(i, k), np.repeat(j, k), np.tile(np.arange(k), size)
    weigh = lambda a, b: np.where(a == b, 1.0, np.sqrt(2.0))
    weight = 0.5 * weigh(i, j) / (weigh(i, inner) * weigh(inner, j))
    left, right = place[i, inner], place[inner, j]
    entry = np.tile(place[i, j], 2) * size + np.concatenate([right, left])
    source = np.concatenate([left, right])
    terms, which = np.unique(entry * size + source, return_inverse=True)
    weights = np.bincount(which, np.tile(weight, 2))
    entries, first, counts = np.unique(terms // max(size, 1), return_index=True, return_counts=True)
    second = np.where(counts > 1, first + 1, first)
    sources = (np.stack([terms[first], terms[second]]) % max(size, 1)).astype(np.int32)
    return _Product(
        (entries // max(size, 1)).astype(np.int32),
        (entries % max(size, 1)).astype(np.int32),
        sources,
        np.stack([weights[first], np.where(counts > 1, weights[second], 0.0)]),
        k,
    )
