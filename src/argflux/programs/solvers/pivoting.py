"""Dual ascent by principal pivoting: batches of strictly convex programs at once, instances along the last axis."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from argflux.programs.derivatives.dense import Pending, exchange, optimality_matrix, positive_inverse, solve_active
from argflux.programs.forms.form import Rows, times

DEPENDENT = 1e-11
ENDLESS = 1e300
ACCURATE = 1e-14
REFINEMENTS = 3
BLOCKING = 1e-10
RUNNING, DONE, INFEASIBLE, STUCK = range(4)
VIOLATED, WRONG, FORCED, ENTERING, LEAVING = 1.0, 1e9, 4e9, 16e9, 32e9
LARGEST = 1e8


class Pivoted(NamedTuple):
    """Result of pivoting: `found` says where an optimal active set was reached, `infeasible` where none exists.

    `error` is the largest violation of the optimality conditions, relative to their terms. `inverse` is P⁻¹;
    `schur` the inverse of the active rows of `C P⁻¹ C'`, zero elsewhere.
    """

    x: jax.Array
    dual: jax.Array
    side: jax.Array
    found: jax.Array
    infeasible: jax.Array
    iterations: jax.Array
    error: jax.Array
    inverse: jax.Array
    schur: jax.Array


class _Loop(NamedTuple):
    """`level` is the dual of an active row and the value of another; `sign` is -1 on active rows and 1 on others.

    `rank` is FORCED, ENTERING or LEAVING on rows that wait for it; `gap` and `score` follow from the rest, and are
    kept so that every step reduces plain arrays. `risen` is the dual of the row that is entering.
    """

    pending: Pending
    diagonal: jax.Array
    level: jax.Array
    sign: jax.Array
    side: jax.Array
    rank: jax.Array
    gap: jax.Array
    score: jax.Array
    risen: jax.Array
    phase: jax.Array
    count: jax.Array
    iterations: jax.Array


class _Data(NamedTuple):
    lo: jax.Array
    hi: jax.Array
    free: jax.Array
    weight: jax.Array
    tolerance: float


def solve_pivoting(rows: Rows, start: jax.Array, max_iterations: int, tolerance: float) -> Pivoted:
    """Solve strictly convex programs by exchanging active rows.

    With `H = C P⁻¹ C'` the duals and the row values are linked by `C x = v0 - H dual`. A tableau of H is kept in
    which the active rows have been exchanged for their duals. Equalities and guessed rows enter first, guessed rows
    whose dual has the wrong sign leave; then the dual of the most violated row rises until the row is met or
    another dual reaches zero and leaves. That ends at the solution or at a proof that the constraints contradict
    each other.

    Args:
        rows: the programs; P must be positive definite for an instance to be found.
        start: guessed sides, +1 where a row is at `hi`, -1 at `lo`, 0 inactive, `(1 or batch, rows)`.
        max_iterations: limit on exchanges.
        tolerance: what counts as a violation, relative to the scale of the row.

    Source:
        Goldfarb and Idnani, "A numerically stable dual method for solving strictly convex quadratic programs" (1983).
    """
    inverse, definite = positive_inverse(rows.P)
    mapped = rows.C @ inverse
    H = jnp.moveaxis(mapped @ jnp.swapaxes(rows.C, 1, 2), 0, -1)
    diagonal = jnp.sum(mapped * rows.C, 2).T
    scale = jnp.where(diagonal > 0, lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1.0)), 0.0)
    v0 = -scale * times(mapped, rows.q).T
    lo, hi = _scaled(rows.lo.T, scale), _scaled(rows.hi.T, scale)
    scaled = H * scale[:, None] * scale[None]
    loop, data = _initial(scaled, scale > 0, v0, lo, hi, start.T, definite, tolerance)
    loop = lax.while_loop(
        lambda s: jnp.any(s.phase == RUNNING) & (s.iterations < max_iterations), lambda s: _step(s, data), loop
    )
    weight = jnp.where(loop.sign < 0, scale, 0.0).T
    schur = jnp.moveaxis(loop.pending.settled(), -1, 0) * weight[:, :, None] * weight[:, None, :]
    side = jnp.where(loop.sign < 0, loop.side, 0.0).T.astype(jnp.int32)
    found = (loop.phase == DONE) & definite
    x, dual, error = _recover(rows, inverse, schur, side, loop.level.T * weight, found)
    infeasible = (loop.phase == INFEASIBLE) & definite
    return Pivoted(x, dual, side, found & (error < jnp.inf), infeasible, loop.count, error, inverse, schur)


def _scaled(limits, scale):
    return jnp.where(jnp.isfinite(limits), limits * scale, limits)


def _initial(H, curved, v0, lo, hi, start, definite, tolerance: float) -> tuple[_Loop, _Data]:
    count = H.shape[0]
    batch = max(a.shape[-1] for a in (H, v0, lo, hi, start, definite))
    v0, lo, hi = (jnp.broadcast_to(a, (count, batch)) for a in (v0, lo, hi))
    equal = lo == hi
    data = _Data(lo, hi, jnp.where(equal, 0.0, 1.0), 1.0 / (1.0 + jnp.abs(v0)), tolerance)
    side = jnp.where(equal, 1, start).astype(v0.dtype)
    side = jnp.where((side > 0) & ~jnp.isfinite(hi) | (side < 0) & ~jnp.isfinite(lo), 0.0, side)
    rank = jnp.where(equal, 2 * FORCED, jnp.where(side != 0, FORCED, 0.0))
    zeros, none = jnp.zeros((count, batch)), jnp.zeros((batch,), jnp.int32)
    diagonal = jnp.broadcast_to(jnp.where(curved, 1.0, 0.0), (count, batch))
    gap, score = _urgency(data, diagonal, v0, zeros + 1.0, side, rank)
    loop = _Loop(
        pending=Pending(jnp.broadcast_to(H, (count, count, batch)), zeros, zeros),
        diagonal=diagonal,
        level=v0,
        sign=zeros + 1.0,
        side=side,
        rank=rank,
        gap=gap,
        score=score,
        risen=zeros[0],
        phase=jnp.where(definite, RUNNING, STUCK).astype(jnp.int32) + none,
        count=none,
        iterations=jnp.zeros((), jnp.int32),
    )
    return loop, data


def _urgency(data: _Data, diagonal, level, sign, side, rank) -> tuple[jax.Array, jax.Array]:
    """How far each row is from where it should be, and how urgent that is: zero where all is well."""
    active = sign < 0
    above, below = level - data.hi, data.lo - level
    to_hi = jnp.where(side == 0, above > below, side > 0)
    gap = jnp.where(active, -level, jnp.where(to_hi, above, -below))
    fault = jnp.where(active, -level * side * data.free, jnp.maximum(above, below)) * data.weight
    base = jnp.where(active, WRONG, VIOLATED)
    fault = jnp.where(fault > data.tolerance, base + jnp.minimum(fault, LARGEST), 0.0)
    return gap, jnp.where(rank > 0, rank + diagonal, fault)


def _step(s: _Loop, data: _Data) -> _Loop:
    """Choose one row of each instance, move its dual, and exchange it where that is the end of its way."""
    tableau, places = s.pending.settled(), jnp.arange(s.sign.shape[0])[:, None]
    best, index = _largest(s.score)
    unit = places == index
    gap, pivot, sign = _take(s.gap, index), _take(s.diagonal, index), _take(s.sign, index)
    row = jnp.take_along_axis(tableau, index[None, None], 0, mode="clip")[0]
    running = (s.phase == RUNNING) & (best >= VIOLATED)
    forced, leaving = (best >= FORCED) & (best < ENTERING), sign < 0
    independent, way = pivot > DEPENDENT, jnp.where(gap > 0, 1.0, -1.0)
    full = jnp.where(independent, jnp.abs(gap) / jnp.where(independent, pivot, 1.0), ENDLESS)
    shortest, blocker = _first_blocker(s, data, row * (sign * way))
    shortest = jnp.where(forced | leaving, ENDLESS, shortest)
    partial, length = running & (shortest < full), jnp.minimum(shortest, full)
    endless = running & (length >= ENDLESS / 2)
    moved = jnp.where(running & ~endless, way * length, 0.0)
    exchanged = running & independent & ~partial
    left, right = exchange(row, row * s.sign * sign, unit, pivot, exchanged)
    hit, chosen = unit & exchanged, unit & running
    target = jnp.where(s.side > 0, data.hi, data.lo)
    level = jnp.where(hit, jnp.where(leaving, target - moved, s.risen + moved), s.level - (moved * sign) * row)
    new_sign, diagonal = jnp.where(hit, -s.sign, s.sign), s.diagonal - left * right
    side = jnp.where(chosen, jnp.where(leaving, 0.0, jnp.where(s.side == 0, way, s.side)), s.side)
    rank = jnp.where(chosen, jnp.where(partial, ENTERING, 0.0), s.rank)
    rank = jnp.where((places == blocker) & partial, LEAVING, rank)
    gaps, score = _urgency(data, diagonal, level, new_sign, side, rank)
    return _Loop(
        pending=Pending(tableau, left, right),
        diagonal=diagonal,
        level=level,
        sign=new_sign,
        side=side,
        rank=rank,
        gap=gaps,
        score=score,
        risen=jnp.where(partial, s.risen + moved, jnp.where(leaving, s.risen, 0.0)),
        phase=_next_phase(s.phase, best, endless & ~forced, leaving),
        count=s.count + running,
        iterations=s.iterations + 1,
    )


def _first_blocker(s: _Loop, data: _Data, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
    """How far a dual may rise before that of an active row reaches zero, and which row that is."""
    falls = (s.sign < 0) & (slope * s.side * data.free > BLOCKING)
    ratio = jnp.where(falls, -jnp.maximum(s.level / slope, 0.0), -ENDLESS)
    shortest, blocker = _largest(ratio)
    return -shortest, blocker


def _take(values: jax.Array, index: jax.Array) -> jax.Array:
    return jnp.take_along_axis(values, index[None], 0, mode="clip")[0]


def _next_phase(phase, best, endless, leaving) -> jax.Array:
    ended = jnp.where(best >= VIOLATED, RUNNING, DONE)
    ended = jnp.where(endless, jnp.where(leaving, STUCK, INFEASIBLE), ended)
    return jnp.where(phase == RUNNING, ended, phase).astype(jnp.int32)


def _largest(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Maximum along the first axis and where it is; the index rides in the last bits, so that one reduction does."""
    count = values.shape[0]
    mask = jnp.int64((1 << (count - 1).bit_length()) - 1)
    bits = lax.bitcast_convert_type(values, jnp.int64) & ~mask | jnp.arange(count)[:, None]
    best = lax.bitcast_convert_type(jnp.max(lax.bitcast_convert_type(bits, jnp.float64), 0), jnp.int64)
    return lax.bitcast_convert_type(best & ~mask, jnp.float64), best & mask


