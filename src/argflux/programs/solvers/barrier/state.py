"""What the solver carries from one evaluation of the functions to the next, for each instance."""

import enum
from typing import Any, NamedTuple

import jax.numpy as jnp

from argflux.programs.solvers.barrier.factor import Factor
from argflux.programs.solvers.barrier.newton import System
from argflux.programs.solvers.barrier.point import Point, Scale
from argflux.programs.solvers.barrier.search import Filter, Height


class Mode(enum.IntEnum):
    """What an instance does with the next evaluation."""

    CALIBRATE = 0
    DESCEND = 1
    RESTORE = 2
    POLISH = 3
    DONE = 4


class Active(NamedTuple):
    """Inequalities and bounds held as equalities."""

    g: Any
    lower: Any
    upper: Any


class Step(NamedTuple):
    """A direction and how far to go, of unknowns and of multipliers."""

    change: Point
    alpha: Any
    dual: Any


class State(NamedTuple):
    """One entry of the batch does not look at another's."""

    mode: Any
    passing: Any  # the next trial point is taken as it is
    point: Point
    step: Step
    plain: Step  # the step before second-order corrections
    system: System
    factor: Factor
    right: Any  # of stationarity
    rows: tuple  # violations that a second-order correction takes down
    values: tuple  # c and g at the point
    at: Height
    filter: Filter
    mu: Any
    delta: Any
    floor: Any
    scale: Scale
    limits: tuple  # the largest violation allowed, and the one called small
    trials: Any
    corrections: Any
    left: tuple  # barrier parameter and violation when restoration began
    stillness: Any  # how far restoration is from a stationary point, relative to the violation
    boosts: Any
    active: Active
    best: Point
    error: Any
    polishes: Any
    iterations: Any
    steps: Any
    status: Any


def chosen(where: Any, new: Any, old: Any) -> Any:
    """Leaf by leaf `new` for the instances `where`, else `old`."""
    if isinstance(new, tuple):
        parts = [chosen(where, a, b) for a, b in zip(new, old, strict=True)]
        return type(new)(*parts) if hasattr(new, "_fields") else tuple(parts)
    return jnp.where(where, new, old)
