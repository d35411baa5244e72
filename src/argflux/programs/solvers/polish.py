"""From the neighbourhood of a solution to the solution itself: the active set, and the point that it determines."""

import numpy as np

from argflux.programs.solvers.interior import Standard, equilibrate

NULL = 1e-9
NEAR = 1e-4
EXACT = 1e-13
SIGN = 1e-10
ROUNDS = 4


def polish(program: Standard, p: int, x: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve the optimality conditions on the active set by a correction of least norm; keep it where it is better.

    The active set is guessed from the point, without and with the constraints that nearly hold, and then mended: a
    constraint with a negative dual leaves, one that is violated enters.

    Args:
        program: float64 arrays with a leading batch axis; the first `p` rows are equalities.
        p: number of equalities.
        x: a point near a solution, `(batch, n)`.
        z: its duals, `(batch, rows)`.

    Returns:
        The points, their duals, and how far they are from meeting the conditions.
    """
    scaled, D, E, cost, size = equilibrate(program)
    near, duals = x / (size * D), z * cost[:, None] / E
    best, score = [near, duals], _wrong(scaled, p, near, duals)
    slack = _slack(scaled, near)
    strict = (duals > slack) | (np.arange(z.shape[1]) < p)
    for guess in (strict, strict | (slack < NEAR)):
        active = guess.copy()
        for _ in range(ROUNDS):
            live = np.flatnonzero(score > EXACT)
            if not len(live):
                break
            part = Standard(*[block[live] for block in scaled])
            point = _on_active(part, active[live], near[live], duals[live])
            error = _wrong(part, p, *point)
            better = error < score[live]
            score[live[better]] = error[better]
            for old, new in zip(best, point, strict=True):
                old[live[better]] = new[better]
            active[live] = _mended(part, p, active[live], *point)
    return size * D * best[0], E * best[1] / cost[:, None], score


def _mended(program: Standard, p: int, active: np.ndarray, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    kept = active & (z > -SIGN * (1.0 + np.max(np.abs(z), 1, initial=0.0))[:, None])
    return kept | (_slack(program, x) < -SIGN) | (np.arange(z.shape[1]) < p)


def _on_active(program: Standard, active: np.ndarray, x: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The solution nearest to a point of `P x + q + A' z = 0` with `A x = b` on active rows, `z = 0` on the others."""
    P, q, A, b = program
    n = q.shape[1]
    C = A * active[:, :, None]
    K = np.concatenate([np.concatenate([P, C.mT], 2), np.concatenate([C, np.zeros((*b.shape, b.shape[1]))], 2)], 1)
    sound = np.all(np.isfinite(x), axis=1) & np.all(np.isfinite(z), axis=1)
    inverse = np.linalg.pinv(np.where(sound[:, None, None], K, 0.0), rcond=NULL, hermitian=True)
    v = np.concatenate([x, np.where(active, z, 0.0)], 1)
    for _ in range(3):
        top = -_times(P, v[:, :n]) - _times(C.mT, v[:, n:]) - q
        v = v + _times(inverse, np.concatenate([top, np.where(active, _slack(program, v[:, :n]), 0.0)], 1))
    return v[:, :n], np.where(active, v[:, n:], 0.0)


def _wrong(program: Standard, p: int, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Largest violation of the optimality conditions, relative to the size of the point; infinite where it is NaN."""
    P, q, A, _ = program
    cone = np.arange(z.shape[1]) >= p
    slack = _slack(program, x)
    size, push = 1.0 + np.max(np.abs(x), 1), 1.0 + np.max(np.abs(z), 1, initial=0.0)
    primal = np.max(np.where(cone, np.maximum(-slack, 0.0), np.abs(slack)), 1, initial=0.0) / size
    dual = np.max(np.abs(_times(P, x) + _times(A.mT, z) + q), 1) / np.maximum(push, size)
    signs = np.max(np.where(cone, np.maximum(-z, 0.0), 0.0), 1, initial=0.0) / push
    gap = np.max(
        np.where(cone, np.minimum(np.abs(z) / push[:, None], np.abs(slack) / size[:, None]), 0.0), 1, initial=0
    )
    worst = np.max([primal, dual, signs, gap], 0)
    return np.where(np.isfinite(worst), worst, np.inf)


def _slack(program: Standard, x: np.ndarray) -> np.ndarray:
    return program.b - _times(program.A, x)


def _times(M: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (M @ x[:, :, None])[:, :, 0]
