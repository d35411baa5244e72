"""What the faster solvers leave unsolved goes to the interior-point method on the host, and is polished there."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.form import Blocks, Form, bounds
from argflux.programs.hostcall import host_call
from argflux.programs.judge import Answer
from argflux.programs.solvers.interior import Standard, solve_interior
from argflux.programs.solvers.polish import polish
from argflux.programs.status import Status

LIMIT = 100


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
    status = _without_feasible_points(standard, form.p, limit, tolerance, r.status)
    x, z = polish(standard, form.p, r.x, np.where(given, r.z, 0.0))
    z_upper = z[:, k : k + n] if form.upper else 0.0
    z_lower = z[:, -n:] if form.lower else 0.0
    return x, z[:, :k], np.zeros((count, n)) + z_upper - z_lower, status, r.iterations


def _without_feasible_points(program: Standard, p: int, limit: int, tolerance: float, status: np.ndarray) -> np.ndarray:
    """Tell apart, among programs that fall without bound in some direction, those that no point is feasible for."""
    falling = np.flatnonzero(status == int(Status.DUAL_INFEASIBLE))
    if not len(falling):
        return status
    P, q, A, b = (block[falling] for block in program)
    found = solve_interior(Standard(0.0 * P, 0.0 * q, A, b), p, limit, tolerance).status
    status = status.copy()
    status[falling[found == int(Status.PRIMAL_INFEASIBLE)]] = int(Status.PRIMAL_INFEASIBLE)
    return status
