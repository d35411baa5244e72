"""Nonlinear programs: solved by the barrier, made exact on the constraints that hold, judged."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.answers.nonlinear import (
    CLOSE,
    DENSE_LIMIT,
    Floors,
    Seen,
    Trial,
    active_set,
    is_clearly_regular,
    is_weak,
    look,
    rank_flags,
    violations,
)
from argflux.programs.answers.status import Regularity, Status
from argflux.programs.forms.arrays import either
from argflux.programs.forms.form import transposed_times
from argflux.programs.forms.hostcall import host_call
from argflux.programs.forms.nonlinear import NonlinearForm, each
from argflux.programs.solvers.barrier import barrier_points

ROUNDS = 5
EXACT = 1e-14
SLIGHT = 1e-12
LEAVES = 1e-9


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


class Best(NamedTuple):
    """The best point so far, its functions, its residuals, and the next one to look at."""

    trial: Trial
    seen: Seen
    residuals: Any
    following: Trial
    floors: Floors
    going: Any
    round: Any


def solve_nonlinear_points(
    form: NonlinearForm, operands: tuple, start, lower, upper, duals: Any, tolerance: float, max_iterations: int
) -> NonlinearJudged:
    """Solve a batch; arrays are float64 and have a batch axis, of length 1 where they are shared."""
    size = max(map(len, (*operands, start, lower, upper)))
    wide = lambda a: jnp.broadcast_to(a, (size, *a.shape[1:]))
    start, lower, upper = wide(start), wide(lower), wide(upper)
    bad = ~jnp.all((lower <= upper) & (lower < jnp.inf) & (upper > -jnp.inf), 1)
    lower, upper = jnp.where(bad[:, None], -jnp.inf, lower), jnp.where(bad[:, None], jnp.inf, upper)
    start = jnp.clip(jnp.where(jnp.isfinite(start), start, 0.0), lower, upper)
    options = {"tolerance": min(1e-9, tolerance), "max_iterations": max_iterations, "duals": duals}
    found = barrier_points(form, operands, start, lower, upper, **options)
    best = refined(form, operands, start, lower, upper, found)
    status = jnp.where(bad, jnp.int32(Status.BAD_DATA), found.status)
    return _judged(form, operands, lower, upper, best, status, found.iterations, tolerance)


def refined(form: NonlinearForm, operands: tuple, start: Any, lower: Any, upper: Any, found: Any) -> Best:
    """Newton's method on the constraints that hold, which are found by slacks and duals; the best point counts.

    The first round looks at the start, for what counts as one; the second at the point that was found.
    """
    flags = jnp.zeros((len(start), form.rows), jnp.int32), jnp.zeros(start.shape, jnp.int32)
    dual, bound = jnp.concatenate([found.y, found.z], 1), found.z_upper - found.z_lower
    clean = lambda a: jnp.where(jnp.isfinite(a), a, 0.0)
    point = Trial(clean(found.x), clean(dual), clean(bound), *flags)
    nothing = Floors(jnp.zeros(len(start)), jnp.zeros(dual.shape))
    first = Trial(start, jnp.zeros_like(dual), jnp.zeros_like(bound), *flags)
    shapes = jax.eval_shape(lambda trial: look(form, operands, trial, nothing), first)
    blank = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    worst, going = jnp.full((len(start), 3), jnp.inf), jnp.ones(len(start), bool)
    best = Best(point, blank, worst, first, nothing, going, jnp.int32(0))

    def step(best: Best) -> Best:
        seen = look(form, operands, best.following, best.floors)
        floors = Floors(*(jnp.where(best.round == 0, *pair) for pair in zip(_floors(seen), best.floors, strict=True)))
        trial = best.following
        active, fixed = active_set(form, lower, upper, trial, seen, CLOSE)
        first = best.round <= 1
        trial = trial._replace(
            active=jnp.where(first, active, trial.active), fixed=jnp.where(first, fixed, trial.fixed)
        )
        residuals = violations(form, lower, upper, trial, seen)
        error, least = jnp.max(residuals, 1), jnp.max(best.residuals, 1)
        better = jnp.where(first, best.round == 1, best.going & (error < least))
        put = lambda new, old: jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
        kept, known, left = jax.tree.map(put, (trial, seen, residuals), (best.trial, best.seen, best.residuals))
        going = jnp.where(first, best.going, better) & ~(jnp.max(left, 1) <= EXACT)
        following = jax.tree.map(
            lambda now, then: jnp.where(best.round == 0, now, then), point, newton(form, lower, upper, kept, known)
        )
        return Best(kept, known, left, following, floors, going | (best.round == 0), best.round + 1)

    rounds = ROUNDS if form.n + form.rows <= DENSE_LIMIT else 2
    return jax.lax.while_loop(lambda best: (best.round < rounds + 1) & jnp.any(best.going), step, best)


def _floors(seen: Seen) -> Floors:
    least = lambda a: jnp.minimum(jnp.where(jnp.isfinite(a), a, 1.0), 1.0)
    return Floors(least(seen.push[:, 0]), least(jnp.maximum(jnp.max(abs(seen.C), 2, initial=0.0), abs(seen.values))))


def newton(form: NonlinearForm, lower: Any, upper: Any, trial: Trial, seen: Seen) -> Trial:
    """A step of Newton's method with the active rows as equalities, and what its duals say of the active set."""
    n, held = form.n, trial.fixed != 0
    on = trial.active > 0
    limit = jnp.where(trial.fixed > 0, upper, lower)
    goal = jnp.where(held, jnp.where(held, limit, 0.0) - trial.x, -seen.slope)
    eye = jnp.eye(n)
    size = jnp.max(abs(seen.W), (1, 2))[:, None]
    W = seen.W + (SLIGHT * jnp.where(size > 0, size, 1.0))[:, :, None] * eye
    rows = jnp.where(on[:, :, None], seen.C, 0.0)
    across = jnp.where(held[:, :, None], 0.0, jnp.swapaxes(rows, 1, 2))
    norms = jnp.sum(rows * rows, 2)
    corner = jnp.where(on, -SLIGHT * norms / jnp.where(size > 0, size, 1.0), 1.0)
    top = jnp.concatenate([jnp.where(held[:, :, None], eye, W), across], 2)
    low = jnp.concatenate([rows, corner[:, :, None] * jnp.eye(form.rows)], 2)
    right = jnp.concatenate([goal, jnp.where(on, -seen.values, -trial.dual)], 1)
    step = jnp.linalg.solve(jnp.concatenate([top, low], 1), right[:, :, None])[:, :, 0]
    dx, ddual = step[:, :n], step[:, n:]
    x, dual = trial.x + dx, trial.dual + ddual
    slope = seen.slope + jnp.einsum("bij,bj->bi", seen.W, dx) + transposed_times(seen.C, ddual)
    bound = jnp.where(held, -slope, 0.0)
    equal = np.arange(form.rows) < form.p
    leaves = on & ~equal & (dual * seen.weight < -LEAVES)
    joins = ~on & (seen.values + jnp.einsum("brj,bj->br", seen.C, dx) > LEAVES * seen.reach)
    dual = jnp.where(on & ~equal, jnp.maximum(dual, 0.0), jnp.where(on, dual, 0.0))
    wrong = bound * jnp.sign(trial.fixed) * seen.unit / seen.push < -LEAVES
    wrong = wrong & (lower < upper)
    fixed = jnp.where(wrong, 0, trial.fixed)
    fixed = jnp.where(~held & (x > upper), 1, jnp.where(~held & (x < lower), -1, fixed))
    side = jnp.where(
        lower == upper, bound, jnp.where(trial.fixed > 0, jnp.maximum(bound, 0.0), jnp.minimum(bound, 0.0))
    )
    return Trial(x, dual, side, ((on & ~leaves) | joins).astype(jnp.int32), fixed.astype(jnp.int32))


