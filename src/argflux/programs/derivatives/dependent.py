"""Programs with a diagonal P whose active rows may depend on each other, a batch at once."""

import numpy as np

from argflux.programs.forms.arrays import joined
from argflux.programs.forms.blas import one_thread
from argflux.programs.forms.form import times, transposed_times

NULL = 1e-9


def solve_dependent(P, A, G, active, fixed, r1, r2, r3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least-norm solution of `P dx + C' ddual + dbound = r1`, `C dx = r2` on active rows, `dx = r3` on fixed variables.

    P is positive where a variable is free, so dx is unique, and ddual up to what `C'` takes to zero; in units in
    which the curvature is one and the largest entry of a row is one it has the least norm. Every array has the
    batch's length, or 1.
    """
    B, unit, across = _scaled(P, A, G, active, fixed)
    C, free, on = joined(A, G), fixed == 0, active > 0
    pinned = np.where(free, 0.0, r3)
    known = times(B, unit * r1) - np.where(on, r2 - times(C, pinned), 0.0) * across
    with one_thread(B.shape[1]):
        values, vectors = np.linalg.eigh(B @ B.mT)
    dual = _pseudo(values, vectors, known)
    dual = (dual + _pseudo(values, vectors, known - times(B, transposed_times(B, dual)))) * across
    pull = transposed_times(C, np.where(on, dual, 0.0))
    x = unit**2 * (r1 - pull) + pinned
    return x, dual, np.where(free, 0.0, r1 - P * x - pull)


def are_dependent(P, A, G, active, fixed) -> np.ndarray:
    """Which instances have active rows that depend on each other on the free variables."""
    if len(A) == 1 and _is_deficient(A[0]):  # with any of the columns
        return np.ones(max(map(len, (P, G, active, fixed))), bool)
    B, _, _ = _scaled(P, A, G, active, fixed)
    count, free = np.broadcast_arrays((active > 0).sum(1), (fixed == 0).sum(1))
    if not min(B.shape[1:]):
        return count > free
    with one_thread(B.shape[1]):
        sizes = np.linalg.svd(B, compute_uv=False)
    last = np.take_along_axis(sizes, np.clip(count - 1, 0, sizes.shape[1] - 1)[:, None], 1)[:, 0]
    return (count > free) | ((count > 0) & (last <= NULL * sizes[:, 0]))


def _is_deficient(A: np.ndarray) -> bool:
    """Whether some combination of all the rows is nothing."""
    sizes = np.linalg.norm(A, axis=1, keepdims=True)
    if not len(A) or not sizes.all():
        return bool(len(A))
    values = np.linalg.svd(A / sizes, compute_uv=False)
    return len(values) < len(A) or bool(values[-1] <= NULL * values[0])


def _scaled(P, A, G, active, fixed) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The active rows on the free variables in units, zero elsewhere, and the units of the variables and the rows."""
    free = fixed == 0
    unit = np.where(free, 1 / np.sqrt(np.where(free, P, 1.0)), 0.0)
    B = np.where(active[:, :, None] > 0, joined(A, G) * unit[:, None], 0.0)
    reach = np.abs(B).max(2, initial=0.0)
    across = np.where(reach > 0, 1 / np.where(reach > 0, reach, 1.0), 0.0)
    return B * across[:, :, None], unit, across


def _pseudo(values: np.ndarray, vectors: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The pseudo-inverse of what has these eigenvectors times vectors.

    An eigenvalue `s` of `B B'` makes `-2 s / (1 + √(1 + 4 s))` one of the whole system, which decides what is zero.
    """
    whole = 2 * values / (1 + np.sqrt(1 + 4 * np.maximum(values, 0.0)))
    most = (1 + np.sqrt(1 + 4 * values.max(1, keepdims=True, initial=0.0))) / 2
    kept = whole > NULL * most
    part = np.where(kept, transposed_times(vectors, right) / np.where(kept, values, 1.0), 0.0)
    return times(vectors, part)
