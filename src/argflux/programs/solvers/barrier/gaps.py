"""Distances to bounds, and points inside of them."""

from typing import Any

import jax.numpy as jnp

from argflux.programs.solvers.barrier.point import Bounds, Point

PUSH = 1e-3
FLOOR = 2e-16


def bounds_of(lower: Any, upper: Any) -> Bounds:
    """Read bounds with the batch last; an unknown whose bounds coincide is fixed and has none."""
    free = lower < upper
    has_lower, has_upper = free & (lower > -jnp.inf), free & (upper < jnp.inf)
    return Bounds(lower, upper, has_lower, has_upper, free)


def inside(x: Any, bounds: Bounds, push: float = PUSH) -> Any:
    """The point moved off its bounds, by a share `push` of their size or of their distance."""
    lower, upper, has_lower, has_upper, free = bounds
    both = has_lower & has_upper
    share = jnp.where(both, push * (upper - lower), jnp.inf)
    low = lower + jnp.minimum(push * jnp.maximum(1.0, jnp.abs(lower)), share)
    high = upper - jnp.minimum(push * jnp.maximum(1.0, jnp.abs(upper)), share)
    x = jnp.where(has_lower, jnp.maximum(x, low), x)
    x = jnp.where(has_upper, jnp.minimum(x, high), x)
    return jnp.where(free, x, lower)


def gaps(x: Any, bounds: Bounds) -> tuple[Any, Any]:
    """`x - lower` and `upper - x`, one where there is no bound."""
    low, high = bounds.lower, bounds.upper
    below = jnp.maximum(x - low, FLOOR * jnp.maximum(1.0, jnp.abs(low)))
    above = jnp.maximum(high - x, FLOOR * jnp.maximum(1.0, jnp.abs(high)))
    return jnp.where(bounds.has_lower, below, 1.0), jnp.where(bounds.has_upper, above, 1.0)


def room(values: Any, changes: Any, share: Any) -> Any:
    """How far one may go along `changes`, at most 1, so that `values` keep `1 - share` of themselves."""
    if not len(values):
        return jnp.ones(values.shape[-1])
    ratio = jnp.where(changes < 0, -share * values / jnp.where(changes < 0, changes, -1.0), 1.0)
    return jnp.minimum(1.0, jnp.min(ratio, 0))


def logs(point: Point, bounds: Bounds) -> Any:
    """The sum of the logarithms of slacks and distances."""
    below, above = gaps(point.x, bounds)
    return total(jnp.log(point.s)) + total(jnp.log(below)) + total(jnp.log(above))


def total(a: Any) -> Any:
    """The sum over an instance."""
    return jnp.sum(a, 0)


def largest(a: Any) -> Any:
    """The largest magnitude in an instance, 0 where there is nothing."""
    return jnp.max(jnp.abs(a), 0, initial=0.0)
