"""Linear systems with a sparse symmetric matrix: its inverse where it has one, else the answer of least norm."""

from typing import Any

import numpy as np
from scipy.linalg import get_lapack_funcs
from scipy.sparse import csc_array, diags_array, eye_array
from scipy.sparse.linalg import lsmr, splu

SINGULAR = 1e-11
EXACT = 1e-10
SHIFT = 1e-6
SMALL = 300
DENSE = 3000
CROWDED = 8
STEPS = 4
ARRIVED = (1, 2, 4, 5)


class Symmetric:
    """A sparse symmetric matrix, scaled so that the largest entry of every row is near one."""

    def __init__(self, matrix: csc_array):
        self.scale = _equilibrate(matrix)
        scaling = diags_array(self.scale)
        self.K: Any = csc_array(scaling @ matrix @ scaling)
        self._inverse: Any = None
        self._shifted: Any = None

    def solve(self, right: np.ndarray, least_norm: bool) -> np.ndarray:
        """Solve for right-hand sides in columns; with `least_norm` the matrix may well be singular."""
        if not right.shape[0]:
            return right
        right = self.scale[:, None] * right
        ways = [self._krylov, self._regular] if least_norm else [self._regular, self._krylov]
        found = next((v for v in (way(right) for way in ways) if v is not None), None)
        return self.scale[:, None] * (self._shifted_solve(right) if found is None else found)

    def _regular(self, right: np.ndarray) -> np.ndarray | None:
        """By the factors of the matrix, `None` where it is singular."""
        if self._inverse is None:
            self._inverse = self._factorise()
        if self._inverse is False:
            return None
        v = self._inverse(right)
        for _ in range(2):
            v = v + self._inverse(right - self.K @ v)
        return v if self._fits(v, right) else None

    def _krylov(self, right: np.ndarray) -> np.ndarray | None:
        """By Krylov steps, which keep to the range of the matrix; `None` where they do not arrive."""
        v, limit = np.zeros_like(right), 2 * len(right)
        for j in np.flatnonzero(right.any(0)):
            v[:, j], reason, *_ = lsmr(self.K, right[:, j], atol=1e-14, btol=1e-14, conlim=0, maxiter=limit)
            if reason not in ARRIVED:
                return None
        return v

    def _shifted_solve(self, right: np.ndarray) -> np.ndarray:
        """`Re (K + iεI)⁻¹ r = K (K² + ε²I)⁻¹ r`, iterated: the pseudo-inverse as ε goes to zero."""
        if self._shifted is None:
            self._shifted = splu(csc_array(self.K + SHIFT * 1j * eye_array(self.K.shape[0])))
        v = np.zeros_like(right)
        for _ in range(STEPS):
            v = v + self._shifted.solve((right - self.K @ v).astype(complex)).real
        return v

    def _factorise(self):
        """Return what applies K⁻¹, or `False` where K is singular; dense factors where sparse ones would fill up."""
        size = self.K.shape[0]
        if size <= SMALL or (size <= DENSE and self.K.nnz > CROWDED * size):
            return _dense(self.K)
        try:
            lu = splu(self.K, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.001, options={"SymmetricMode": True})
        except RuntimeError:
            return False
        pivots = np.abs(lu.U.diagonal())
        return lu.solve if pivots.min() > SINGULAR * pivots.max() else False

    def _fits(self, v: np.ndarray, right: np.ndarray) -> bool:
        wrong = np.abs(right - self.K @ v).max(0, initial=0.0)
        return bool(np.all(wrong <= EXACT * np.abs(right).max(0, initial=0.0)))


def _dense(K: Any):
    dgetrf, dgetrs = get_lapack_funcs(("getrf", "getrs"))
    lu, order, _ = dgetrf(K.toarray())
    pivots = np.abs(np.diagonal(lu))
    return (lambda right: dgetrs(lu, order, right)[0]) if pivots.min() > SINGULAR * pivots.max() else False


def _equilibrate(matrix: Any) -> np.ndarray:
    size = abs(matrix).tocsr()
    scale = np.ones(matrix.shape[0])
    for _ in range(3):
        scaled = diags_array(scale) @ size @ diags_array(scale)
        largest = scaled.max(axis=1).toarray().ravel() if scaled.shape[0] else scale
        scale = scale * np.where(largest > 0, 1 / np.sqrt(np.where(largest > 0, largest, 1.0)), 1.0)
    return scale
