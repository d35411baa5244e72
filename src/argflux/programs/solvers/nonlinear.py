"""Nonlinear programs: solved by the barrier, made exact on the constraints that hold, judged."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from argflux.programs.answers.nonlinear import (
    DENSE_LIMIT,
    NEAR,
    Seen,
    Trial,
    active_set,
    is_clearly_regular,
    is_weak,
    rank_flags,
)
from argflux.programs.answers.status import Regularity, Status
from argflux.programs.forms.arrays import either
from argflux.programs.forms.hostcall import host_call
from argflux.programs.forms.nonlinear import NonlinearForm, each
from argflux.programs.forms.structure import Structure, structure
from argflux.programs.solvers.activeset import Best, refined
from argflux.programs.solvers.asking import pounce_points
from argflux.programs.solvers.barrier import barrier_points

EXACT = 1e-13
FAR, ALLOWED = 1e8, 1e-6
SOLVERS = {"barrier": barrier_points, "pounce": pounce_points}


class NonlinearJudged(NamedTuple):
    """Points with what they are worth, an instance a row; fields as those of `Judged`."""

    x: Any
    dual: Any
    bound: Any
    objective: Any
    status: Any
    iterations: Any
    residuals: Any
    regularity: Any
    active: Any
    fixed: Any
    mode: Any


def solve_nonlinear_points(
    form: NonlinearForm, operands: tuple, start, lower, upper, duals: Any, solver: str, tolerance: float, limit: int
) -> NonlinearJudged:
    """Solve a batch by one of `SOLVERS`; arrays are float64 and have a batch axis, of length 1 where shared."""
    size = max(map(len, (*operands, start, lower, upper)))
    wide = lambda a: jnp.broadcast_to(a, (size, *a.shape[1:]))
    start, lower, upper = wide(start), wide(lower), wide(upper)
    bad = ~jnp.all((lower <= upper) & (lower < jnp.inf) & (upper > -jnp.inf), 1)
    lower, upper = jnp.where(bad[:, None], -jnp.inf, lower), jnp.where(bad[:, None], jnp.inf, upper)
    start = jnp.clip(jnp.where(jnp.isfinite(start), start, 0.0), lower, upper)
    options = {"tolerance": min(1e-9, tolerance / 10), "max_iterations": limit, "duals": duals}
    found = SOLVERS[solver](form, operands, start, lower, upper, **options)
    best = refined(form, operands, start, lower, upper, found)
    endless = (jnp.max(best.residuals, 1) > tolerance) & falls_for_ever(form, operands, start, lower, upper, best)
    status = jnp.where(endless, jnp.int32(Status.DUAL_INFEASIBLE), found.status)
    status = jnp.where(bad, jnp.int32(Status.BAD_DATA), status)
    return _judged(form, operands, lower, upper, best, status, found.iterations, tolerance)


def falls_for_ever(form: NonlinearForm, operands: tuple, start: Any, lower: Any, upper: Any, best: Best) -> Any:
    """Whether a point is far off and allowed, and twice as far the objective is lower, and the point allowed too."""
    x, equal = best.trial.x, np.arange(form.rows) < form.p
    further = jnp.clip(2 * x, lower, upper)
    rows = each(form.constraints, further, *operands)
    excess = jnp.max(jnp.where(equal, abs(rows), rows) / best.seen.reach, 1, initial=0.0)
    size = lambda x: jnp.max(abs(x), 1)
    away = size(x) > FAR * jnp.maximum(1.0, size(start))
    lower_there = each(form.objective, further, *operands) < each(form.objective, x, *operands)
    return away & lower_there & (excess <= ALLOWED) & (best.residuals[:, 0] <= ALLOWED)


def _judged(form, operands, lower, upper, best: Best, status, iterations, tolerance: float) -> NonlinearJudged:
    trial, seen = best.trial, best.seen
    active, fixed = active_set(form, lower, upper, trial, seen)
    bound = jnp.where(
        fixed > 0, jnp.maximum(trial.bound, 0.0), jnp.where(fixed < 0, jnp.minimum(trial.bound, 0.0), 0.0)
    )
    nothing = (active == 0) & (abs(trial.dual) * seen.weight <= NEAR)
    trial = Trial(trial.x, jnp.where(nothing, 0.0, trial.dual), bound, active, fixed)
    sound = jnp.all(jnp.isfinite(trial.x), 1) & jnp.all(jnp.isfinite(seen.slope), 1)
    exact = sound & (jnp.max(best.residuals, 1) <= tolerance)
    decided = (status == int(Status.BAD_DATA)) | (status == int(Status.DUAL_INFEASIBLE))
    solved = exact & ~decided
    status = jnp.where(status == 0, jnp.int32(Status.NUMERICAL_ERROR), status)
    status = jnp.where(solved, jnp.int32(Status.SOLVED), status)
    weak = is_weak(form, lower, upper, trial, seen)
    flags = jnp.where(solved & weak, jnp.int32(Regularity.STRICT_COMPLEMENTARITY), jnp.int32(0))
    slope = seen.slope + bound
    found = _rank_flags(form, structure(form, operands), trial, seen, slope, solved)
    mode = jnp.where(solved, jnp.where(found > 0, 2, 1), 0).astype(jnp.int32)
    objective = each(form.objective, trial.x, *operands)
    still = jnp.where(jnp.isfinite(best.residuals), best.residuals, jnp.inf)
    told = status, iterations, still, flags | found, active, fixed, mode
    return NonlinearJudged(trial.x, trial.dual, trial.bound, objective, *told)


def _rank_flags(form: NonlinearForm, found: Structure | None, trial: Trial, seen: Seen, slope: Any, solved: Any) -> Any:
    """Flags of dependent rows and missing curvature; none are told of large programs."""
    none = jnp.zeros(solved.shape, jnp.int32)
    if form.n + form.rows > DENSE_LIMIT:
        return none
    exact = jnp.max(abs(slope) * seen.unit / seen.push, 1) <= EXACT
    doubtful = solved & ~(exact & is_clearly_regular(found, trial, seen))
    matrices = (seen.W, seen.C) if found is None else (seen.W.values, seen.C.values)
    given = *matrices, slope, trial.active, trial.fixed, seen.unit, doubtful
    patterns = found and (found.W, found.C)
    ranks = lambda: host_call(rank_flags, [(none.shape, "int32")], *given, patterns=patterns)[0]
    return either(jnp.any(doubtful), ranks, none)
