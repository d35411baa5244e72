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
    lower, upper = bounds(form, blocks)
    given = [blocks.P, blocks.q, blocks.A, blocks.b, blocks.G, blocks.h, lower, upper]
    point, counts = jnp.concatenate(answer[:3], 1), jnp.stack([answer.status, answer.iterations], 1)
    shapes = [(point.shape, "float64"), (counts.shape, "int32")]
    limit = min(settings.max_iterations, LIMIT)

    def call(_):
        operands = (wanted, counts, point, *given)
        return host_call(_solve_wanted, shapes, *operands, form=form, limit=limit, tolerance=settings.tolerance)

    point, counts = jax.lax.cond(jnp.any(wanted), call, lambda _: [point, counts], 0)
    x, dual, bound = jnp.split(point, [form.n, point.shape[1] - form.n], 1)
    return Answer(x, dual, bound, counts[:, 0], counts[:, 1], answer.direct)


def _solve_wanted(wanted, counts, point, *blocks, form: Form, limit: int, tolerance: float) -> tuple:
    point, counts, which = np.array(point), np.array(counts), np.flatnonzero(wanted)
    picked = [block[which] if len(block) > 1 else np.repeat(block, len(which), 0) for block in blocks]
    P, q, A, b, G, h, lower, upper = picked
    P = _dense(form, P, len(which))
    least, most = np.linalg.eigvalsh(P)[:, [0, -1]].T
    convex = least >= -1e-9 * np.maximum(most, -least)
    counts[which[~convex], 0] = int(Status.BAD_DATA)
    good, which = np.flatnonzero(convex), which[convex]
    if len(which):
        picked = [a[good] for a in (P, q, A, b, G, h, lower, upper)]
        with np.errstate(all="ignore"):
            *fresh, status, iterations = _solve(form, limit, tolerance, *picked)
        point[which] = np.concatenate(fresh, 1)
        counts[which] = np.stack([status, iterations], 1)
    return point, counts.astype(np.int32)


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
