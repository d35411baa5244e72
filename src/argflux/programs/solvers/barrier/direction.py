"""Directions of steps: Newton systems at new points, or old ones with corrected right sides."""

from typing import Any

import jax.numpy as jnp

from argflux.programs.answers.status import Status
from argflux.programs.solvers.barrier import polish
from argflux.programs.solvers.barrier.gaps import gaps, largest, room, total
from argflux.programs.solvers.barrier.newton import masked, regularised, solved, times
from argflux.programs.solvers.barrier.point import Bounds, Point
from argflux.programs.solvers.barrier.progress import ended
from argflux.programs.solvers.barrier.rejection import given_up
from argflux.programs.solvers.barrier.residual import pull
from argflux.programs.solvers.barrier.search import Height
from argflux.programs.solvers.barrier.state import Mode, State, Step, chosen
from argflux.programs.solvers.barrier.trial import Trial, measured

SHARE = 0.99
LARGE = 1e3


def directed(state: State, trial: Trial, fresh: Any, corrected: Any, box: Bounds, warm: bool) -> State:
    """Give new directions to the instances that are `fresh` and to those that are `corrected`."""
    calibrating = fresh & state.passing
    polishing = state.mode == Mode.POLISH
    zero = calibrating | polishing
    elastic = jnp.where(state.mode == Mode.RESTORE, 1.0, 0.0)
    state, right, good, forces = _assembled(state, trial, fresh, elastic, box)
    dx, dy, dz = solved(state.system, state.factor, *right)
    point, mu = state.point, state.mu
    below, above = gaps(point.x, box)
    ds = -state.rows[1] - times(state.system.Jg, dx) + elastic * dz
    dzl = jnp.where(box.has_lower & ~zero, (mu - point.zl * dx) / below - point.zl, 0.0)
    dzu = jnp.where(box.has_upper & ~zero, (mu + point.zu * dx) / above - point.zu, 0.0)
    dy = jnp.where(calibrating & (warm | (largest(dy) > LARGE)), 0.0, dy)
    stay = lambda a: jnp.where(calibrating, 0.0, a)
    change = Point(stay(dx), jnp.where(zero, 0.0, ds), dy, stay(dz), dzl, dzu)
    step = _within(state, change, zero, box)

    sound = jnp.isfinite(sum(total(a) for a in change))
    broken = (fresh & ~good) | ((fresh | corrected) & ~sound)
    moved = fresh & ~broken
    state = state._replace(
        step=chosen(moved | (corrected & ~broken), step, state.step),
        plain=chosen(moved, step, state.plain),
        trials=jnp.where(fresh, 0, state.trials),
        corrections=jnp.where(fresh, 0, state.corrections),
        at=chosen(fresh, _height(state, trial, change, elastic, forces, box), state.at),
    )
    failed = broken & ~polishing
    state = ended(state, broken & polishing, Status.SOLVED)
    return given_up(state, failed, Status.NUMERICAL_ERROR)


def _assembled(state: State, trial: Trial, fresh: Any, elastic: Any, box: Bounds) -> tuple:
    """The state with new systems where `fresh`; right sides, whether systems are good, and the barrier's forces."""
    local, point, mu = trial.local, state.point, state.mu
    calibrating, polishing = fresh & state.passing, state.mode == Mode.POLISH
    below, above = gaps(point.x, box)
    diagonal = jnp.where(box.has_lower, point.zl / below, 0.0) + jnp.where(box.has_upper, point.zu / above, 0.0)
    Dc, Dg = elastic * jnp.ones_like(point.y), point.s / point.z + elastic
    system = masked(local, jnp.where(calibrating, 0.0, diagonal), box.free, Dc, Dg, jnp.where(calibrating, 0.0, 1 / Dg))
    held, (h1, h2, h3) = polish.equations(point, local, state.active, box)
    system, factor, delta, good = regularised(chosen(polishing, held, system), state.delta, state.floor, fresh)
    forces = jnp.where(box.has_lower, mu / below, 0.0) - jnp.where(box.has_upper, mu / above, 0.0)
    slope = local.df + pull(local, point.y, point.z) - jnp.where(calibrating, point.zl - point.zu, forces)
    right = jnp.where(polishing, h1, jnp.where(box.free, -slope, 0.0))
    rows = (local.c - elastic * point.y, local.g + point.s - elastic * point.z)
    kept = fresh & ~polishing & ~calibrating & (delta > 0)
    state = state._replace(
        system=chosen(fresh, system, state.system),
        factor=chosen(fresh, factor, state.factor),
        right=jnp.where(fresh, right, state.right),
        rows=chosen(fresh, rows, state.rows),
        delta=jnp.where(kept, delta, state.delta),
    )
    r2 = jnp.where(polishing, h2, jnp.where(calibrating, 0.0, -state.rows[0]))
    r3 = jnp.where(polishing, h3, point.s - state.rows[1] - mu / point.z)
    return state, (state.right, r2, r3), good, forces


def _within(state: State, change: Point, whole: Any, box: Bounds) -> Step:
    """The longest steps along a direction that stay inside, or whole ones."""
    point = state.point
    below, above = gaps(point.x, box)
    tau = jnp.maximum(SHARE, 1 - state.mu)
    low, high = jnp.where(box.has_lower, change.x, 1.0), jnp.where(box.has_upper, -change.x, 1.0)
    least = lambda a, b, c: jnp.where(whole, 1.0, jnp.minimum(jnp.minimum(a, b), c))
    alpha = least(room(below, low, tau), room(above, high, tau), room(point.s, change.s, tau))
    zl, zu = room(point.zl, change.zl, tau), room(point.zu, change.zu, tau)
    return Step(change, alpha, least(zl, zu, room(point.z, change.z, tau)))


def _height(state: State, trial: Trial, change: Point, elastic: Any, forces: Any, box: Bounds) -> Height:
    """Violation, barrier function and slope at the points from which steps are taken."""
    point, local = state.point, trial.local
    rows = local.g + point.s
    theta, phi = measured(state.mu, point, local, box, elastic > 0)
    slope = local.df + elastic * pull(local, local.c, rows) - forces
    return Height(theta, phi, total(slope * change.x) + total((elastic * rows - state.mu / point.s) * change.s))
