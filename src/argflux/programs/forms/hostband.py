"""The condensed system of one long program on the host, by LAPACK, where a loop over its rows takes longer."""

from typing import Any

import numpy as np
from scipy.linalg import get_lapack_funcs
from scipy.sparse import csr_array

from argflux.programs.forms.pattern import Pattern

LONG = 300
dpbtrf, dtbtrs = get_lapack_funcs(("pbtrf", "tbtrs"))


def is_hosted(size: int, batch: int) -> bool:
    """Whether systems of this size, so many at a time, are for the host."""
    return size >= LONG and batch == 1


def factorised(H: np.ndarray, J: np.ndarray, weight: np.ndarray, *, condensed: Any, least: float) -> list[np.ndarray]:
    """What `Condensed.factorise` returns, by Cholesky; the identity where that fails."""
    left, right, sums = condensed.products
    J, scaled = J[:, 0], J[:, 0] * weight[:, 0].take(condensed.owner)
    entries = np.append(H[:, 0], 0.0).take(condensed.curved) + sums @ (scaled.take(left) * J.take(right))
    below = np.append(entries, 0.0).take(condensed.columns)
    diagonal = abs(below[:, 0])
    L, failed = dpbtrf(below.T, lower=1, overwrite_ab=1) if np.isfinite(entries).all() else (below.T, 1)
    if failed or not np.all(L[0] ** 2 > least * diagonal):
        size, width = below.shape
        return [np.zeros((size, width - 1, 1)), np.ones((size, 1)), np.zeros(1, np.int32)]
    return [(L[1:] / L[0]).T[:, :, None], (L[0] ** 2)[:, None], np.ones(1, np.int32)]


def solved(below: np.ndarray, pivots: np.ndarray, right: np.ndarray, *, condensed: Any) -> list[np.ndarray]:
    """What `Condensed.solve` returns."""
    return [_solver(below, pivots, condensed)(right[:, 0])[:, None]]


def refined(H, C, D, weight, below, pivots, r1, r2, *, condensed: Any, rounds: int, done: float):
    """Solve `H dx + C'dy = r1`, `C dx - D dy = r2` with rows eliminated by their weights; those of 0 are left out.

    Refinement ends after so many rounds, or where what is left is `done` times as large as what was given.
    """
    H, C = _matrix(H[:, 0], condensed.H), _matrix(C[:, 0], condensed.J)
    D, weight, r1, r2 = D[:, 0], weight[:, 0], r1[:, 0], np.where(weight[:, 0] > 0, r2[:, 0], 0.0)
    solve, across, largest = _solver(below, pivots, condensed), C.T, lambda a: abs(a).max(initial=0.0)
    dx, dy, e1, e2 = np.zeros(len(r1)), np.zeros(len(r2)), r1, r2
    for _ in range(rounds):
        more = solve(e1 + across @ (weight * e2))
        dx, dy = dx + more, dy + weight * (C @ more - e2)
        e1, e2 = r1 - H @ dx - across @ dy, np.where(weight > 0, r2 - C @ dx + D * dy, 0.0)
        if largest(e1) <= done * largest(r1) and largest(e2) <= done * largest(dx):
            break
    return [dx[:, None], dy[:, None]]


def _matrix(values: np.ndarray, pattern: Pattern) -> csr_array:
    """A matrix by its entries, row after row."""
    return csr_array((values, pattern.columns, pattern.starts), shape=(pattern.height, pattern.width))


def _solver(below: np.ndarray, pivots: np.ndarray, condensed: Any) -> Any:
    L = np.concatenate([np.ones((len(below), 1)), below[:, :, 0]], 1).T

    def solve(right: np.ndarray) -> np.ndarray:
        down = dtbtrs(L, right.take(condensed.order)[:, None], uplo="L", diag="U")[0]
        return dtbtrs(L, down / pivots, uplo="L", trans="T", diag="U")[0][:, 0].take(condensed.place)

    return solve
