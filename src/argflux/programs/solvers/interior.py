"""Interior-point method on the homogeneous embedding: any convex program, with proofs of infeasibility. NumPy only."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from argflux.programs.answers.status import Status

REGULARISATION = 1e-10
RUNNING = -1


class Standard(NamedTuple):
    """Programs `min x'Px/2 + q'x`, `A x + s = b`, with `s = 0` on equalities and `s >= 0` on the other rows."""

    P: np.ndarray
    q: np.ndarray
    A: np.ndarray
    b: np.ndarray


@dataclass
class Point:
    """Points of the embedding: `x / tau` is the primal, `z / tau` the dual."""

    x: np.ndarray
    s: np.ndarray
    z: np.ndarray
    tau: np.ndarray
    kappa: np.ndarray

    def map(self, function, *others: "Point") -> "Point":
        """Apply a function field by field."""
        return Point(*[function(*[getattr(p, f.name) for p in (self, *others)]) for f in fields(self)])


class Interior(NamedTuple):
    """Result: primal, duals of the standard rows, status codes, iterations."""

    x: np.ndarray
    z: np.ndarray
    status: np.ndarray
    iterations: np.ndarray


def solve_interior(program: Standard, p: int, max_iterations: int, tolerance: float) -> Interior:
    """Solve a batch of programs by Mehrotra's predictor-corrector steps on the homogeneous embedding.

    Args:
        program: float64 arrays with a leading batch axis; the first `p` rows are equalities.
        p: number of equalities.
        max_iterations: limit on steps.
        tolerance: relative residuals at which an instance is solved.

    Source:
        Goulart and Chen, "Clarabel: an interior-point solver for conic programs with quadratic objectives" (2024).
    """
    count, n = program.q.shape
    rows = program.b.shape[1]
    scaled, D, E, cost, size = equilibrate(program)
    cone = np.arange(rows) >= p
    ones = np.ones(count)
    unit = np.where(cone, 1.0, 0.0) * np.ones((count, 1))
    point = Point(np.zeros((count, n)), unit.copy(), unit.copy(), ones, ones.copy())
    status, iterations = np.full(count, RUNNING), np.zeros(count, int)
    for _ in range(max_iterations):
        live = np.flatnonzero(status == RUNNING)
        if not len(live):
            break
        part, data = point.map(lambda a, live=live: a[live]), Standard(*[a[live] for a in scaled])
        fresh, sound = _step(data, cone, part)
        for f in fields(point):
            getattr(point, f.name)[live[sound]] = getattr(fresh, f.name)[sound]
        verdict = _status(data, fresh, tolerance)
        status[live] = np.where(sound, verdict, int(Status.NUMERICAL_ERROR))
        iterations[live] += 1
    status = np.where(status == RUNNING, int(Status.ITERATION_LIMIT), status)
    ended = status == int(Status.SOLVED)  # elsewhere tau tends to zero, and the points to infinity
    tau = np.where(ended, point.tau, np.maximum(point.tau, point.kappa))[:, None]
    return Interior(size * D * point.x / tau, E * point.z / (tau * cost[:, None]), status, iterations)


def equilibrate(program: Standard) -> tuple[Standard, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scale variables by `D`, rows by `E`, the objective by a cost and right sides by a size, to entries near one."""
    P, q, A, b = program
    n = q.shape[1]
    scale = np.ones((q.shape[0], n + b.shape[1]))
    K = np.abs(_system(P, A, np.zeros_like(b)))
    for _ in range(4):
        largest = np.max(K * scale[:, :, None] * scale[:, None, :], 2)
        scale = scale * np.where(largest > 0, 1 / np.sqrt(np.where(largest > 0, largest, 1.0)), 1.0)
    D, E = scale[:, :n], scale[:, n:]
    P, A = D[:, :, None] * P * D[:, None, :], E[:, :, None] * A * D[:, None, :]
    q, b = D * q, E * b
    curve = np.max(np.abs(P), (1, 2), initial=0.0)
    size = _largest(b)
    size = np.where(size > 0, size, 1.0)[:, None]
    cost = 1.0 / np.maximum(1e-300, np.maximum(_largest(q), size[:, 0] * curve))
    scaled = Standard(P * (cost[:, None] * size)[:, :, None], q * cost[:, None], A, b / size)
    return scaled, D, E, cost, size


def _system(P, A, block) -> np.ndarray:
    corner = -block[:, :, None] * np.eye(A.shape[1])
    return np.concatenate([np.concatenate([P, A.mT], 2), np.concatenate([A, corner], 2)], 1)


