"""Points of nonlinear programs made exact: Newton's method on the constraints that hold, which it finds meanwhile."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.answers.nonlinear import (
    CLOSE,
    DENSE_LIMIT,
    TINY,
    Floors,
    Seen,
    Trial,
    active_set,
    look,
    violations,
)
from argflux.programs.answers.status import Status
from argflux.programs.forms.form import times, transposed_times
from argflux.programs.forms.held import solve_held
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.forms.pattern import row_largest
from argflux.programs.forms.structure import Structure, structure

ROUNDS = 5
EXACT = 1e-14
SLIGHT = 1e-12
LEAVES = 1e-9
DECIDED = (int(Status.LOCALLY_INFEASIBLE), int(Status.DUAL_INFEASIBLE), int(Status.BAD_DATA))


class Best(NamedTuple):
    """The best point so far, its functions, its residuals, and the next one to look at."""

    trial: Trial
    seen: Seen
    residuals: Any
    following: Trial
    floors: Floors
    going: Any
    round: Any


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
    sparsity = structure(form, operands)
    worst, going = jnp.full((len(start), 3), jnp.inf), ~jnp.any(found.status[:, None] == np.array(DECIDED), 1)
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
            lambda now, then: jnp.where(best.round == 0, now, then),
            point,
            newton(form, sparsity, lower, upper, kept, known),
        )
        going = jnp.where(best.round == 0, best.going, going)
        return Best(kept, known, left, following, floors, going, best.round + 1)

    small = form.n + form.rows <= DENSE_LIMIT
    rounds = ROUNDS if small or sparsity is not None else 2
    more = lambda best: (best.round <= 1) | ((best.round < rounds + 1) & jnp.any(best.going))
    return jax.lax.while_loop(more, step, best)


def _floors(seen: Seen) -> Floors:
    least = lambda a: jnp.minimum(jnp.where(jnp.isfinite(a), a, 1.0), 1.0)
    push = jnp.where(seen.push[:, 0] > TINY, seen.push[:, 0], 1.0)
    return Floors(least(push), least(jnp.maximum(row_largest(seen.C), abs(seen.values))))


def newton(form: NonlinearForm, found: Structure | None, lower: Any, upper: Any, trial: Trial, seen: Seen) -> Trial:
    """A step of Newton's method with the active rows as equalities, and what its duals say of the active set."""
    held, on = trial.fixed != 0, trial.active > 0
    onto = jnp.where(held, jnp.where(trial.fixed > 0, upper, lower), 0.0) - trial.x
    if found is None:
        dx, ddual = _dense_step(trial, seen, onto)
    else:
        right = -seen.slope, -seen.values, onto
        (dx, ddual, _), good = solve_held(found.band, seen.W, seen.C, on, held, right)
        dx, ddual = jnp.where(good[:, None], dx, jnp.nan), jnp.where(on, ddual, -trial.dual)
    x, dual = trial.x + dx, trial.dual + ddual
    slope = seen.slope + times(seen.W, dx) + transposed_times(seen.C, ddual)
    bound = jnp.where(held, -slope, 0.0)
    equal = np.arange(form.rows) < form.p
    leaves = on & ~equal & (dual * seen.weight < -LEAVES)
    joins = ~on & (seen.values + times(seen.C, dx) > LEAVES * seen.reach)
    dual = jnp.where(on & ~equal, jnp.maximum(dual, 0.0), jnp.where(on, dual, 0.0))
    wrong = bound * jnp.sign(trial.fixed) * seen.unit / seen.push < -LEAVES
    wrong = wrong & (lower < upper)
    fixed = jnp.where(wrong, 0, trial.fixed)
    fixed = jnp.where(~held & (x > upper), 1, jnp.where(~held & (x < lower), -1, fixed))
    side = jnp.where(
        lower == upper, bound, jnp.where(trial.fixed > 0, jnp.maximum(bound, 0.0), jnp.minimum(bound, 0.0))
    )
    return Trial(x, dual, side, ((on & ~leaves) | joins).astype(jnp.int32), fixed.astype(jnp.int32))


def _dense_step(trial: Trial, seen: Seen, onto: Any) -> tuple[Any, Any]:
    """Changes of x and the duals that solve the dense system, slightly regularised."""
    held, on = trial.fixed != 0, trial.active > 0
    n = held.shape[1]
    eye = jnp.eye(n)
    size = jnp.max(abs(seen.W), (1, 2))[:, None]
    W = seen.W + (SLIGHT * jnp.where(size > 0, size, 1.0))[:, :, None] * eye
    rows = jnp.where(on[:, :, None], seen.C, 0.0)
    across = jnp.where(held[:, :, None], 0.0, jnp.swapaxes(rows, 1, 2))
    norms = jnp.sum(rows * rows, 2)
    corner = jnp.where(on, -SLIGHT * norms / jnp.where(size > 0, size, 1.0), 1.0)
    top = jnp.concatenate([jnp.where(held[:, :, None], eye, W), across], 2)
    low = jnp.concatenate([rows, corner[:, :, None] * jnp.eye(rows.shape[1])], 2)
    goal = jnp.where(held, onto, -seen.slope)
    right = jnp.concatenate([goal, jnp.where(on, -seen.values, -trial.dual)], 1)
    step = jnp.linalg.solve(jnp.concatenate([top, low], 1), right[:, :, None])[:, :, 0]
    return step[:, :n], step[:, n:]
