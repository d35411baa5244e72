"""Units for saddle-point systems `[[P, C'], [C, 0]]`, dense or sparse. NumPy only."""

from typing import Any

import numpy as np
from scipy.sparse import csc_array

UNCURVED = 1e-12
ROUNDS = 3


def saddle_scale(P: Any, C: Any) -> np.ndarray:
    """Units of the unknowns, then of the rows, in which the curvature is one and the rows have entries near one.

    Unknowns without curvature are measured by what couples them to the others. Without any curvature rows and
    columns are balanced.
    """
    curve, size = P.diagonal(), abs(C)
    curved = curve > UNCURVED * curve.max(initial=0.0)
    unknowns = np.where(curved, 1 / np.sqrt(np.where(curved, curve, 1.0)), 0.0)
    if not curved.any():
        return _balanced(size)
    for _ in range(ROUNDS):
        reach = _largest(size, unknowns)
        known = np.where(reach > 0, reach, _largest(size, np.where(unknowns > 0, unknowns, 1.0)))
        rows = _inverse(known)
        unknowns = np.where(curved, unknowns, _inverse(_largest(size.T, rows)))
    return np.concatenate([unknowns, rows])


def _balanced(size: Any) -> np.ndarray:
    rows, unknowns = np.ones(size.shape[0]), np.ones(size.shape[1])
    for _ in range(ROUNDS):
        across, down = _largest(size, unknowns) * rows, _largest(size.T, rows) * unknowns
        rows, unknowns = rows * np.sqrt(_inverse(across)), unknowns * np.sqrt(_inverse(down))
    return np.concatenate([unknowns, rows])


def _largest(M: Any, weights: np.ndarray) -> np.ndarray:
    """Largest entries of the rows, the columns in units."""
    if not min(M.shape):
        return np.zeros(M.shape[0])
    if isinstance(M, np.ndarray):
        return (M * weights).max(1)
    return csc_array(M.multiply(weights[None, :])).max(axis=1).toarray().ravel()


def _inverse(v: np.ndarray) -> np.ndarray:
    return np.where(v > 0, 1 / np.where(v > 0, v, 1.0), 1.0)
