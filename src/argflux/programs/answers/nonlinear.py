"""What an answer of a nonlinear program is worth: residuals of the first-order conditions, activity, regularity."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.answers.judge import finite
from argflux.programs.answers.status import Regularity
from argflux.programs.derivatives.dense import positive_inverse
from argflux.programs.forms.form import magnitude, times, transposed_times
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.forms.pattern import Sparse
from argflux.programs.forms.structure import Structure, matrices

NEAR, WEAK, CLOSE = 1e-9, 1e-7, 1e-4
NULL, FLAT, CLEAR, SURE = 1e-6, 1e-9, 1e-8, 1e-7
HEAVY, POSITIVE = 1e6, 1e-12
ROUNDED = 1e-6  # a hundred millionth of this part of a sum is what rounding leaves of it
TINY = 1e-300
DENSE_LIMIT = 600


class Trial(NamedTuple):
    """A point, an instance a row, and which rows and bounds are taken to hold; `bound` is positive at upper bounds."""

    x: Any
    dual: Any
    bound: Any
    active: Any
    fixed: Any


class Floors(NamedTuple):
    """What counts as one at least: of the objective, and of each row; from the slopes at the start, and not above 1."""

    push: Any
    reach: Any


class Seen(NamedTuple):
    """The functions at a point, and what counts as one there.

    Attributes:
        slope: gradient of `f + y'c + z'g`.
        values: of the equalities and inequalities.
        W: Hessian of that function.
        C: Jacobian of the constraints.
        unit: of each unknown.
        reach: of the values of each row.
        push: of the objective, along the units.
    """

    slope: Any
    values: Any
    W: Any
    C: Any
    unit: Any
    reach: Any
    push: Any

    @property
    def weight(self) -> jax.Array:
        """What a dual of one of each row is worth, of the unit of the objective."""
        return times(magnitude(self.C), self.unit) / self.push


def look(form: NonlinearForm, operands: tuple, trial: Trial, floors: Floors) -> Seen:
    """Evaluate the functions at a point."""
    slope, values, W, C = matrices(form, trial.x, trial.dual, operands)
    width = jnp.max(abs(trial.x), 1, keepdims=True)
    unit = jnp.maximum(abs(trial.x), jnp.minimum(jnp.where(width > 0, width, 1.0), 1.0))
    reach = jnp.maximum(times(magnitude(C), unit), floors.reach)
    pull = transposed_times(C, trial.dual)
    curved = ROUNDED * times(magnitude(W), unit)
    terms = [slope - pull, transposed_times(magnitude(C), abs(trial.dual)), trial.bound, curved]
    push = jnp.max(jnp.stack([jnp.max(abs(term) * unit, 1) for term in terms]), 0)
    push = jnp.maximum(push, floors.push)[:, None]
    return Seen(slope, values, W, C, unit, jnp.maximum(reach, TINY), jnp.maximum(push, TINY))


def violations(form: NonlinearForm, lower: Any, upper: Any, trial: Trial, seen: Seen) -> jax.Array:
    """Relative violations of the constraints, of stationarity and of complementarity, `(batch, 3)`."""
    equal = np.arange(form.rows) < form.p
    x, dual, bound = trial.x, trial.dual, trial.bound
    excess = jnp.where(equal, abs(seen.values), jnp.maximum(seen.values, 0.0)) / seen.reach
    outside = jnp.maximum(jnp.maximum(lower - x, x - upper), 0.0)
    outside = outside / jnp.maximum(seen.unit, finite(jnp.where(x < lower, abs(lower), abs(upper))))
    missing = jnp.where(bound > 0, jnp.isinf(upper), (bound < 0) & jnp.isinf(lower))
    slope = jnp.maximum(abs(seen.slope + bound), jnp.where(missing, abs(bound), 0.0)) * seen.unit / seen.push
    wrong = jnp.where(equal, 0.0, jnp.maximum(-dual, 0.0)) * seen.weight
    gap = jnp.where(equal, 0.0, abs(dual * seen.values)) / seen.push
    held = abs(bound * finite(jnp.where(bound > 0, upper - x, x - lower))) / seen.push
    largest = lambda *parts: jnp.max(jnp.concatenate(parts, 1), 1, initial=0.0)
    return jnp.stack([largest(excess, outside), largest(slope, wrong), largest(gap, held)], 1)


def active_set(
    form: NonlinearForm, lower: Any, upper: Any, trial: Trial, seen: Seen, close: float = NEAR
) -> tuple[jax.Array, jax.Array]:
    """Rows and sides of the bounds that hold: whose slack is nothing, or whose dual outweighs the slack.

    Both are measured in units; where both are less than `close`, the constraint is taken to hold.
    """
    slack, dual = -seen.values / seen.reach, trial.dual * seen.weight
    near = (dual > slack) | (slack <= NEAR) | ((slack <= close) & (dual <= close))
    active = near | (np.arange(form.rows) < form.p)
    below = _at_bound(trial.x - lower, lower, -trial.bound, seen, close)
    above = _at_bound(upper - trial.x, upper, trial.bound, seen, close)
    fixed = jnp.where(above & ((trial.bound >= 0) | ~below), 1, jnp.where(below, -1, 0))
    return active.astype(jnp.int32), fixed.astype(jnp.int32)


def _at_bound(slack: Any, limit: Any, dual: Any, seen: Seen, close: float) -> jax.Array:
    slack, dual = slack / jnp.maximum(seen.unit, finite(abs(limit))), dual * seen.unit / seen.push
    return (dual > slack) | (slack <= NEAR) | ((slack <= close) & (dual <= close))


def is_weak(form: NonlinearForm, lower: Any, upper: Any, trial: Trial, seen: Seen) -> jax.Array:
    """Whether a constraint that holds has a dual of nothing."""
    idle = (trial.active > 0) & (trial.dual * seen.weight <= WEAK) & (np.arange(form.rows) >= form.p)
    free = (trial.fixed != 0) & (abs(trial.bound) * seen.unit / seen.push <= WEAK) & (lower != upper)
    return jnp.any(idle, 1) | jnp.any(free, 1)


def is_clearly_regular(found: Structure | None, trial: Trial, seen: Seen) -> jax.Array:
    """Whether the active rows are independent and the curvature along them positive, by elimination alone.

    Where it says no, `rank_flags` decides.
    """
    return _is_regular(trial, seen) if found is None else _is_regular_in_bands(found, trial, seen)


def _is_regular_in_bands(found: Structure, trial: Trial, seen: Seen) -> jax.Array:
    W, C, unit = found.W, found.C, jnp.where(trial.fixed == 0, seen.unit, 0.0)
    rows = seen.C.values * trial.active[:, C.rows]
    norms = Sparse((rows * seen.unit[:, C.columns]) ** 2, C).times(jnp.ones((1, C.width)))
    rows = (
        rows * unit[:, C.columns] * jnp.where(norms > 0, 1 / jnp.sqrt(jnp.where(norms > 0, norms, 1.0)), 1.0)[:, C.rows]
    )
    curved = seen.W.values * unit[:, W.rows] * unit[:, W.columns]
    size = jnp.max(abs(curved), 1, keepdims=True)
    curved = curved + jnp.where(W.rows == W.columns, size * (trial.fixed != 0)[:, W.rows], 0.0)
    weight = HEAVY * jnp.broadcast_to(size, norms.shape)
    definite = found.band.factorise(curved.T, rows.T, weight.T, POSITIVE)[1]
    if found.gram is None:
        return definite & (C.height == 0)
    idle = jnp.where(trial.active > 0, 0.0, 1.0)
    left = Sparse(rows**2, C).times(jnp.ones((1, C.width)))
    definite = definite & jnp.all((left > CLEAR) | (trial.active == 0), 1)
    return definite & found.gram.factorise(idle.T, rows.T, jnp.ones(unit.T.shape), CLEAR)[1]


def _is_regular(trial: Trial, seen: Seen) -> jax.Array:
    n, free = seen.W.shape[1], (trial.fixed == 0).astype(seen.W.dtype)
    rows = seen.C * trial.active[:, :, None] * seen.unit[:, None]
    norms = jnp.sqrt(jnp.sum(rows * rows, 2))
    rows = rows * free[:, None] / jnp.where(norms > 0, norms, 1.0)[:, :, None]
    gram = rows @ jnp.swapaxes(rows, 1, 2) + jnp.where(trial.active > 0, 0.0, 1.0)[:, :, None] * jnp.eye(rows.shape[1])
    W = seen.W * (free * seen.unit)[:, :, None] * (free * seen.unit)[:, None]
    size = jnp.max(abs(W), (1, 2))[:, None, None]
    W = W + 10 * size * (jnp.swapaxes(rows, 1, 2) @ rows) + size * (1 - free)[:, :, None] * jnp.eye(n)
    there = jnp.all((jnp.sum(rows * rows, 2) > CLEAR) | (trial.active == 0), 1)
    independent = there & positive_inverse(gram, CLEAR)[1] if rows.shape[1] else there
    return independent & positive_inverse(W, CLEAR)[1]


def rank_flags(W, C, slope, active, fixed, unit, doubtful, *, patterns: tuple | None) -> list[np.ndarray]:
    """Flags of `Regularity` for dependent active rows, and for curvature along them that is not positive, by NumPy.

    Curvature that leaves the point uncertain, as what is left of the slope would move it far, counts as none.
    """
    if patterns is not None:
        W, C = (Sparse(values, pattern).dense() for values, pattern in zip((W, C), patterns, strict=True))
    flags = np.zeros(len(doubtful), np.int32)
    for i in np.flatnonzero(doubtful):
        free = np.flatnonzero(fixed[i] == 0)
        rows = (C[i] * unit[i])[active[i] > 0]
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = (rows / np.where(norms > 0, norms, 1.0))[:, free]
        _, values, right = np.linalg.svd(rows) if rows.size else (0, [], np.eye(len(free)))
        rank = int(np.sum(np.greater(values, NULL)))
        curved = (W[i] * unit[i][:, None] * unit[i])[np.ix_(free, free)]
        along = right[rank:]
        values, vectors = np.linalg.eigh(along @ ((curved + curved.T) / 2) @ along.T)
        positive = values > FLAT * np.abs(curved).max(initial=0.0)
        left = np.abs(vectors.T @ (along @ (slope[i] * unit[i])[free]))
        flags[i] = (rank < len(rows)) * Regularity.LICQ
        flags[i] |= (not np.all(positive & (left <= SURE * values))) * Regularity.SECOND_ORDER
    return [flags]