def _times(M: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (M @ x[:, :, None])[:, :, 0]


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sum(a * b, 1)


def _largest(v: np.ndarray) -> np.ndarray:
    return np.max(np.abs(v), 1, initial=0.0)


def _status(program: Standard, point: Point, tolerance: float) -> np.ndarray:
    P, q, A, b = program
    tau = point.tau[:, None]
    x, z, s = point.x / tau, point.z / tau, point.s / tau
    Px = _times(P, x)
    primal = _largest(_times(A, x) + s - b) / (1.0 + _largest(b))
    dual = _largest(Px + _times(A.mT, z) + q) / (1.0 + np.maximum(_largest(q), _largest(Px)))
    cost = _dot(q, x) + _dot(x, Px) / 2
    gap = np.abs(_dot(x, Px) + _dot(q, x) + _dot(b, z)) / (1.0 + np.abs(cost))
    solved = (primal < tolerance) & (dual < tolerance) & (gap < tolerance)
    reach, fall = -_dot(b, point.z), -_dot(q, point.x)
    no_primal = (reach > 0) & (_largest(_times(A.mT, point.z)) < 1e-8 * reach)
    flat = np.maximum(_largest(_times(P, point.x)), _largest(_times(A, point.x) + point.s))
    no_dual = (fall > 0) & (flat < 1e-8 * fall)
    certain = point.tau < 1e-2 * np.maximum(point.kappa, 1e-12)
    status = np.where(no_dual & certain, int(Status.DUAL_INFEASIBLE), RUNNING)
    status = np.where(no_primal & certain, int(Status.PRIMAL_INFEASIBLE), status)
    return np.where(solved, int(Status.SOLVED), status)


def _step(program: Standard, cone: np.ndarray, point: Point) -> tuple[Point, np.ndarray]:
    """One predictor-corrector step, and which instances it went well for."""
    P, q, A, b = program
    x, s, z, tau, kappa = point.x, point.s, point.z, point.tau, point.kappa
    safe = np.where(cone, z, 1.0)
    mu = (_dot(s, z) + tau * kappa) / (np.sum(cone) + 1)
    K = _system(P, A, np.where(cone, s / safe, 0.0))
    inverse, sound = _inverse(K, x.shape[1])
    Px = _times(P, x)
    dx = -(Px + _times(A.mT, z) + q * tau[:, None])
    dz = _times(A, x) + s - b * tau[:, None]
    dt = kappa + _dot(q, x) + _dot(b, z) + _dot(x, Px) / tau
    x2, z2 = _solve(K, inverse, -q, b)
    xi = x / tau[:, None]
    slope = 2 * _times(P, xi) + q
    bent = _dot(x2 - xi, _times(P, x2 - xi)) - _dot(x2, _times(P, x2)) - _dot(q, x2) - _dot(b, z2) + kappa / tau

    def direction(keep, ds, dk):
        x1, z1 = _solve(K, inverse, keep[:, None] * dx, ds / safe - keep[:, None] * dz)
        step = (keep * dt - dk / tau + _dot(slope, x1) + _dot(b, z1)) / bent
        along, around = x1 + step[:, None] * x2, z1 + step[:, None] * z2
        return Point(along, np.where(cone, -(ds + s * around) / safe, 0.0), around, step, -(dk + kappa * step) / tau)

    affine = direction(np.ones(len(tau)), s * z * cone, kappa * tau)
    sigma = (1.0 - _length(point, affine, cone)) ** 3
    ds = (s * z + affine.s * affine.z - (sigma * mu)[:, None]) * cone
    final = direction(1.0 - sigma, ds, kappa * tau + affine.kappa * affine.tau - sigma * mu)
    length = 0.99 * _length(point, final, cone)
    moved = point.map(lambda a, d: a + (length[:, None] if a.ndim == 2 else length) * d, final)
    size = np.maximum(moved.tau, moved.kappa)
    moved = moved.map(lambda a: a / (size[:, None] if a.ndim == 2 else size))
    finite = np.all(np.isfinite(moved.x), axis=1) & np.all(np.isfinite(moved.z), axis=1) & (moved.tau > 0)
    return moved, sound & finite


def _length(point: Point, step: Point, cone: np.ndarray) -> np.ndarray:
    """Longest step, at most one, that keeps every cone variable non-negative."""
    at = np.concatenate([point.s[:, cone], point.z[:, cone], point.tau[:, None], point.kappa[:, None]], 1)
    by = np.concatenate([step.s[:, cone], step.z[:, cone], step.tau[:, None], step.kappa[:, None]], 1)
    return np.minimum(1.0, np.min(np.where(by < 0, -at / np.where(by < 0, by, -1.0), np.inf), 1))


def _inverse(K: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Inverses of the regularised systems, and which of them exist."""
    sign = np.where(np.arange(K.shape[1]) < n, REGULARISATION, -REGULARISATION)
    K = K + sign * np.eye(K.shape[1])
    sound = np.all(np.isfinite(K), axis=(1, 2))
    K = np.where(sound[:, None, None], K, np.eye(K.shape[1]))
    try:
        return np.linalg.inv(K), sound
    except np.linalg.LinAlgError:
        return np.linalg.pinv(K, hermitian=True), sound


def _solve(K: np.ndarray, inverse: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    right = np.concatenate([top, bottom], 1)
    v = _times(inverse, right)
    for _ in range(3):
        v = v + _times(inverse, right - _times(K, v))
    return v[:, : top.shape[1]], v[:, top.shape[1] :]
