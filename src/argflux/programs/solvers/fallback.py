"""What the faster solvers leave unsolved goes to the interior-point method on the host, and is polished there."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.form import Blocks, Form, bounds
from argflux.programs.hostcall import host_call
from argflux.programs.judge import Answer
from argflux.programs.solvers.interior import Standard, solve_interior
from argflux.programs.status import Status

LIMIT = 100
NULL = 1e-9


def fall_back(form: Form, settings: Any, blocks: Blocks, wanted: jax.Array, answer: Answer) -> Answer:
    """Solve the instances that are wanted anew and leave the others as they are."""
    batch = wanted.shape[0]
    lower, upper = bounds(form, blocks)
    given = [blocks.P, blocks.q, blocks.A, blocks.b, blocks.G, blocks.h, lower, upper]
    floats = [answer.x, answer.dual, answer.bound]
    counts = [answer.status, answer.iterations]
    shapes = [(a.shape, "float64") for a in floats] + [((batch,), "int32")] * 2
    limit = min(settings.max_iterations, LIMIT)

    def call(_):
        operands = (wanted, *counts, *floats, *given)
        return host_call(_solve_wanted, shapes, *operands, form=form, limit=limit, tolerance=settings.tolerance)

    x, dual, bound, status, iterations = jax.lax.cond(jnp.any(wanted), call, lambda _: [*floats, *counts], 0)
    return Answer(x, dual, bound, status, iterations, answer.direct)


def _solve_wanted(wanted, status, iterations, *arrays, form: Form, limit: int, tolerance: float) -> tuple:
    results, integers, blocks = [np.array(a) for a in arrays[:3]], [np.array(status), np.array(iterations)], arrays[3:]
    which = np.flatnonzero(wanted)
    picked = [block[which] if len(block) > 1 else np.repeat(block, len(which), 0) for block in blocks]
    P, q, A, b, G, h, lower, upper = picked
    P = _dense(form, P, len(which))
    least, most = np.linalg.eigvalsh(P)[:, [0, -1]].T
    convex = least >= -1e-9 * np.maximum(most, -least)
    good, which = np.flatnonzero(convex), which[convex]
    integers[0][np.flatnonzero(wanted)[~convex]] = int(Status.BAD_DATA)
    if len(which):
        picked = [a[good] for a in (P, q, A, b, G, h, lower, upper)]
        with np.errstate(all="ignore"):
            *fresh, status, iterations = _solve(form, limit, tolerance, *picked)
        for old, new in zip(results, fresh, strict=True):
            old[which] = new
        integers[0][which], integers[1][which] = status, iterations
    return (*results, *(a.astype(np.int32) for a in integers))


def _dense(form: Form, P: np.ndarray, count: int) -> np.ndarray:
    if form.curvature == "none":
        return np.zeros((count, form.n, form.n))
    return P[:, :, None] * np.eye(form.n) if form.curvature == "diagonal" else (P + P.mT) / 2


def _solve(form: Form, limit: int, tolerance: float, P, q, A, b, G, h, lower, upper) -> tuple:
    k, n, count = form.p + form.m, form.n, len(q)
    eye = np.broadcast_to(np.eye(n), (count, n, n))
    rows, right = [A, G], [b, h]
    if form.upper:
        rows, right = [*rows, eye], [*right, upper]
    if form.lower:
        rows, right = [*rows, -eye], [*right, -lower]
    rows, right = np.concatenate(rows, 1), np.concatenate(right, 1)
    given = np.isfinite(right)
    standard = Standard(P, q, np.where(given[:, :, None], rows, 0.0), np.where(given, right, 1.0))
    r = solve_interior(standard, form.p, limit, tolerance)
    z = np.where(given, r.z, 0.0)
    x, z = _polish(standard, z, r.x, form.p)
    z_upper = z[:, k : k + n] if form.upper else 0.0
    z_lower = z[:, -n:] if form.lower else 0.0
    return x, z[:, :k], np.zeros((count, n)) + z_upper - z_lower, r.status, r.iterations


def _polish(program: Standard, z: np.ndarray, x: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray]:
    """Solve the optimality conditions on the active set by a correction of least norm; keep it where it is better."""
    P, q, A, b = program
    n = q.shape[1]
    active = (z > b - (A @ x[:, :, None])[:, :, 0]) | (np.arange(b.shape[1]) < p)
    C = A * active[:, :, None]
    zeros = np.zeros((len(q), b.shape[1], b.shape[1]))
    K = np.concatenate([np.concatenate([P, C.mT], 2), np.concatenate([C, zeros], 2)], 1)
    scale = np.ones(K.shape[:2])
    for _ in range(3):
        largest = np.max(np.abs(K) * scale[:, :, None] * scale[:, None, :], 2)
        scale = scale * np.where(largest > 0, 1 / np.sqrt(np.where(largest > 0, largest, 1.0)), 1.0)
    good = np.all(np.isfinite(x), axis=1) & np.all(np.isfinite(z), axis=1)
    K = np.where(good[:, None, None], K * scale[:, :, None] * scale[:, None, :], np.eye(K.shape[1]))
    inverse = np.linalg.pinv(K, rcond=NULL, hermitian=True)
    best, score = (x, z), _wrong(program, x, z, p)
    v = np.concatenate([x, np.where(active, z, 0.0)], 1)
    for _ in range(3):
        top = -((P @ v[:, :n, None]) + C.mT @ v[:, n:, None])[:, :, 0] - q
        bottom = np.where(active, b - (A @ v[:, :n, None])[:, :, 0], 0.0)
        right = np.concatenate([top, bottom], 1) * scale
        v = v + scale * (inverse @ right[:, :, None])[:, :, 0]
    v[:, n:] = np.where(active, v[:, n:], 0.0)
    better = (_wrong(program, v[:, :n], v[:, n:], p) <= score)[:, None]
    return np.where(better, v[:, :n], best[0]), np.where(better, v[:, n:], best[1])


def _wrong(program: Standard, x: np.ndarray, z: np.ndarray, p: int) -> np.ndarray:
    """Largest violation of the optimality conditions, relative to the data."""
    P, q, A, b = program
    cone = np.arange(b.shape[1]) >= p
    slack = b - (A @ x[:, :, None])[:, :, 0]
    primal = np.max(np.where(cone, np.maximum(-slack, 0), np.abs(slack)), 1, initial=0.0)
    size = 1.0 + np.max(np.abs(z), 1, initial=0.0) + np.max(np.abs(q), 1)
    dual = np.max(np.abs((P @ x[:, :, None] + A.mT @ z[:, :, None])[:, :, 0] + q), 1)
    signs = np.max(np.where(cone, np.maximum(-z, 0), 0.0), 1, initial=0.0)
    gap = np.max(np.where(cone, np.abs(z * slack), 0.0), 1, initial=0.0)
    return np.maximum(primal, np.maximum(np.maximum(dual, signs), gap) / size)
