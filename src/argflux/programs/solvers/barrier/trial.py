"""Trial points: where they are, what the functions are there, and whether they are taken."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from argflux.programs.forms.thin import entries, like, plus_diagonal
from argflux.programs.solvers.barrier import polish, restore, search
from argflux.programs.solvers.barrier.evaluate import flat, is_finite, scaled
from argflux.programs.solvers.barrier.gaps import PUSH, gaps, largest, logs, total
from argflux.programs.solvers.barrier.point import Bounds, Local, Point, Scale
from argflux.programs.solvers.barrier.residual import Residual, pull, residual
from argflux.programs.solvers.barrier.state import WARM, Mode, State, chosen

STEEPEST, FLATTEST = 100.0, 1e-8
SAFE = 1e10
ALLOWED, SMALL = 1e2, 1e-4
ARMIJO, ROUNDING = 1e-4, 1e-15


class Trial(NamedTuple):
    """Points, functions there, how good they are, and what became of them."""

    point: Point
    local: Local
    theta: Any
    residual: Residual
    error: Any
    finite: Any
    taken: Any
    descent: Any


def tried(state: State, evaluate: Callable, box: Bounds, warm: bool) -> tuple[State, Trial]:
    """Evaluate the functions at the next points, and judge these; `warm` starts bring multipliers."""
    mode = state.mode
    first, calibrating, elastic = state.steps == 0, mode == Mode.CALIBRATE, mode == Mode.RESTORE
    point = _moved(state, box)
    weight = jnp.where(elastic | calibrating, 0.0, state.scale.f)
    local = evaluate(point.x, weight, point.y * state.scale.c, point.z * state.scale.g)
    scale = chosen(first, _scale(local), state.scale)
    local = scaled(local, scale)
    finite = is_finite(local)
    curved = ~calibrating & jnp.isfinite(jnp.sum(flat(entries(local.W)), 0))
    W = like(local.W, jnp.where(curved, entries(local.W), 0.0))
    local = local._replace(W=plus_diagonal(W, jnp.where(calibrating, 1.0, 0.0)))
    point = point._replace(s=jnp.where(first, jnp.maximum(-local.g, WARM if warm else PUSH), point.s))
    point = chosen(first, _in_units(point, scale), point) if warm else point
    point = point._replace(s=jnp.where(mode == Mode.DESCEND, jnp.maximum(point.s, -local.g), point.s))
    theta, phi = measured(state.mu, point, local, box, elastic)
    allowed = jnp.maximum(1, theta)
    state = state._replace(scale=scale, limits=chosen(first, (ALLOWED * allowed, SMALL * allowed), state.limits))
    local = local._replace(df=jnp.where(elastic, 0.0, local.df))
    point = _with_fixed(point, local, box)
    point = chosen(mode == Mode.POLISH, polish.completed(point, local, state.active, box), point)
    finite = finite & jnp.isfinite(theta) & (jnp.isfinite(phi) | (mode == Mode.POLISH))

    at, alpha = state.at, state.step.alpha
    descent = search.is_descent(at, alpha, state.limits[1])
    better = search.is_better(at, theta, phi, alpha, descent)
    better = better & search.passes(state.filter, theta, phi) & (theta <= state.limits[0])
    lower = phi <= at.phi + ARMIJO * alpha * at.slope + ROUNDING * jnp.abs(at.phi)
    exact = residual(point, local, box)
    error = exact.error(0.0)
    taken = jnp.where(elastic, lower, jnp.where(mode == Mode.POLISH, error < state.error, better))
    taken = finite & (taken | state.passing | calibrating)
    return state, Trial(point, local, theta, exact, error, finite, taken, descent)


def measured(mu: Any, point: Point, local: Local, box: Bounds, elastic: Any) -> tuple[Any, Any]:
    """The violation, and what the steps are to lower."""
    rows = local.g + point.s
    theta = total(jnp.abs(local.c)) + total(jnp.abs(rows))
    value = jnp.where(elastic, restore.squares(local.c, rows), local.f)
    return theta, value - mu * logs(point, box)


def _moved(state: State, box: Bounds) -> Point:
    """The points after the step, multipliers kept within a factor of what the barrier says."""
    old, (change, alpha, dual) = state.point, state.step
    x = jnp.where(box.free, old.x + alpha * change.x, old.x)
    s, y = old.s + alpha * change.s, old.y + alpha * change.y
    below, above = gaps(x, box)
    kept = state.passing | (state.mode == Mode.POLISH)

    def safe(z: Any, dz: Any, gap: Any, real: Any) -> Any:
        z = z + dual * dz
        bound = jnp.clip(z, state.mu / (SAFE * gap), SAFE * state.mu / gap)
        return jnp.where(real, jnp.where(kept, z, bound), 0.0)

    z = safe(old.z, change.z, s, True)
    zl = safe(old.zl, change.zl, below, box.has_lower)
    return Point(x, s, y, z, zl, safe(old.zu, change.zu, above, box.has_upper))


def _with_fixed(point: Point, local: Local, box: Bounds) -> Point:
    """The point with multipliers of fixed unknowns from stationarity."""
    slope = jnp.where(box.free, 0.0, local.df + pull(local, point.y, point.z))
    zl, zu = jnp.maximum(slope, 0.0), jnp.maximum(-slope, 0.0)
    return point._replace(zl=jnp.where(box.free, point.zl, zl), zu=jnp.where(box.free, point.zu, zu))


def _in_units(point: Point, scale: Scale) -> Point:
    """The point with multipliers of the user's units in those of the solver."""
    f = scale.f
    return Point(point.x, point.s, point.y * f / scale.c, point.z * f / scale.g, point.zl * f, point.zu * f)


def _scale(local: Local) -> Scale:
    """Factors by which no gradient is larger than `STEEPEST`."""
    factor = lambda slope: jnp.maximum(jnp.minimum(1.0, STEEPEST / jnp.maximum(slope, 1e-300)), FLATTEST)
    rows = lambda J: factor(jnp.max(jnp.abs(entries(J)), 1))
    return Scale(factor(largest(local.df)), rows(local.Jc), rows(local.Jg))
