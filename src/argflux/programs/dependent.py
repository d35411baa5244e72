"""Programs with a diagonal P whose active rows may depend on each other: least-norm answers of a batch at once."""

import numpy as np

from argflux.programs.blas import one_thread

NULL = 1e-9


def solve_dependent(P, A, G, active, fixed, r1, r2, r3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve `P dx + C' ddual + dbound = r1`, `C dx = r2` on active rows, `dx = r3` on fixed variables.

    P is positive where a variable is free, so dx is unique, and ddual up to what `C'` takes to zero; in units in
    which the curvature is one and the largest entry of a row is one it has the least norm. Every array has the
    batch's length, or 1.
    """
    free, on = fixed == 0, active > 0
    C = np.concatenate(_alike(A, G), 1)
    unit = np.where(free, 1 / np.sqrt(np.where(free, P, 1.0)), 0.0)
    pinned = np.where(free, 0.0, r3)
    B = np.where(on[:, :, None], C * unit[:, None], 0.0)
    reach = np.abs(B).max(2, initial=0.0)
    across = np.where(reach > 0, 1 / np.where(reach > 0, reach, 1.0), 0.0)
    B = B * across[:, :, None]
    known = _times(B, unit * r1) - np.where(on, r2 - _times(C, pinned), 0.0) * across
    with one_thread(B.shape[1]):
        values, vectors = np.linalg.eigh(B @ B.mT)
    dual = _pseudo(values, vectors, known)
    dual = (dual + _pseudo(values, vectors, known - _times(B, _pulled(B, dual)))) * across
    pull = _pulled(C, np.where(on, dual, 0.0))
    x = unit**2 * (r1 - pull) + pinned
    return x, dual, np.where(free, 0.0, r1 - P * x - pull)


def _alike(A: np.ndarray, G: np.ndarray) -> list[np.ndarray]:
    size = max(len(A), len(G))
    return [np.broadcast_to(M, (size, *M.shape[1:])) for M in (A, G)]


def _pseudo(values: np.ndarray, vectors: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The pseudo-inverse of what has these eigenvectors times vectors.

    An eigenvalue `s` of `B B'` makes `-2 s / (1 + √(1 + 4 s))` one of the whole system, which decides what is zero.
    """
    whole = 2 * values / (1 + np.sqrt(1 + 4 * np.maximum(values, 0.0)))
    most = (1 + np.sqrt(1 + 4 * values.max(1, keepdims=True, initial=0.0))) / 2
    kept = whole > NULL * most
    part = np.where(kept, _pulled(vectors, right) / np.where(kept, values, 1.0), 0.0)
    return _times(vectors, part)


def _times(M: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (M @ v[:, :, None])[:, :, 0]


def _pulled(M: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (v[:, None] @ M)[:, 0]
