"""Coordinates of positive semidefinite matrices in which complementarity is diagonal."""

from typing import NamedTuple

import numpy as np

from argflux.programs.cones.triangles import matrix_of, triangle, vector_of

TINY, APART = 1e-300, 1e-9


class Spectral(NamedTuple):
    """Of positive semidefinite matrices: in the eigenvectors that slack and dual have in common."""

    part: np.ndarray
    sums: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, slack: np.ndarray, dual: np.ndarray) -> "Spectral":
        """From the two matrices; told by no number where their product is not near zero, as one is rounding then."""
        size = lambda M: np.maximum(np.abs(M).max((-1, -2), keepdims=True), TINY)
        S, Z = slack / size(slack), dual / size(dual)
        usable = np.max(np.abs(S @ Z), (-1, -2))[..., None] <= APART
        _, vectors = np.linalg.eigh(np.where(usable[..., None], S - Z, 0.0))
        ours, theirs = (np.maximum(np.sum(vectors * (M @ vectors), -2), 0.0) for M in (slack, dual))
        i, j = triangle(S.shape[-1])
        by_s, by_z = (v[..., i] + v[..., j] for v in (theirs, ours))
        part = by_z / (by_s + by_z)
        return cls(np.where(usable, part, np.nan), (by_s + by_z) / 2, vectors)

    @classmethod
    def at(cls, S: np.ndarray, Z: np.ndarray) -> tuple["Spectral", np.ndarray]:
        """The projection of `S - Z` and its derivative: the way there, in these coordinates."""
        usable = np.all(np.isfinite(S + Z), (-1, -2))[..., None]
        values, vectors = np.linalg.eigh(np.where(usable[..., None], S - Z, 0.0))
        i, j = triangle(S.shape[-1])
        high, low = values[..., i], values[..., j]
        part = np.where(high * low < 0, np.maximum(high, low) / np.abs(high - low), (high > 0) & (low > 0))
        frame = cls(np.where(usable, part, np.nan), np.ones(part.shape), vectors)
        there = vector_of(np.maximum(values, 0.0)[..., None] * np.eye(S.shape[-1]))
        return frame, there - vector_of(vectors.mT @ S @ vectors)

    def into(self, v: np.ndarray) -> np.ndarray:
        """The matrices between the eigenvectors."""
        if v.ndim == 3:
            return self._between(v, self.vectors.mT)
        columns, V = np.moveaxis(v, -1, 2), self.vectors[:, :, None]
        k = self.vectors.shape[-1]
        return np.moveaxis(vector_of(V.mT @ matrix_of(columns, k) @ V), 2, -1)

    def back(self, v: np.ndarray) -> np.ndarray:
        """The other way round."""
        return self._between(v, self.vectors)

    def ahead(self, r: np.ndarray) -> np.ndarray:
        """Divided by the sums."""
        return self.into(r) / self.sums

    def behind(self, v: np.ndarray) -> np.ndarray:
        """Divided by the sums."""
        return self.back(v / self.sums)

    def _between(self, v: np.ndarray, M: np.ndarray) -> np.ndarray:
        return vector_of(M @ matrix_of(v, self.vectors.shape[-1]) @ M.mT)
