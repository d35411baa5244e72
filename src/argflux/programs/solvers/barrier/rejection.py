"""What follows from a point that was not taken: a correction, a shorter step, restoration, or an end."""

from typing import Any

import jax.numpy as jnp

from argflux.programs.answers.status import Status
from argflux.programs.solvers.barrier import restore, search
from argflux.programs.solvers.barrier.gaps import total
from argflux.programs.solvers.barrier.point import Bounds
from argflux.programs.solvers.barrier.progress import ACCEPTABLE, ENOUGH, ended
from argflux.programs.solvers.barrier.state import Mode, Stall, State, changed, chosen, still
from argflux.programs.solvers.barrier.trial import Trial

CORRECTIONS, TRIALS, BOOSTS = 4, 30, 8
LESS = 0.99
FEASIBLE = 1e-9
NEARLY = 1e-3
STRONGER, FIRST = 10.0, 1e-4
STALLED, SHARPER = 30, 0.5


def retried(state: State, trial: Trial, rejected: Any, correct: Any, stalled: Any, box: Bounds) -> State:
    """Correct or shorten steps; where that is over, restore feasibility or give up."""
    descending, restoring = rejected & (state.mode == Mode.DESCEND), rejected & (state.mode == Mode.RESTORE)
    shorter = (descending | restoring) & ~correct
    alpha = jnp.where(state.corrections > 0, state.plain.alpha, state.step.alpha) / 2
    trials = state.trials + shorter.astype(jnp.int32)
    too_short = descending & (alpha < search.shortest(state.at, state.limits[1]))
    over = shorter & ((trials > TRIALS) | too_short)
    length, ds = state.step.alpha, state.step.change.s
    c, g = state.rows
    rows = (length * c + trial.local.c, length * g + trial.local.g + state.point.s + length * ds)
    calibrating = rejected & (state.mode == Mode.CALIBRATE)
    lost, still_ = over & restoring, state.stillness <= NEARLY
    state = state._replace(
        step=chosen(shorter, state.plain._replace(alpha=alpha), state.step),
        rows=chosen(correct, rows, state.rows),
        trials=trials,
        corrections=jnp.where(correct, state.corrections + 1, jnp.where(shorter, 0, state.corrections)),
        corrected=jnp.where(correct, trial.theta, state.corrected),
    )
    state = ended(state, calibrating & (state.steps <= 1), Status.BAD_DATA)
    state = given_up(state, (calibrating & (state.steps > 1)) | (lost & ~still_), Status.NUMERICAL_ERROR)
    state = ended(state, lost & still_, Status.LOCALLY_INFEASIBLE)
    helped = (over & descending) | stalled
    return changed(helped, lambda state: _helped(state, helped, box), state)


def is_stalled(state: State) -> Any:
    """Whether a violation stays as large as it was for many steps."""
    return (state.mode == Mode.DESCEND) & (state.stall.count > STALLED)


def is_correctable(state: State, trial: Trial) -> Any:
    """Whether the first trial of a step, or a correction that did well, met more violation than there was."""
    if not len(trial.local.c) + len(trial.local.g):
        return jnp.zeros_like(state.passing)
    before = state.corrections > 0
    first = (state.trials == 0) & ~before & (trial.theta >= state.at.theta)
    again = before & (state.corrections < CORRECTIONS) & (trial.theta <= LESS * state.corrected)
    return (state.mode == Mode.DESCEND) & trial.finite & (first | again)


def _helped(state: State, where: Any, box: Bounds) -> State:
    """Restore feasibility where it lacks, else add to the diagonal, a few times."""
    c, g = state.values
    restored, boosted = where & (state.at.theta > FEASIBLE), where & (state.at.theta <= FEASIBLE)
    mu = restore.first_barrier(c, g)
    entered = restore.entered(state.point, c, g, mu, box)
    theta = total(jnp.abs(c)) + total(jnp.abs(g + entered.s))
    goal = ENOUGH * SHARPER ** state.restorations.astype(theta.dtype) * jnp.minimum(theta, state.at.theta)
    state = state._replace(
        filter=search.extended(state.filter, state.at, restored),
        begun=chosen(restored, (state.mu, goal), state.begun),
        restorations=state.restorations + restored.astype(jnp.int32),
        mode=jnp.where(restored, jnp.int32(Mode.RESTORE), state.mode),
        point=chosen(restored, entered, state.point),
        mu=jnp.where(restored, mu, state.mu),
        stall=chosen(restored, Stall(theta, jnp.zeros_like(state.stall.count)), state.stall),
        stillness=jnp.where(restored, jnp.inf, state.stillness),
        floor=jnp.where(boosted, jnp.maximum(STRONGER * state.delta, FIRST), state.floor),
        boosts=state.boosts + boosted.astype(jnp.int32),
        passing=state.passing | where,
        step=chosen(where, still(state.point), state.step),
        iterations=state.iterations + where.astype(jnp.int32),
    )
    return given_up(state, boosted & (state.boosts > BOOSTS), Status.NUMERICAL_ERROR)


def given_up(state: State, where: Any, status: Status) -> State:
    """End with the best point if it is nearly a solution, else with a status."""
    near = state.error <= ACCEPTABLE
    state = ended(state, where & near, Status.SOLVED)
    return ended(state, where & ~near, status)
