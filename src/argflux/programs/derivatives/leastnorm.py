"""Sparse saddle-point systems: their solution, that of least norm where they are singular, and their null spaces."""

from typing import Any

import numpy as np
from scipy.linalg import get_lapack_funcs
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from argflux.programs.derivatives.saddle import sparse_scale
from argflux.programs.forms.blas import one_thread

SINGULAR = 1e-11
EXACT = 1e-10
SHIFT, FIRM = 1e-6, 1e-4
STEPS = 60
NULL = 0.02
SMALL = 300
DENSE = 3000
CROWDED = 8


class Saddle:
    """A matrix `[[P, C'], [C, 0]]`, P positive semidefinite, in the units of `sparse_scale`.

    With `J = diag(I, -I)`, the steps `v += (K + εJ)⁻¹ (r - K v)` are the proximal method of multipliers. From zero they
    lead to the solution of least norm, if there is one, and leave of r what lies in the null space of K, if there is
    none. The shifted matrix has sparse factors whatever the order of its pivots.

    Args:
        K: the matrix, in SciPy's CSC form, with all of its diagonal.
        unknowns: size of P.

    Source:
        Rockafellar, "Augmented Lagrangians and applications of the proximal point algorithm" (1976); Vanderbei,
        "Symmetric quasidefinite matrices" (1995).
    """

    def __init__(self, K: Any, unknowns: int):
        self.unknowns, self.scale = unknowns, sparse_scale(K, unknowns)
        columns = np.repeat(np.arange(K.shape[0]), np.diff(K.indptr))
        values = K.data * self.scale[K.indices] * self.scale[columns]
        self.K: Any = csc_array((values, K.indices, K.indptr), shape=K.shape)
        self._diagonal = np.flatnonzero(K.indices == columns)
        self._inverse: Any = None
        self._null: Any = None
        self._shifted: dict[float, Any] = {}

    @property
    def size(self) -> int:
        """Number of entries of the factors."""
        return sum(factors.nnz for factors in self._shifted.values())

    def correct(self, right: np.ndarray, steps: int) -> np.ndarray:
        """What a few steps from zero make of one right-hand side, or factors of K itself where these do not arrive."""
        right = (self.scale * right)[:, None]
        v, left = self._steps(right, SHIFT, steps)
        if not _is_small(left, right):
            direct, rest = self._refined(right)
            v = direct if np.abs(rest).max() < np.abs(left).max() else v
        return self.scale * v[:, 0]

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve for right-hand sides in columns, by the least norm and least squares where K is singular."""
        if not right.any():
            return np.zeros_like(right)
        right = self.scale[:, None] * right
        v = self._least_norm(right) if any(self.null_parts()) else self._regular(right)
        return self.scale[:, None] * v

    def pivoted(self, right: np.ndarray) -> np.ndarray | None:
        """Solve for right-hand sides in columns by factors of K, whatever P is; `None` where K is singular."""
        right = self.scale[:, None] * right
        v, left = self._refined(right)
        largest = lambda a: np.abs(a).max(0, initial=0.0)
        good = self._inverse and np.all(largest(left) <= EXACT * (largest(right) + largest(v)))
        return self.scale[:, None] * v if good else None

    def null_parts(self) -> tuple[bool, bool]:
        """Whether the null space has a part among the unknowns, and one among the duals."""
        if self._null is None:
            left = self._steps(np.random.default_rng(0).normal(size=(self.K.shape[0], 2)))[1]
            size = lambda part: float(np.abs(part).max(initial=0.0))
            self._null = size(left[: self.unknowns]) > NULL, size(left[self.unknowns :]) > NULL
        return self._null

    def _regular(self, right: np.ndarray) -> np.ndarray:
        """By steps, or by factors of K itself where these do not arrive."""
        v, left = self._steps(right)
        direct = v if _is_small(left, right) else self._direct(right)
        return v if direct is None else direct

    def _least_norm(self, right: np.ndarray) -> np.ndarray:
        """Through `K v`, in which no part of the null space is left."""
        inside = lambda part: self._steps(self.K @ part, FIRM)[0]
        return inside(self._steps(inside(right), FIRM)[0])

    def _steps(self, right: np.ndarray, shift: float = SHIFT, steps: int = STEPS) -> tuple[np.ndarray, np.ndarray]:
        """Proximal steps from zero: where they lead, and what they leave of the right-hand side."""
        if shift not in self._shifted:
            self._shifted[shift] = symmetric_factors(self._moved(shift))
        v, left = np.zeros_like(right), right
        for _ in range(steps if right.size else 0):
            v = v + self._shifted[shift].solve(left)
            before, left = left, right - self.K @ v
            shrinks = np.abs(left).max() < np.abs(before).max() / 2
            if not shrinks if _is_small(left, right) else _is_small(left - before, right):
                break
        return v, left

    def _moved(self, shift: float) -> csc_array:
        """`K + εJ`."""
        values = self.K.data.copy()
        values[self._diagonal] += np.where(np.arange(self.K.shape[0]) < self.unknowns, shift, -shift)
        return csc_array((values, self.K.indices, self.K.indptr), shape=self.K.shape)

    def _direct(self, right: np.ndarray) -> np.ndarray | None:
        """By factors of K itself; `None` where it is singular."""
        v, left = self._refined(right)
        return v if _is_small(left, right) else None

    def _refined(self, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What factors of K make of right-hand sides, and what they leave; zero where K has none."""
        if self._inverse is None:
            self._inverse = self._factorise()
        v, left = np.zeros_like(right), right
        for _ in range(3 if self._inverse else 0):
            v = v + self._inverse(left)
            left = right - self.K @ v
        return v, left

    def _is_dense(self) -> bool:
        """Whether dense factors are as good, as the matrix is small or sparse ones would fill up."""
        size = self.K.shape[0]
        return size <= SMALL or (size <= DENSE and self.K.nnz > CROWDED * size)

    def _factorise(self):
        """Return what applies K⁻¹, or `False` where K is singular."""
        if self._is_dense():
            return _dense(self.K)
        try:
            lu = splu(self.K)
        except RuntimeError:
            return False
        pivots = np.abs(lu.U.diagonal())
        return lu.solve if pivots.min() > SINGULAR * pivots.max() else False


def symmetric_factors(matrix: Any) -> Any:
    """Factors of a symmetric matrix with pivots on its diagonal, in an order that keeps them sparse."""
    options = {"SymmetricMode": True}
    return splu(csc_array(matrix), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)


def _is_small(part: np.ndarray, whole: np.ndarray, tolerance: float = EXACT) -> bool:
    """Whether every column is small beside the same one of the whole."""
    return bool(np.all(np.abs(part).max(0, initial=0.0) <= tolerance * np.abs(whole).max(0, initial=0.0)))


def _dense(K: Any):
    dgetrf, dgetrs = get_lapack_funcs(("getrf", "getrs"))
    with one_thread(K.shape[0]):
        lu, order, _ = dgetrf(K.toarray())
    pivots = np.abs(np.diagonal(lu))
    return (lambda right: dgetrs(lu, order, right)[0]) if pivots.min() > SINGULAR * pivots.max() else False
