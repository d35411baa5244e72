"""The filter: which trial points are better than those before."""

from typing import Any, NamedTuple

import jax.numpy as jnp

ENTRIES = 24
GAIN_ROWS, GAIN_BARRIER = 1e-5, 1e-8
ARMIJO, SWITCH_ROWS, SWITCH_SLOPE = 1e-8, 1.1, 2.3
LEAST = 0.05
ROUNDING = 2e-15


class Filter(NamedTuple):
    """Pairs of violation and barrier function that are no longer good enough, `(ENTRIES, B)`, and how many."""

    theta: Any
    phi: Any
    count: Any


class Height(NamedTuple):
    """Violation and barrier function of a point, and the slope of the latter along the step."""

    theta: Any
    phi: Any
    slope: Any


def empty(batch: int) -> Filter:
    """A filter that lets everything through."""
    none = jnp.full((ENTRIES, batch), jnp.inf)
    return Filter(none, none, jnp.zeros(batch, jnp.int32))


def emptied(filter: Filter, where: Any) -> Filter:
    """Forget the entries of some instances."""
    theta, phi, count = filter
    return Filter(jnp.where(where, jnp.inf, theta), jnp.where(where, jnp.inf, phi), jnp.where(where, 0, count))


def extended(filter: Filter, at: Height, where: Any) -> Filter:
    """Enter the points of some instances; the oldest entry makes room."""
    here = (jnp.arange(ENTRIES, dtype=jnp.int32)[:, None] == filter.count % ENTRIES) & where
    theta = jnp.where(here, (1 - GAIN_ROWS) * at.theta, filter.theta)
    phi = jnp.where(here, at.phi - GAIN_BARRIER * at.theta, filter.phi)
    return Filter(theta, phi, filter.count + where.astype(jnp.int32))


def passes(filter: Filter, theta: Any, phi: Any) -> Any:
    """Whether no entry is better in both."""
    entered = filter.theta < jnp.inf
    return ~jnp.any(entered & (theta >= filter.theta) & (phi >= filter.phi), 0)


def is_descent(at: Height, alpha: Any, small: Any) -> Any:
    """Whether the step is one that has to lower the barrier function, at a point whose violation is small."""
    fall = jnp.maximum(-at.slope, 0.0)
    steep = alpha * fall**SWITCH_SLOPE > at.theta**SWITCH_ROWS
    return (at.slope < 0) & steep & (at.theta <= small)


def is_better(at: Height, theta: Any, phi: Any, alpha: Any, descent: Any) -> Any:
    """Armijo's condition for descent steps; for others a fall of either."""
    slack = ROUNDING * jnp.maximum(1.0, jnp.abs(at.phi))
    armijo = phi <= at.phi + ARMIJO * alpha * at.slope + slack
    fall = (theta <= (1 - GAIN_ROWS) * at.theta) | (phi <= at.phi - GAIN_BARRIER * at.theta + slack)
    return jnp.where(descent, armijo, fall)


def shortest(at: Height, small: Any) -> Any:
    """The step length below which no point is to be hoped for."""
    fall = jnp.maximum(-at.slope, 1e-300)
    downhill = at.slope < 0
    length = jnp.where(downhill, jnp.minimum(GAIN_ROWS, GAIN_BARRIER * at.theta / fall), GAIN_ROWS)
    steep = downhill & (at.theta <= small)
    return LEAST * jnp.where(steep, jnp.minimum(length, at.theta**SWITCH_ROWS / fall**SWITCH_SLOPE), length)
