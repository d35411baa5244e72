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
FILL = 0.1
STEPS = 4
ARRIVED = (1, 2, 4, 5)


class Symmetric:
    """A sparse symmetric matrix, scaled so that the largest entry of every row is near one.

    `crowded` says, before and after, that dense factors serve better than sparse ones.
    """

    def __init__(self, matrix: csc_array, dense: bool = False):
        self.crowded = dense
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
        return self.scale[:, None] * (self._least_norm(right) if least_norm else self._regular(right))

    def _regular(self, right: np.ndarray) -> np.ndarray:
        """By the factors of the matrix, or else the answer of least norm."""
        if self._inverse is None:
            self._inverse = self._factorise()
        if self._inverse is False:
            return self._shifted_solve(right)
        v = self._inverse(right)
        for _ in range(2):
            v = v + self._inverse(right - self.K @ v)
        return v if self._fits(v, right) else self._shifted_solve(right)

    def _least_norm(self, right: np.ndarray) -> np.ndarray:
        """By Krylov steps, which keep to the range of the matrix, where they arrive."""
        v = np.zeros_like(right)
        for j in range(right.shape[1]):
            if right[:, j].any():
                v[:, j], reason, *_ = lsmr(
                    self.K, right[:, j], atol=1e-14, btol=1e-14, conlim=0, maxiter=2 * len(right)
                )
                if reason not in ARRIVED:
                    return self._regular(right)
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
        """Return what applies K⁻¹, or `False` where K is singular; `crowded` says that sparse factors filled up."""
        size = self.K.shape[0]
        if size <= SMALL or self.crowded:
            return _dense(self.K)
        try:
            lu = splu(self.K, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.001, options={"SymmetricMode": True})
        except RuntimeError:
            return False
        self.crowded = size <= DENSE and lu.nnz > FILL * size**2
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
