"""What the solver carries from one evaluation of the functions to the next, for each instance."""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.programs.answers.status import Status
from argflux.programs.solvers.barrier import search
from argflux.programs.solvers.barrier.factor import Factor
from argflux.programs.solvers.barrier.newton import System
from argflux.programs.solvers.barrier.point import Bounds, Point, Scale
from argflux.programs.solvers.barrier.search import Filter, Height

MU = 0.1
PROMISING = 1e-3
WARM, ALWAYS, LEAST = 1e-3, 1e3, 1e-6


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


class Stall(NamedTuple):
    """The least violation of late, and how many steps have not made it much smaller."""

    least: Any
    count: Any


class State(NamedTuple):
    """A batch under way; no entry looks at another's."""

    mode: Any
    passing: Any  # the next trial point is taken as it is
    point: Point
    step: Step
    plain: Step  # the step before second-order corrections
    system: System
    factor: Factor
    right: Any  # the right side of stationarity
    rows: tuple  # violations that the step is to take down, of equalities and inequalities
    values: tuple  # c and g at the point
    at: Height
    filter: Filter
    mu: Any
    delta: Any
    floor: Any  # the least multiple of the identity that is added
    scale: Scale
    limits: tuple  # the largest violation allowed, and the largest called small
    trials: Any
    corrections: Any
    boosts: Any
    corrected: Any  # the violation after the last correction
    begun: tuple  # barrier parameter when restoration began, and the violation that it has to come below
    restorations: Any
    stall: Stall
    stillness: Any  # how far restoration is from a stationary point, relative to the violation
    active: Active
    resume: Point  # where to go on if polishing comes to nothing
    promise: Any  # the error at which polishing is tried next
    polishes: Any
    best: Point
    error: Any
    iterations: Any
    steps: Any
    status: Any


def chosen(where: Any, new: Any, old: Any) -> Any:
    """Leaf by leaf `new` for the instances `where`, else `old`."""
    return jax.tree.map(lambda new, old: jnp.where(where, new, old), new, old)


def changed(where: Any, change: Callable[[State], State], state: State) -> State:
    """The state after a change that concerns the instances `where`; what no instance needs is not computed."""
    return jax.lax.cond(jnp.any(where), change, lambda state: state, state)


def still(point: Point) -> Step:
    """No step at all."""
    one = jnp.ones(point.x.shape[-1])
    return Step(Point(*[jnp.zeros_like(a) for a in point]), one, one)


def initial(x: Any, bad: Any, blank: tuple[System, Factor], box: Bounds, duals: Any = None) -> State:
    """The state before the first evaluation, at points inside the bounds; `duals` are in the user's units.

    `blank` are a system and its factor of the right shapes.
    """
    batch = x.shape[-1]
    n, p, m = len(x), len(blank[0].Dc), len(blank[0].Dg)
    zeros = lambda *shape: jnp.zeros((*shape, batch))
    one, no, none = zeros() + 1, jnp.zeros(batch, bool), jnp.zeros(batch, jnp.int32)
    low, high = jnp.where(box.has_lower, one, 0.0), jnp.where(box.has_upper, one, 0.0)
    point = Point(x, zeros(m) + 1, zeros(p), zeros(m) + 1, low, high)
    mu, promise = (MU, PROMISING) if duals is None else (WARM, ALWAYS)
    if duals is not None:
        y, *rest = duals
        point = Point(x, point.s, y, *[jnp.maximum(z, LEAST) for z in rest])
    rows = (zeros(p), zeros(m))
    return State(
        mode=jnp.where(bad, jnp.int32(Mode.DONE), jnp.int32(Mode.CALIBRATE)),
        passing=~no,
        point=point,
        step=still(point),
        plain=still(point),
        system=blank[0],
        factor=blank[1],
        right=zeros(n),
        rows=rows,
        values=rows,
        at=Height(zeros(), zeros(), zeros()),
        filter=search.empty(batch),
        mu=mu * one,
        delta=zeros(),
        floor=zeros(),
        scale=Scale(one, zeros(p) + 1, zeros(m) + 1),
        limits=(jnp.inf * one, zeros()),
        trials=none,
        corrections=none,
        boosts=none,
        corrected=zeros(),
        begun=(mu * one, zeros()),
        restorations=none,
        stall=Stall(jnp.inf * one, none),
        stillness=jnp.inf * one,
        active=Active(zeros(m) > 1, zeros(n) > 1, zeros(n) > 1),
        resume=point,
        promise=promise * one,
        polishes=none,
        best=point,
        error=jnp.inf * one,
        iterations=none,
        steps=none,
        status=jnp.where(bad, jnp.int32(Status.BAD_DATA), jnp.int32(Status.ITERATION_LIMIT)),
    )
