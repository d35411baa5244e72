"""A primal-dual interior point method for batches: one evaluation of the functions for all instances at a time.

Each pass of the loop evaluates the functions at the trial points of all instances. What an instance makes of them
depends on what it is doing: descending, restoring feasibility or polishing; whether its trial point is taken, shortened
or corrected. So no instance waits in a loop of another's, and the functions are compiled once. An instance that is
done makes room for the next.

Source:
    Wächter and Biegler, "On the implementation of an interior-point filter line-search algorithm for large-scale
    nonlinear programming" (2006).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from argflux.programs.answers.status import Status
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.forms.structure import structure
from argflux.programs.solvers.barrier.direction import directed
from argflux.programs.solvers.barrier.evaluate import evaluator
from argflux.programs.solvers.barrier.gaps import PUSH, bounds_of, inside
from argflux.programs.solvers.barrier.lanes import through_lanes
from argflux.programs.solvers.barrier.newton import blank
from argflux.programs.solvers.barrier.point import BarrierPoint, Bounds
from argflux.programs.solvers.barrier.progress import ACCEPTABLE, gone_on, polished
from argflux.programs.solvers.barrier.rejection import given_up, is_correctable, is_stalled, retried
from argflux.programs.solvers.barrier.search import extended
from argflux.programs.solvers.barrier.state import WARM, Mode, State, changed, chosen, initial
from argflux.programs.solvers.barrier.trial import tried

LIMIT, PASSES = 3000, 4


class Given(NamedTuple):
    """What instances are given, an instance a row; operands of length 1 are shared."""

    start: Any
    lower: Any
    upper: Any
    duals: tuple | None
    operands: tuple


def barrier_points(
    form: NonlinearForm,
    operands: tuple,
    start: Any,
    lower: Any,
    upper: Any,
    *,
    tolerance: float = 1e-9,
    max_iterations: int = LIMIT,
    duals: Any = None,
) -> BarrierPoint:
    """Solve a batch of nonlinear programs, each from its own start.

    Args:
        form: the program, as functions of one instance.
        operands: what the functions take after x, the batch first; a block of length 1 is shared.
        start: `(B, n)` or `(1, n)`; moved off its bounds.
        lower: lower bounds, `-inf` where there is none.
        upper: upper bounds, `inf` where there is none; an unknown with `lower == upper` is fixed.
        tolerance: the largest violation of the optimality conditions, in the solver's scaling.
        max_iterations: how many steps an instance may take.
        duals: multipliers `(y, z, z_lower, z_upper)` of a solution nearby, to start from.
    """
    batch = max(len(a) for a in (*operands, start, lower, upper))
    warm = duals is not None
    wide = lambda a: jnp.broadcast_to(a, (batch, *a.shape[1:]))
    given = Given(wide(start), wide(lower), wide(upper), duals and tuple(map(wide, duals)), operands)

    def begin(given: Given) -> State:
        start, lower, upper = (a.T for a in given[:3])
        box = bounds_of(lower, upper)
        bad = jnp.any(~(lower <= upper) | (lower == jnp.inf) | (upper == -jnp.inf) | ~jnp.isfinite(start), 0)
        x = inside(jnp.where(bad, 0.0, start), box, WARM if warm else PUSH)
        duals = given.duals and tuple(a.T for a in given.duals)
        return initial(x, bad, blank(form, structure(form, operands), x.shape[-1]), box, duals)

    def advance(state: State, given: Given) -> State:
        evaluate = evaluator(form, given.operands, state.mode.size)
        return _advanced(state, evaluate, bounds_of(given.lower.T, given.upper.T), tolerance, max_iterations, warm)

    return through_lanes(batch, given, begin, advance, _unscaled)


def _advanced(state: State, evaluate: Callable, box: Bounds, tolerance: float, limit: int, warm: bool) -> State:
    """Evaluate the functions at the trial points, and choose the next ones."""
    mode, passing, error = state.mode, state.passing, state.error
    going, descending, polishing = mode != Mode.DONE, mode == Mode.DESCEND, mode == Mode.POLISH
    state, trial = tried(state, evaluate, box, warm)
    taken = going & trial.taken
    entering = taken & descending & ~passing & ~trial.descent
    state = state._replace(
        filter=extended(state.filter, state.at, entering),
        point=chosen(taken, trial.point, state.point),
        values=chosen(taken, (trial.local.c, trial.local.g), state.values),
        steps=state.steps + going.astype(jnp.int32),
        iterations=state.iterations + (taken & ~passing).astype(jnp.int32),
        passing=passing & ~going,
    )
    state, fresh = gone_on(state, trial, taken, tolerance, box)
    rejected, polishing = going & ~taken, going & polishing
    stalled = is_stalled(state)
    corrected = rejected & ~stalled & is_correctable(state, trial)
    state = changed(rejected | stalled, lambda s: retried(s, trial, rejected, corrected, stalled, box), state)
    state = changed(polishing, lambda s: polished(s, trial, polishing, taken, error, tolerance), state)
    out = (state.mode != Mode.DONE) & ((state.iterations >= limit) | (state.steps >= PASSES * limit))
    state = given_up(state, out, Status.ITERATION_LIMIT)
    calibrated = taken & (mode == Mode.CALIBRATE) & (state.mode == Mode.DESCEND)
    state = state._replace(passing=state.passing | calibrated)
    fresh = (fresh & ~state.passing & (state.mode != Mode.DONE)) | calibrated
    return changed(fresh | corrected, lambda s: directed(s, trial, fresh, corrected, box, warm), state)


def _unscaled(state: State) -> BarrierPoint:
    """The points in the user's units, the batch first."""
    x, _, y, z, zl, zu = chosen(state.error <= ACCEPTABLE, state.best, state.point)
    scale = state.scale
    y, z, zl, zu = y * scale.c / scale.f, z * scale.g / scale.f, zl / scale.f, zu / scale.f
    return BarrierPoint(x.T, y.T, z.T, zl.T, zu.T, state.status, state.iterations)
