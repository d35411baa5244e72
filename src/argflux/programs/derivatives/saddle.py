"""Units for saddle-point systems `[[P, C'], [C, 0]]`, dense or sparse. NumPy only."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import get_lapack_funcs

UNCURVED, REGULAR = 1e-12, 1e-8
ROUNDS = 3
dgetrf, dgetrs, dgecon = get_lapack_funcs(("getrf", "getrs", "gecon"))


class Factored:
    """The matrix `[[P, C'], [C, 0]]` in units, dense, with its factors where it is regular.

    Example:
        >>> pair = Factored(np.zeros((1, 1)), np.ones((1, 1)))
        >>> pair.regular, pair.solve(np.array([[1.0, 2.0]])).tolist()
        (True, [[2.0, 1.0]])
    """

    def __init__(self, P: np.ndarray, C: np.ndarray):
        self.scale = saddle_scale(P, C)
        K = np.block([[P, C.T], [C, np.zeros((len(C), len(C)))]])
        self.K = K * self.scale[:, None] * self.scale
        self.regular = False
        if len(C) <= len(P) > 0 and np.isfinite(self.K).all():
            self._lu, self._order, info = dgetrf(self.K)
            self.regular = not info and dgecon(self._lu, np.abs(self.K).sum(0).max(initial=0.0))[0] > REGULAR

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve for each row of right-hand sides."""
        scaled = (right * self.scale).T
        v = dgetrs(self._lu, self._order, scaled)[0]
        v = v + dgetrs(self._lu, self._order, scaled - self.K @ v)[0]
        return v.T * self.scale


def saddle_scale(P: np.ndarray, C: np.ndarray) -> np.ndarray:
    """Units of the unknowns, then of the rows, in which the curvature is one and the rows have entries near one.

    Unknowns without curvature are measured by what couples them to the others. Without any curvature rows and
    columns are balanced.
    """
    size = abs(C)
    across = lambda unknowns: (size * unknowns).max(1, initial=0.0)
    down = lambda rows: (size * rows[:, None]).max(0, initial=0.0)
    return _scale(P.diagonal(), len(C), across, down)


def sparse_scale(K: Any, unknowns: int) -> np.ndarray:
    """The same of the whole matrix in SciPy's CSC form, with all of its diagonal, or of its part in some columns."""
    size, starts, (n, k) = abs(K.data), K.indptr[:-1], (unknowns, K.shape[0] - unknowns)

    def reach(weights: np.ndarray) -> np.ndarray:
        return np.maximum.reduceat(size * weights[K.indices], starts) if len(starts) else np.zeros(0)

    across = lambda units: reach(np.concatenate([units, np.zeros(k)]))[n:]
    down = lambda rows: reach(np.concatenate([np.zeros(n), rows]))[:n]
    return _scale(K.diagonal()[:n], k, across, down)


def _scale(curve: np.ndarray, rows: int, across: Callable, down: Callable) -> np.ndarray:
    """From the diagonal of P, and the largest entries of the rows and the columns of C, the others in units."""
    curved = curve > UNCURVED * curve.max(initial=0.0)
    unknowns = np.where(curved, 1 / np.sqrt(np.where(curved, curve, 1.0)), 0.0)
    if not curved.any():
        return _balanced(len(curve), rows, across, down)
    bare = not curved.all()
    for _ in range(ROUNDS):
        reach = across(unknowns)
        if bare:
            reach = np.where(reach > 0, reach, across(np.where(unknowns > 0, unknowns, 1.0)))
        inverse = _inverse(reach)
        if not bare:
            return np.concatenate([unknowns, inverse])
        unknowns = np.where(curved, unknowns, _inverse(down(inverse)))
    return np.concatenate([unknowns, inverse])


def _balanced(n: int, k: int, across: Callable, down: Callable) -> np.ndarray:
    rows, unknowns = np.ones(k), np.ones(n)
    for _ in range(ROUNDS):
        wide, high = across(unknowns) * rows, down(rows) * unknowns
        rows, unknowns = rows * np.sqrt(_inverse(wide)), unknowns * np.sqrt(_inverse(high))
    return np.concatenate([unknowns, rows])


def _inverse(v: np.ndarray) -> np.ndarray:
    return np.where(v > 0, 1 / np.where(v > 0, v, 1.0), 1.0)
