"""Newton steps on the active set, which make a point and its multipliers exact where the program is regular."""

from typing import Any

import jax.numpy as jnp

from argflux.programs.forms.thin import times
from argflux.programs.solvers.barrier.gaps import gaps
from argflux.programs.solvers.barrier.newton import HEAVY, System, masked, row_weight
from argflux.programs.solvers.barrier.point import Bounds, Local, Point
from argflux.programs.solvers.barrier.residual import pull
from argflux.programs.solvers.barrier.state import Active, Mode, State, chosen

STEPS = 5
ENOUGH = 1e-13
GAIN = 0.1


def begun(state: State, where: Any, point: Point, box: Bounds) -> State:
    """Polish some instances from a point."""
    active = active_at(point, box)
    return state._replace(
        mode=jnp.where(where, jnp.int32(Mode.POLISH), state.mode),
        active=chosen(where, active, state.active),
        resume=chosen(where, point, state.resume),
        point=chosen(where, _held(point, active), state.point),
    )


def active_at(point: Point, box: Bounds) -> Active:
    """What is active: where the multiplier is larger than the slack."""
    below, above = gaps(point.x, box)
    return Active(point.z > point.s, box.has_lower & (point.zl > below), box.has_upper & (point.zu > above))


def _held(point: Point, active: Active) -> Point:
    """The point with the multipliers of what is not active 0."""
    z, zl = jnp.where(active.g, point.z, 0.0), jnp.where(active.lower, point.zl, 0.0)
    return point._replace(z=z, zl=zl, zu=jnp.where(active.upper, point.zu, 0.0))


def completed(point: Point, local: Local, active: Active, box: Bounds) -> Point:
    """The point with slacks that close the rows, and multipliers of bounds from stationarity."""
    slope = local.df + pull(local, point.y, point.z)
    zl = jnp.where(active.lower | ~box.free, jnp.maximum(slope, 0.0), 0.0)
    zu = jnp.where(active.upper | ~box.free, jnp.maximum(-slope, 0.0), 0.0)
    return Point(point.x, jnp.maximum(-local.g, 0.0), point.y, jnp.maximum(point.z, 0.0), zl, zu)


def equations(point: Point, local: Local, active: Active, box: Bounds) -> tuple[System, tuple]:
    """The Newton system with active inequalities as equations and active bounds as fixed unknowns; its right side."""
    free = box.free & ~active.lower & ~active.upper
    weight = jnp.where(active.g, HEAVY * row_weight(local), 0.0)
    nothing = jnp.zeros_like(weight)
    system = masked(local, jnp.zeros_like(local.df), free, jnp.zeros_like(local.c), nothing, weight)
    onto = jnp.where(active.lower, box.lower - point.x, jnp.where(active.upper, box.upper - point.x, 0.0))
    slope = local.df + pull(local, point.y, point.z)
    r1 = jnp.where(free, -slope - times(local.W, onto), onto)
    r2, r3 = -local.c - times(local.Jc, onto), -local.g - times(local.Jg, onto)
    return system, (r1, r2, jnp.where(active.g, r3, 0.0))
