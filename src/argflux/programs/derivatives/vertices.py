"""Optimality systems of linear programs at vertices, where rows and bounds alone say how x moves: a batch at once."""

import numpy as np

from argflux.programs.forms.arrays import joined
from argflux.programs.forms.form import times, transposed_times

WELL_CONDITIONED = 1e10


def solve_vertices(A, G, active, fixed, wanted: np.ndarray, right: list, answer: tuple) -> np.ndarray:
    """Solve `C' ddual + dbound = r1`, `C dx = r2` on active rows, `dx = r3` on fixed variables, where `wanted`.

    Args:
        A: `(1 or batch, p, n)`; all arrays have a leading axis 1 or batch.
        G: `(1 or batch, m, n)`.
        active: flags of the rows of `[A; G]`.
        fixed: flags of the variables.
        wanted: `(batch,)`.
        right: r1 `(batch, n)`, r2 `(batch, p + m)`, r3 `(batch, n)`.
        answer: dx, ddual, dbound, written in place.

    Returns:
        Which instances were solved: those with as many active rows as free variables, which determine each other.
    """
    batch, C = len(wanted), joined(A, G)
    on, free = (np.broadcast_to(a, (batch, a.shape[1])) for a in (active > 0, fixed == 0))
    counts, done = on.sum(1), np.zeros(batch, bool)
    square = wanted & (counts == free.sum(1))
    for count in np.unique(counts[square]):
        which = np.flatnonzero(square & (counts == count))
        some = C[which] if len(C) > 1 else C
        parts = _solve_square(some, on[which], free[which], count, *(r[which] for r in right))
        if parts is None:
            continue
        *found, good = parts
        done[which] = good
        for whole, part in zip(answer, found, strict=True):
            whole[which[good]] = part[good]
    return done


def _solve_square(C, on, free, count: int, r1, r2, r3) -> tuple | None:
    """The same for instances with `count` active rows and free variables; which of the answers are good."""
    shape, each = (len(on), count), np.arange(len(on))[:, None]
    rows, columns = np.nonzero(on)[1].reshape(shape), np.nonzero(free)[1].reshape(shape)
    M = C[np.arange(len(on))[:, None, None] % len(C), rows[:, :, None], columns[:, None]]
    try:
        inverse = np.linalg.inv(M)
    except np.linalg.LinAlgError:
        return None
    x, dual = np.where(free, 0.0, r3), np.zeros(r2.shape)
    below, slope = (r2 - times(C, x))[each, rows], r1[each, columns]
    dx, dy = times(inverse, below), transposed_times(inverse, slope)
    x[each, columns] = dx + times(inverse, below - times(M, dx))
    dual[each, rows] = dy + transposed_times(inverse, slope - transposed_times(M, dy))
    bound = np.where(free, 0.0, r1 - transposed_times(C, dual))
    good = np.abs(inverse).max((1, 2), initial=0.0) * np.abs(M).max((1, 2), initial=0.0) < WELL_CONDITIONED
    return x, dual, bound, good
