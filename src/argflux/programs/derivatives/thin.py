"""Condensed systems of one instance whose matrices are sparse, by SuperLU."""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import block_array, csr_array, diags_array

from argflux.programs.cones.form import ConeForm
from argflux.programs.derivatives.framed import Frames
from argflux.programs.derivatives.picked import Picked
from argflux.programs.derivatives.systems import inverse_sizes, probe, sparse_factors
from argflux.programs.forms.pattern import Sparse


class Factors(NamedTuple):
    """A symmetric matrix, its factors and what its rows and columns were multiplied by; `None` if it is singular."""

    K: Any
    factors: Any
    scale: np.ndarray

    @classmethod
    def of(cls, K: Any) -> "Factors":
        """Balance and factorise it."""
        scale = np.sqrt(inverse_sizes(abs(K).max(1).toarray().ravel()))
        K = (diags_array(scale) @ K @ diags_array(scale)).tocsc()
        try:
            return cls(K, sparse_factors(K), scale)
        except RuntimeError:
            return cls(K, None, scale)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve, again for what is left; NaN where the matrix is singular."""
        if self.factors is None:
            return np.full(right.shape, np.nan)
        known = right[0] * self.scale
        v = self.factors.solve(known)
        v += self.factors.solve(known - self.K @ v)
        return (v * self.scale)[None]

    def probed(self, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, and how large the answer to a random right-hand side is."""
        if self.factors is None:
            return np.full(right.shape, np.nan), np.full(1, np.inf)
        return self.solve(right), np.abs(self.factors.solve(probe(len(self.scale)))).max(keepdims=True)


def thin_matrix(form: ConeForm, P: Any, A: Any, frames: Frames, weight: Any, low: Any, rows: Picked) -> Any:
    """`[[P + A' W A, G'], [G, -low]]` of one instance in SciPy's form."""
    A = _turning(frames) @ _matrix(A)
    bent = np.flatnonzero(weight[0] > 0)
    B = A[bent]
    H = B.T @ (diags_array(weight[0, bent]) @ B)
    if form.curvature == "diagonal":
        H = H + diags_array(P[0])
    elif form.curvature != "none":
        P = _matrix(P)
        H = H + (P + P.T) / 2
    on = rows.places[0]
    return block_array([[H, A[on].T], [A[on], diags_array(-low[0, on])]], format="csc")


def _matrix(M: Any) -> Any:
    if not isinstance(M, Sparse):
        return csr_array(M[0])
    pattern = M.pattern
    return csr_array((M.values[0], (pattern.rows, pattern.columns)), shape=(pattern.height, pattern.width))


def _turning(frames: Frames) -> Any:
    """The matrix that takes the rows of cones into their coordinates."""
    size, parts = frames.product.rows, []
    for group, frame in zip(frames.product.groups, frames.frames, strict=True):
        count, k = group.rows.shape
        block = frame.into(np.broadcast_to(np.eye(k), (1, count, k, k)).copy())
        i, j = (
            np.broadcast_to(group.rows[:, :, None], block.shape[1:]),
            np.broadcast_to(group.rows[:, None], block.shape[1:]),
        )
        parts.append((block.ravel(), i.ravel(), j.ravel()))
    values, i, j = (np.concatenate(part) for part in zip(*parts, strict=True))
    return csr_array((values, (i, j)), shape=(size, size))
