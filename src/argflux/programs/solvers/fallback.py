"""What the faster solvers leave unsolved goes to the interior-point method on the host, and is polished there."""

from typing import Any

import numpy as np

from argflux.programs.answers.judge import Answer
from argflux.programs.answers.status import Status
from argflux.programs.forms.form import Blocks, Form, bounds
from argflux.programs.solvers.interior import Standard, solve_interior
from argflux.programs.solvers.polish import polish

LIMIT = 100
ACCURACY = 1e-8
UTMOST = 1e-13
MET = 1e-10


def fall_back(form: Form, settings: Any, blocks: Blocks, wanted: np.ndarray, answer: Answer) -> Answer:
    """Solve the instances that are wanted anew and leave the others as they are."""
    which = np.flatnonzero(wanted)
    if not len(which):
        return answer
    arrays = [*blocks[:6], *bounds(form, blocks)]
    picked = [a[which] if len(a) > 1 else np.repeat(a, len(which), 0) for a in arrays]
    least, most = np.linalg.eigvalsh(_dense(form, picked[0], len(which)))[:, [0, -1]].T
    convex = least >= -1e-9 * np.maximum(most, -least)
    found = Answer(*map(np.array, answer))
    found.status[which[~convex]] = int(Status.BAD_DATA)
    if convex.any():
        fresh = solve_dense(form, settings, *(a[convex] for a in picked))
        for values, part in zip(found, fresh, strict=False):
            values[which[convex]] = part
    return found


def solve_dense(form: Form, settings: Any, P, q, A, b, G, h, lower, upper) -> tuple:
    """Solve a batch of dense convex programs: x, duals, signed duals of the bounds, statuses, iterations."""
    limit = min(settings.max_iterations, LIMIT)
    with np.errstate(all="ignore"):
        *found, status, steps = _solve(
            form, limit, min(settings.tolerance, ACCURACY), _dense(form, P, len(q)), q, A, b, G, h, lower, upper
        )
    if limit < settings.max_iterations:  # the limit is ours, not the user's
        status = np.where(status == int(Status.ITERATION_LIMIT), int(Status.NUMERICAL_ERROR), status)
    found = [np.where(np.isfinite(part).all(1, keepdims=True), part, 0.0) for part in found]
    return *found, status, steps


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
    x, z, wrong = polish(standard, form.p, r.x, np.where(given, r.z, 0.0))
    left = np.flatnonzero((wrong > MET) & (r.status == int(Status.SOLVED)))
    if len(left):  # what decides among the constraints is too small a part of the cost
        part = Standard(*[block[left] for block in standard])
        further = solve_interior(part, form.p, limit, UTMOST)
        *point, after = polish(part, form.p, further.x, np.where(given[left], further.z, 0.0))
        better = after < wrong[left]
        x[left[better]], z[left[better]] = point[0][better], point[1][better]
    z_upper = z[:, k : k + n] if form.upper else 0.0
    z_lower = z[:, -n:] if form.lower else 0.0
    return x, z[:, :k], np.zeros((count, n)) + z_upper - z_lower, r.status, r.iterations
