"""Batches of square systems, factorised on the host: dense, thin or of least norm."""

import contextlib
import functools
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

CUT = 1e-10
ROUNDING = 1e-14
WIDE, THIN, PIVOT = 150, 0.1, 0.1


class Systems(NamedTuple):
    """Matrices, the largest entry of each row one, a batch of them, and what the rows were multiplied by."""

    K: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, K: np.ndarray) -> "Systems":
        """Takes the matrices over."""
        rows = inverse_sizes(np.maximum(K.max(2, initial=0.0), -K.min(2, initial=0.0)))
        K *= rows[:, :, None]
        return cls(K, rows)

    def picked(self, which: np.ndarray) -> "Systems":
        """Some of the systems."""
        return Systems(self.K[which], self.rows[which])

    def columns(self) -> np.ndarray:
        """What makes the largest entry of each column one."""
        return inverse_sizes(np.maximum(self.K.max(1, initial=0.0), -self.K.min(1, initial=0.0)))

    def solve(self, right: np.ndarray, transposed: bool = False) -> np.ndarray:
        """Solve regular systems, again for what is left where that is not rounding; NaN where they are singular."""
        K, known = (self.K.mT, right) if transposed else (self.K, right * self.rows)
        v = _solved(K, known[:, :, None])[:, :, 0]
        left = known - (K @ v[:, :, None])[:, :, 0]
        rough = ~(np.abs(left).max(1, initial=0.0) <= ROUNDING * np.abs(v).max(1, initial=0.0))
        if rough.any():
            v[rough] += _solved(K[rough], left[rough, :, None])[:, :, 0]
        return v * self.rows if transposed else v

    def probed(self, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, not refined, and how large the answer to a random right-hand side is in balanced units."""
        noise = np.broadcast_to(probe(self.K.shape[1]), right.shape)
        v = _solved(self.K, np.stack([right * self.rows, noise], 2))
        return v[:, :, 0], np.abs(v[:, :, 1] / self.columns()).max(1, initial=0.0)

    def least(self, right: np.ndarray, transposed: bool = False) -> np.ndarray:
        """The solutions of least norm, in balanced units."""
        columns = self.columns()
        K, into, out = self.K * columns[:, None], self.rows, columns
        if transposed:
            K, into, out = K.mT, out, into
        found = np.full(right.shape, np.nan)
        for i in np.flatnonzero(np.isfinite(K).all((1, 2))):
            found[i] = np.linalg.lstsq(K[i], right[i] * into[i], CUT)[0] * out[i]
        return found


@functools.cache
def probe(size: int) -> np.ndarray:
    """A random right-hand side."""
    return np.random.default_rng(0).normal(size=size)


def _solved(K: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve systems with right-hand sides in columns; NaN where a matrix is singular exactly."""
    if K.shape[1] >= WIDE and np.count_nonzero(K[0]) < THIN * K[0].size:
        return _solved_thin(K, right)
    try:
        return np.linalg.solve(K, right)
    except np.linalg.LinAlgError:
        found = np.full(right.shape, np.nan)
        for i, matrix in enumerate(K):
            with contextlib.suppress(np.linalg.LinAlgError):
                found[i] = np.linalg.solve(matrix, right[i])
        return found


def _solved_thin(K: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The same by sparse factors, of entries that are not zero in all of the matrices."""
    columns, rows = np.nonzero((K != 0).any(0).T)
    starts = np.searchsorted(columns, np.arange(K.shape[1] + 1)).astype(np.int32)
    found, values = np.full(right.shape, np.nan), np.ascontiguousarray(K[:, rows, columns])
    made = csc_array((values[0], rows.astype(np.int32), starts), shape=K.shape[1:])
    for i, made.data in enumerate(values):
        with contextlib.suppress(RuntimeError):
            found[i] = sparse_factors(made).solve(right[i])
    return found


def sparse_factors(K: Any) -> Any:
    """Factors with few entries: patterns are nearly symmetric; pivots stay on the diagonal unless they are small."""
    return splu(K, "MMD_AT_PLUS_A", PIVOT, options={"SymmetricMode": True})


def inverse_sizes(size: np.ndarray) -> np.ndarray:
    """One over what is positive, else one."""
    return 1 / np.where(size > 0, size, 1.0)
