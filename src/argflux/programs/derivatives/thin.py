"""Condensed systems of one instance whose matrices are sparse, by SuperLU."""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.sparse import block_array, csr_array, diags_array

from argflux.programs.cones.form import ConeForm
from argflux.programs.derivatives.framed import Frames
from argflux.programs.derivatives.picked import Picked
from argflux.programs.derivatives.systems import inverse_sizes, probe, sparse_factors
from argflux.programs.forms.pattern import Sparse

MOST, FULL = 2500, 0.01


class Factors(NamedTuple):
    """A symmetric matrix, what its rows and columns were multiplied by, and a function that solves with it."""

    K: Any
    scale: np.ndarray
    once: Callable[[np.ndarray], np.ndarray]

    @classmethod
    def of(cls, K: Any, n: int) -> "Factors":
        """Balance and factorise it; `n` rows are those of the curvature."""
        scale = np.sqrt(inverse_sizes(abs(K).max(1).toarray().ravel()))
        K = (diags_array(scale) @ K @ diags_array(scale)).tocsc()
        return cls(K, scale, _factorised(K, n))

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve, again for what is left; NaN where the matrix is singular."""
        known = right[0] * self.scale
        v = self.once(known)
        v = v + self.once(known - self.K @ v)
        return (v * self.scale)[None]

    def probed(self, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, and how large the answer to a random right-hand side is."""
        return self.solve(right), np.abs(self.once(probe(len(self.scale)))).max(keepdims=True)


def _factorised(K: Any, n: int) -> Callable[[np.ndarray], np.ndarray]:
    """Dense factors of small full matrices with a positive definite curvature, else sparse ones."""
    if n <= MOST and K[:n, :n].nnz >= FULL * n * n:
        with contextlib.suppress(np.linalg.LinAlgError):
            return _definite(K, n)
    with contextlib.suppress(RuntimeError):
        return sparse_factors(K).solve
    return lambda v: np.full(v.shape, np.nan)


def _definite(K: Any, n: int) -> Callable[[np.ndarray], np.ndarray]:
    """By Cholesky's method, and once more for what is left when x is eliminated."""
    over = {"check_finite": False, "lower": True}
    L = cholesky(K[:n, :n].toarray(order="F"), overwrite_a=True, **over)
    W = solve_triangular(L, K[:n, n:].toarray(order="F"), overwrite_b=True, **over)
    M = cholesky(W.T @ W - K[n:, n:], overwrite_a=True, **over)

    def solve(v: np.ndarray) -> np.ndarray:
        first = solve_triangular(L, v[:n], **over)
        last = cho_solve((M, True), W.T @ first - v[n:], check_finite=False)
        return np.concatenate([solve_triangular(L, first - W @ last, trans=1, **over), last])

    return solve


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
