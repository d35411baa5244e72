"""What follows from a point that was taken: the barrier parameter, the end of restoration, an answer."""

from typing import Any

import jax.numpy as jnp

from argflux.programs.answers.status import Status
from argflux.programs.solvers.barrier import polish, restore, search
from argflux.programs.solvers.barrier.gaps import largest, logs
from argflux.programs.solvers.barrier.point import Bounds
from argflux.programs.solvers.barrier.residual import residual
from argflux.programs.solvers.barrier.state import Mode, Stall, State, changed, chosen, still
from argflux.programs.solvers.barrier.trial import Trial

NEAR, FASTER, SLOWER, SHARE = 10.0, 1.5, 0.2, 0.1
DECREASES = 4
ACCEPTABLE = 1e-7
ENOUGH = 0.9
STATIONARY = 1e-6
FALLEN, FAR, ENDLESS = 1e10, 1e8, 1e18
FURTHER = 1e-2


def gone_on(state: State, trial: Trial, taken: Any, tolerance: float, box: Bounds) -> tuple[State, Any]:
    """Go on from points taken in descent and in restoration; also which need a new direction."""
    calibrated = taken & (state.mode == Mode.CALIBRATE)
    descending, restoring = taken & (state.mode == Mode.DESCEND), taken & (state.mode == Mode.RESTORE)
    state = changed(restoring, lambda state: _restored(state, trial, restoring, box), state)
    state = _smaller(state, trial, descending, tolerance)
    state = _recorded(state, trial, descending, tolerance, box)
    state = _stalled(state, trial, descending)
    state = state._replace(
        mode=jnp.where(calibrated, jnp.int32(Mode.DESCEND), state.mode),
        floor=jnp.where(taken, 0.0, state.floor),
    )
    return state, taken & (state.mode != Mode.DONE) & ~state.passing


def _smaller(state: State, trial: Trial, descending: Any, tolerance: float) -> State:
    """Lower the barrier parameter while its problem is solved well enough."""
    mu = state.mu
    for _ in range(DECREASES):
        enough = descending & (trial.residual.error(mu) <= NEAR * mu)
        mu = jnp.where(enough, _lowered(mu, SHARE * tolerance), mu)
    return state._replace(mu=mu, filter=search.emptied(state.filter, descending & (mu < state.mu)))


def _lowered(mu: Any, least: Any) -> Any:
    return jnp.minimum(mu, jnp.maximum(least, jnp.minimum(SLOWER * mu, mu**FASTER)))


def _recorded(state: State, trial: Trial, descending: Any, tolerance: float, box: Bounds) -> State:
    """Keep the best point; polish it where that promises something, and end where the objective falls for ever."""
    error = trial.error
    record = descending & (error < state.error)
    boosts = jnp.where(descending & (error < ENOUGH * state.error), 0, state.boosts)
    state = state._replace(
        best=chosen(record, trial.point, state.best), error=jnp.where(record, error, state.error), boosts=boosts
    )
    far = largest(trial.point.x)
    fallen = (trial.local.f < -ENDLESS) | ((trial.local.f < -FALLEN) & (far > FAR))
    fallen = descending & fallen & (trial.theta <= STATIONARY * far)
    state = ended(state, fallen, Status.DUAL_INFEASIBLE)
    promising = record & (error <= jnp.maximum(state.promise, tolerance))
    return changed(promising, lambda state: polish.begun(state, promising, trial.point, box), state)


def _stalled(state: State, trial: Trial, descending: Any) -> State:
    """Count the steps that leave a violation as large as it was."""
    least, count = state.stall
    less = (trial.theta <= ENOUGH * least) | (trial.theta <= state.limits[1])
    stall = Stall(jnp.where(less, trial.theta, least), jnp.where(less, 0, count + 1))
    return state._replace(stall=chosen(descending, stall, state.stall))


def _restored(state: State, trial: Trial, restoring: Any, box: Bounds) -> State:
    """Leave restoration where the violation is smaller, and end it where it can be no smaller nearby."""
    point, local = trial.point, trial.local
    left, goal = state.begun
    elastic = residual(point, local._replace(c=local.c - point.y, g=local.g - point.z), box)
    v = restore.violation(local.c, local.g + point.s)
    value = local.f - left * logs(point, box)
    out = restoring & (trial.theta <= goal) & search.passes(state.filter, trial.theta, value)
    stillness = elastic.error(0.0) / jnp.maximum(v, 1e-300)
    mu, least = state.mu, restore.last_barrier(v)
    for _ in range(DECREASES):
        mu = jnp.where(restoring & (elastic.error(mu) <= NEAR * mu), _lowered(mu, least), mu)
    state = state._replace(
        mode=jnp.where(out, jnp.int32(Mode.CALIBRATE), state.mode),
        mu=jnp.where(out, left, mu),
        passing=state.passing | out,
        point=chosen(out, restore.left(point, left, box), state.point),
        step=chosen(out, still(point), state.step),
        stillness=jnp.where(restoring, stillness, state.stillness),
    )
    return ended(state, restoring & ~out & (stillness <= STATIONARY), Status.LOCALLY_INFEASIBLE)


def polished(state: State, trial: Trial, where: Any, taken: Any, old_error: Any, tolerance: float) -> State:
    """Keep the better point, and go on while it becomes much better; else end, or go back to the barrier."""
    record = where & taken & (trial.error < old_error)
    much = record & (trial.error <= polish.GAIN * old_error) & (trial.error > polish.ENOUGH)
    error = jnp.where(record, trial.error, state.error)
    state = state._replace(
        best=chosen(record, trial.point, state.best), error=error, polishes=jnp.where(where, state.polishes + 1, 0)
    )
    end = where & (~much | (state.polishes > polish.STEPS))
    back = end & (error > tolerance) & (state.promise > tolerance)
    state = state._replace(
        mode=jnp.where(back, jnp.int32(Mode.DESCEND), state.mode),
        point=chosen(back, state.resume, state.point),
        step=chosen(back, still(state.point), state.step),
        passing=state.passing | back,
        promise=jnp.where(back, jnp.maximum(FURTHER * state.promise, tolerance), state.promise),
    )
    end = end & ~back
    state = ended(state, end & (error <= ACCEPTABLE), Status.SOLVED)
    return ended(state, end & (error > ACCEPTABLE), Status.NUMERICAL_ERROR)


def ended(state: State, where: Any, status: Status) -> State:
    """End some instances."""
    return state._replace(
        mode=jnp.where(where, jnp.int32(Mode.DONE), state.mode),
        status=jnp.where(where, jnp.int32(status), state.status),
    )
