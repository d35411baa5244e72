"""Newton steps on the active set, which make a point and its multipliers exact where the program is regular."""

from typing import Any

import jax.numpy as jnp

from argflux.programs.solvers.barrier.gaps import gaps
from argflux.programs.solvers.barrier.newton import HEAVY, System, masked, row_weight
from argflux.programs.solvers.barrier.point import Bounds, Local, Point
from argflux.programs.solvers.barrier.residual import pull
from argflux.programs.solvers.barrier.state import Active

STEPS = 5
ENOUGH = 1e-15
GAIN = 0.1


def active_at(point: Point, bounds: Bounds) -> Active:
    """What is active: where the multiplier is larger than the slack."""
    below, above = gaps(point.x, bounds)
    lower, upper = bounds.has_lower & (point.zl > below), bounds.has_upper & (point.zu > above)
    return Active(point.z > point.s, lower, upper)


def snapped(point: Point, active: Active, bounds: Bounds) -> Point:
    """The point moved onto its active bounds; multipliers of what is not active are 0."""
    x = jnp.where(active.lower, bounds.lower, jnp.where(active.upper, bounds.upper, point.x))
    z, zl, zu = jnp.where(active.g, point.z, 0.0), jnp.where(active.lower, point.zl, 0.0), point.zu
    return Point(x, point.s, point.y, z, zl, jnp.where(active.upper, zu, 0.0))


def completed(point: Point, local: Local, active: Active, bounds: Bounds) -> Point:
    """The point with slacks that close the rows, and multipliers of bounds from stationarity."""
    slope = local.df + pull(local, point.y, point.z)
    fixed = ~bounds.free
    zl = jnp.where(active.lower | fixed, jnp.maximum(slope, 0.0), 0.0)
    zu = jnp.where(active.upper | fixed, jnp.maximum(-slope, 0.0), 0.0)
    return Point(point.x, jnp.maximum(-local.g, 0.0), point.y, jnp.maximum(point.z, 0.0), zl, zu)


def held_system(local: Local, active: Active, bounds: Bounds) -> System:
    """The Newton system with active inequalities as equations and active bounds as fixed unknowns."""
    free = bounds.free & ~active.lower & ~active.upper
    weight = jnp.where(active.g, HEAVY * row_weight(local), 0.0)
    nothing = jnp.zeros_like(local.c)
    return masked(local, jnp.zeros_like(local.df), free, nothing, jnp.zeros_like(weight), weight)


def held_right(point: Point, local: Local, active: Active, bounds: Bounds) -> tuple[Any, Any, Any]:
    """The right side of the Newton system."""
    free = bounds.free & ~active.lower & ~active.upper
    slope = local.df + pull(local, point.y, point.z)
    return jnp.where(free, -slope, 0.0), -local.c, jnp.where(active.g, -local.g, 0.0)
