"""Feasibility restoration: least squares of the violation, whose rows are elastic in the same linear systems.

Minimise `½ |c(x)|² + ½ |g(x) + s|²` with s and x inside their bounds. With y = c and z = g + s as multipliers, its
optimality conditions are those of the program without its objective, and with `c - y = 0` and `g + s - z = 0` as rows.
"""

from typing import Any

import jax.numpy as jnp

from argflux.programs.solvers.barrier.gaps import gaps, largest, total
from argflux.programs.solvers.barrier.point import Bounds, Point

LEAST, MOST = 1e-16, 0.1


def entered(point: Point, c: Any, g: Any, mu: Any, bounds: Bounds) -> Point:
    """The point with the slacks and multipliers that suit restoration."""
    s = (jnp.sqrt(g**2 + 4 * mu) - g) / 2
    s = jnp.where(g > 0, 2 * mu / (jnp.sqrt(g**2 + 4 * mu) + jnp.abs(g)), s)
    below, above = gaps(point.x, bounds)
    zl, zu = jnp.where(bounds.has_lower, mu / below, 0.0), jnp.where(bounds.has_upper, mu / above, 0.0)
    return Point(point.x, s, c, mu / s, zl, zu)


def first_barrier(c: Any, g: Any) -> Any:
    """A barrier parameter that suits the size of the violation."""
    v = violation(c, jnp.maximum(g, 0.0))
    return jnp.clip(0.1 * v**2, LEAST, MOST)


def last_barrier(v: Any) -> Any:
    """The barrier parameter at which restoration is near a stationary point, at a violation."""
    return jnp.maximum(1e-8 * jnp.minimum(v, v**2), LEAST)


def violation(c: Any, rows: Any) -> Any:
    """The largest violation."""
    return jnp.maximum(largest(c), largest(rows))


def squares(c: Any, rows: Any) -> Any:
    """What restoration minimises."""
    return (total(c**2) + total(rows**2)) / 2


def left(point: Point, mu: Any, bounds: Bounds) -> Point:
    """The point with multipliers that suit the program again."""
    below, above = gaps(point.x, bounds)
    fit = lambda real, gap: jnp.where(real, jnp.minimum(mu / gap, 1e3), 0.0)
    zl, zu = fit(bounds.has_lower, below), fit(bounds.has_upper, above)
    return Point(point.x, point.s, 0 * point.y, fit(True, point.s), zl, zu)