def _recover(rows: Rows, inverse, schur, side, dual, found) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Primal and dual of the active rows, refined until their equations hold where a solution was found; the error."""
    n, matrix, on = rows.q.shape[1], optimality_matrix(rows.P, rows.C), side != 0
    target = jnp.where(side > 0, rows.hi, rows.lo)
    slope = jnp.broadcast_to(-rows.q, (side.shape[0], n))
    size = jnp.where(jnp.arange(matrix.shape[1]) < n, *(1.0 + _reach(a) for a in (slope, jnp.where(on, target, 0.0))))
    low = jnp.concatenate([slope, jnp.where(on, target, rows.lo)], 1)
    high = jnp.concatenate([slope, jnp.where(on, target, rows.hi)], 1)

    def is_rough(carry):
        _, error, count = carry
        return (count <= REFINEMENTS) & jnp.any(found & (error > ACCURATE))

    def refine(carry):
        point, _, count = carry
        value = times(matrix, point)
        rest = jnp.clip(value, low, high) - value
        error = jnp.max(jnp.abs(rest) / size, 1)
        return (
            jnp.where(error[:, None] > ACCURATE, point + solve_active(rows.C, inverse, schur, rest), point),
            error,
            count + 1,
        )

    start = jnp.concatenate([jnp.zeros_like(slope), dual], 1)
    point, error, _ = lax.while_loop(is_rough, refine, (start, jnp.full(start.shape[:1], jnp.inf), 0))
    return point[:, :n], point[:, n:], error


def _reach(a: jax.Array) -> jax.Array:
    return jnp.max(jnp.abs(a), 1, keepdims=True)
