"""Sparse saddle-point systems of which the curvature need be positive along the rows only. NumPy only."""

import functools
from typing import Any

import numpy as np
from scipy.sparse import csc_array

from argflux.programs.derivatives.leastnorm import Saddle

WEIGHT = 10.0


class BentSaddle:
    """A matrix `[[P, C'], [C, 0]]` as at a minimiser of a nonlinear program, where P may be indefinite.

    Pivoting solves it where it is regular. Where it is not, `M'K v = M'r` has the same solutions for
    `M = [[I, 0], [RC, I]]`: the curvature `P + C'RC` is positive semidefinite if R is large, as the proximal steps
    of `Saddle` want it.

    Example:
        >>> K = csc_array(np.array([[-1.0, 1.0], [1.0, 0.0]]))
        >>> BentSaddle(K, 1).solve(np.array([[1.0], [2.0]])).tolist()
        [[2.0], [3.0]]
    """

    def __init__(self, K: Any, unknowns: int):
        """`K` is in SciPy's CSC form, `unknowns` the size of P."""
        self.K, self.unknowns = K, unknowns
        self.straight = Saddle(with_diagonal(K.tocoo()), unknowns)

    @property
    def size(self) -> int:
        """Number of entries of what is kept."""
        return self.K.nnz

    def correct(self, right: np.ndarray, _: int) -> np.ndarray:
        """Solve for one right-hand side."""
        return self.solve(right[:, None])[:, 0]

    def null_parts(self) -> tuple[bool, bool]:
        """Whether the null space has a part among the unknowns, and one among the duals."""
        return self._raised[1].null_parts()

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve for right-hand sides in columns, by the least norm and least squares where K is singular."""
        found = self.straight.pivoted(right)
        if found is not None:
            return found
        (rise, raised), (top, low) = self._raised, np.split(right, [self.unknowns])
        return raised.solve(np.concatenate([top + rise @ low, low]))

    @functools.cached_property
    def _raised(self) -> tuple[Any, Saddle]:
        """`C'R`, and the system with the curvature that it adds."""
        n = self.unknowns
        C, curvature = self.K[n:, :n], np.abs(self.K[:n, :n].data).max(initial=0.0)
        norms = np.asarray((C * C).sum(1)).ravel()
        weight = WEIGHT * (curvature or 1.0) / np.where(norms > 0, norms, 1.0)
        rise = C.T * weight
        added = (rise @ C).tocoo()
        return rise, Saddle(with_diagonal(self.K.tocoo(), added), n)


def with_diagonal(*parts: Any) -> csc_array:
    """The sum of matrices, the first of them the largest, with all of its diagonal stored."""
    own = np.arange(parts[0].shape[0])
    rows, columns = (np.concatenate([own, *(part.coords[k] for part in parts)]) for k in range(2))
    values = np.concatenate([np.zeros(len(own)), *(part.data for part in parts)])
    return csc_array((values, (rows, columns)), shape=parts[0].shape)
