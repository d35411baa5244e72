"""How far a point is from the conditions of optimality."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from argflux.programs.forms.thin import transposed
from argflux.programs.solvers.barrier.gaps import gaps, largest, total
from argflux.programs.solvers.barrier.point import Bounds, Local, Point

USUAL = 100.0


class Residual(NamedTuple):
    """Stationarity and rows, and the smallest and largest product of a slack and its multiplier."""

    slope: Any
    rows: Any
    low: Any
    high: Any
    weight: Any

    def error(self, mu: Any) -> Any:
        """The largest violation, for products that should be `mu`."""
        gap = jnp.maximum(jnp.maximum(self.high - mu, mu - self.low), 0.0)
        return jnp.maximum(jnp.maximum(self.slope, self.rows), gap * self.weight)


def pull(local: Local, y: Any, z: Any) -> Any:
    """The transposed Jacobians times multipliers."""
    return transposed(local.Jc, y) + transposed(local.Jg, z)


def residual(point: Point, local: Local, bounds: Bounds) -> Residual:
    """Measure a point, its multipliers weighed down where they are large."""
    below, above = gaps(point.x, bounds)
    slope = jnp.where(bounds.free, local.df + pull(local, point.y, point.z) - point.zl + point.zu, 0.0)
    outside = jnp.where(bounds.free, jnp.maximum(bounds.lower - point.x, point.x - bounds.upper), 0.0)
    rows = jnp.maximum(jnp.maximum(largest(local.c), largest(local.g + point.s)), largest(jnp.maximum(outside, 0.0)))
    sides = [(point.z, point.s, None), (point.zl, below, bounds.has_lower), (point.zu, above, bounds.has_upper)]
    low, high, size, count = jnp.inf, 0.0, total(jnp.abs(point.y)), len(point.y) + 0.0
    bound_size, bound_count = 0.0, 0.0
    for z, s, real in sides:
        real = jnp.ones(z.shape, bool) if real is None else real
        low = jnp.minimum(low, jnp.min(jnp.where(real, z * s, jnp.inf), 0, initial=jnp.inf))
        high = jnp.maximum(high, jnp.max(jnp.where(real, z * s, 0.0), 0, initial=0.0))
        bound_size = bound_size + total(jnp.where(real, jnp.abs(z), 0.0))
        bound_count = bound_count + total(real.astype(jnp.float64))
    none = bound_count == 0
    low = jnp.where(none, 0.0, low)
    mean = (size + bound_size) / jnp.maximum(count + bound_count, 1.0)
    slope = largest(slope) * USUAL / jnp.maximum(USUAL, mean)
    weight = jnp.where(none, 0.0, USUAL / jnp.maximum(USUAL, bound_size / jnp.maximum(bound_count, 1.0)))
    return Residual(slope, rows, low, high, weight)