def _judged(form, operands, lower, upper, best: Best, status, iterations, tolerance: float) -> NonlinearJudged:
    trial, seen = best.trial, best.seen
    active, fixed = active_set(form, lower, upper, trial, seen)
    held = jnp.where(active > 0, trial.dual, 0.0), jnp.where(fixed != 0, trial.bound, 0.0)
    trial = Trial(trial.x, *held, active, fixed)
    sound = jnp.all(jnp.isfinite(trial.x), 1) & jnp.all(jnp.isfinite(seen.slope), 1)
    exact = sound & (jnp.max(best.residuals, 1) <= tolerance)
    decided = (status == int(Status.BAD_DATA)) | (status == int(Status.DUAL_INFEASIBLE))
    solved = exact & ~decided
    status = jnp.where(status == 0, jnp.int32(Status.NUMERICAL_ERROR), status)
    status = jnp.where(solved, jnp.int32(Status.SOLVED), status)
    weak = is_weak(form, lower, upper, trial, seen)
    flags = jnp.where(solved & weak, jnp.int32(Regularity.STRICT_COMPLEMENTARITY), jnp.int32(0))
    clear = is_clearly_regular(trial, seen) if form.n + form.rows <= DENSE_LIMIT else jnp.ones_like(solved)
    doubtful = solved & ~clear
    given = seen.W, seen.C, active, fixed, seen.unit, doubtful
    ranks = lambda: host_call(rank_flags, [(flags.shape, "int32")], *given)[0]
    found = either(jnp.any(doubtful), ranks, jnp.zeros_like(flags))
    mode = jnp.where(solved, jnp.where(found > 0, 2, 1), 0).astype(jnp.int32)
    objective = each(form.objective, trial.x, *operands)
    still = jnp.where(jnp.isfinite(best.residuals), best.residuals, jnp.inf)
    told = status, iterations, still, flags | found, active, fixed, mode
    return NonlinearJudged(trial.x, trial.dual, trial.bound, objective, *told)
