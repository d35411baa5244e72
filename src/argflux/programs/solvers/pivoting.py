"""Block principal pivoting on the dual of strictly convex programs, a whole batch at once, in matrix products."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from argflux.programs.form import Rows, times, transposed_times

BLOCK = 16
DEPENDENT = 1e-11
UNSURE = 1e-6
PATIENCE = 3
LEAVING = 1e20
DRIFT = 1e-12
RESTARTS = 4


class Pivoted(NamedTuple):
    """Result of pivoting: `found` says where an optimal active set was reached, `infeasible` where none exists.

    `inverse` is P⁻¹; `schur` the inverse of the active rows of `C P⁻¹ C'`, zero elsewhere.
    """

    x: jax.Array
    dual: jax.Array
    side: jax.Array
    found: jax.Array
    infeasible: jax.Array
    iterations: jax.Array
    inverse: jax.Array
    schur: jax.Array


class _Data(NamedTuple):
    v0: jax.Array
    lo: jax.Array
    hi: jax.Array
    tolerance: float


class _Loop(NamedTuple):
    """`phase` is EXCHANGE, SHRINK or ASCEND, or DONE, INFEASIBLE, STUCK; `entering` a row whose dual is `rising`."""

    M: jax.Array
    basic: jax.Array
    side: jax.Array
    forced: jax.Array
    best: jax.Array
    patience: jax.Array
    width: jax.Array
    phase: jax.Array
    entering: jax.Array
    rising: jax.Array
    count: jax.Array
    iterations: jax.Array


EXCHANGE, SHRINK, ASCEND, DONE, INFEASIBLE, STUCK = range(6)


def solve_pivoting(rows: Rows, start: jax.Array, max_iterations: int, tolerance: float) -> Pivoted:
    """Solve strictly convex programs by exchanging active rows.

    With `H = C P⁻¹ C'` the duals and the row values are linked by `C x = v0 - H dual`. A tableau of H is kept in
    which the active rows have been exchanged for their duals. Each step exchanges, in one product, the rows that
    are violated and the duals of the wrong sign. Where their number stops falling, the wrong duals are dropped and
    a dual ascent, one row at a time, goes on from there; it always ends, at the solution or at a proof that the
    constraints contradict each other.

    Args:
        rows: the programs; P must be positive definite for an instance to be found.
        start: guessed sides, +1 where a row is at `hi`, -1 at `lo`, 0 inactive, `(1 or batch, rows)`.
        max_iterations: limit on exchanges.
        tolerance: what counts as a violation, relative to the scale of the row.

    Source:
        Portugal, Júdice and Vicente, "A comparison of block pivoting and interior-point algorithms for linear
        least squares problems with nonnegative variables" (1994); Goldfarb and Idnani, "A numerically stable dual
        method for solving strictly convex quadratic programs" (1983).
    """
    inverse, definite = positive_inverse(rows.P)
    H = rows.C @ inverse @ jnp.swapaxes(rows.C, 1, 2)
    diagonal = jnp.diagonal(H, axis1=1, axis2=2)
    scale = jnp.where(diagonal > 0, lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1.0)), 0.0)
    v0 = -scale * times(rows.C, times(inverse, rows.q))
    lo, hi = _scaled(rows.lo, scale), _scaled(rows.hi, scale)
    batch = max(v0.shape[0], H.shape[0], lo.shape[0], hi.shape[0])
    H = H * scale[:, :, None] * scale[:, None, :]
    wide = [jnp.broadcast_to(a, (batch, a.shape[1])) for a in (v0, lo, hi)]
    data = _Data(wide[0], wide[1], wide[2], tolerance)
    size = rows.q.shape[1]

    def restart(carry):
        loop = _initial(H, lo, hi, carry[0].side * carry[0].basic, definite, batch)
        loop = lax.while_loop(
            lambda s: jnp.any(s.phase < DONE) & (s.iterations < max_iterations), lambda s: _step(s, data, size), loop
        )
        return loop._replace(count=loop.count + carry[0].count), _drifted(H, loop), carry[2] + 1

    first = _initial(H, lo, hi, start, definite, batch)
    first = first._replace(basic=first.side != 0)
    loop, *_ = lax.while_loop(lambda c: c[1] & (c[2] < RESTARTS), restart, (first, jnp.array(True), 0))
    schur = jnp.where(loop.basic[:, :, None] & loop.basic[:, None, :], loop.M, 0.0)
    schur = schur * scale[:, :, None] * scale[:, None, :]
    side = jnp.where(loop.basic, loop.side, 0)
    x, dual = _recover(rows, inverse, schur, side)
    finite = jnp.all(jnp.isfinite(x), 1) & jnp.all(jnp.isfinite(dual), 1)
    found, infeasible = (loop.phase == DONE) & finite & definite, (loop.phase == INFEASIBLE) & definite
    return Pivoted(x, dual, side, found, infeasible, loop.count, inverse, schur)


def _drifted(H, loop: _Loop) -> jax.Array:
    """Whether rounding has spoiled the tableau of any instance: its block no longer inverts that of H."""
    basic = loop.basic.astype(H.dtype)
    probe = jnp.where(jnp.arange(H.shape[1]) % 2 == 0, 1.0, -0.5) * basic
    answer = times(loop.M, probe) * basic
    error = jnp.max(jnp.abs(times(H, answer) * basic - probe), 1)
    size = 1.0 + jnp.max(jnp.abs(answer), 1)
    return jnp.any((loop.phase == DONE) & ~(error <= DRIFT * size))


def _scaled(limits, scale):
    return jnp.where(jnp.isfinite(limits), limits * scale, limits)


def _initial(H, lo, hi, start, definite, batch) -> _Loop:
    count = H.shape[1]
    equal = jnp.broadcast_to(lo == hi, (batch, count))
    side = jnp.broadcast_to(jnp.where(equal, 1, start), (batch, count)).astype(jnp.int32)
    side = jnp.where((side > 0) & ~jnp.isfinite(hi) | (side < 0) & ~jnp.isfinite(lo), 0, side)
    none = jnp.zeros((batch,), jnp.int32)
    return _Loop(
        M=jnp.broadcast_to(H, (batch, count, count)),
        basic=jnp.zeros((batch, count), bool),
        side=side,
        forced=side != 0,
        best=none + count + 1,
        patience=none + PATIENCE,
        width=none + BLOCK,
        phase=jnp.where(definite, none + EXCHANGE, STUCK),
        entering=jnp.zeros((batch, count), bool),
        rising=jnp.zeros((batch,)),
        count=none,
        iterations=jnp.zeros((), jnp.int32),
    )


def _step(s: _Loop, data: _Data, size: int) -> _Loop:
    """Choose the rows to exchange, by the phase of each instance, and exchange them."""
    equal = data.lo == data.hi
    target = jnp.where(s.side > 0, data.hi, jnp.where(s.side < 0, data.lo, 0.0))
    given = jnp.where(s.basic, data.v0 - target, jnp.where(s.entering, s.rising[:, None], 0.0))
    known = times(s.M, given)
    above, below = data.v0 - known - data.hi, data.lo - data.v0 + known
    outside = jnp.where(s.basic, 0.0, jnp.maximum(jnp.maximum(above, below), 0.0) / (1.0 + jnp.abs(data.v0)))
    wrong = jnp.where(s.basic & ~equal, jnp.maximum(-known * s.side, 0.0), 0.0)
    wrong = jnp.where(wrong > data.tolerance * jnp.max(jnp.abs(known), 1)[:, None], wrong, 0.0)
    outside = jnp.where(outside > data.tolerance, outside, 0.0)
    new_side = jnp.where(above > below, 1, -1).astype(jnp.int32)
    score, s = _exchange_score(s, outside, wrong, equal, size)
    ascent, s = _ascend(s, outside, known, jnp.maximum(above, below), new_side, equal)
    score = jnp.where((s.phase == ASCEND)[:, None], ascent, score)
    chosen, index = lax.top_k(jnp.where((s.phase < DONE)[:, None], score, 0.0), min(BLOCK, score.shape[1]))
    joins = (chosen > 0) & (chosen < LEAVING)
    wanted = (chosen > 0) & (~joins | (jnp.cumsum(joins, 1) <= s.width[:, None]))
    M, accepted = _pivot(s.M, s.basic, index, wanted)
    none = ~jnp.any(accepted, 1)
    hit = jnp.any((index[:, :, None] == jnp.arange(score.shape[1])) & accepted[:, :, None], 1)
    basic, forcing = s.basic ^ hit, jnp.any(s.forced, 1)
    side = jnp.where(hit & ~s.basic & ~s.forced, new_side, s.side)
    blocked = none & (s.phase == EXCHANGE) & ~forcing
    return s._replace(
        M=M,
        basic=basic,
        side=side,
        forced=s.forced & ~hit & ~(none & forcing)[:, None],
        entering=s.entering & ~hit,
        rising=jnp.where(jnp.any(s.entering & ~hit, 1), s.rising, 0.0),
        phase=jnp.where(blocked, SHRINK, jnp.where(none & (s.phase == ASCEND), STUCK, s.phase)),
        count=s.count + (s.phase < DONE),
        iterations=s.iterations + 1,
    )


def _exchange_score(s: _Loop, outside, wrong, equal, size: int) -> tuple[jax.Array, _Loop]:
    """Rank what is wrong in the first two phases, and move instances on to the next phase."""
    forcing = jnp.any(s.forced, 1)
    count = jnp.sum((outside > 0) | (wrong > 0), 1).astype(jnp.int32)
    patience = jnp.where(forcing | (count < s.best), PATIENCE, s.patience - 1)
    exchanging = s.phase == EXCHANGE
    phase = jnp.where(exchanging & ~forcing & (count == 0), DONE, s.phase)
    phase = jnp.where(exchanging & (phase != DONE) & (patience < 0), SHRINK, phase)
    shrunk = (phase == SHRINK) & ~jnp.any(wrong > 0, 1)
    width = jnp.where(shrunk, s.width // 4, s.width)
    phase = jnp.where(shrunk, jnp.where(width > 1, EXCHANGE, ASCEND), phase)
    patience = jnp.where(shrunk, PATIENCE, patience)
    room = size - jnp.sum(s.basic, 1, keepdims=True)
    ordered = jnp.cumsum(outside > 0, 1) <= room
    score = jnp.where(wrong > 0, LEAVING + wrong, jnp.where((phase == EXCHANGE)[:, None] & ordered, outside, 0.0))
    score = jnp.where(forcing[:, None], jnp.where(s.forced, LEAVING * (1.0 + equal), 0.0), score)
    best = jnp.where(shrunk, count + 1, jnp.where(forcing, s.best, jnp.minimum(count, s.best)))
    return score, s._replace(phase=phase, patience=patience, best=best, width=width)


def _ascend(s: _Loop, outside, known, excess, new_side, equal) -> tuple[jax.Array, _Loop]:
    """One step of dual ascent: raise the dual of one violated row until it is met or another dual reaches zero."""
    ascending = s.phase == ASCEND
    fresh = ascending & ~jnp.any(s.entering, 1)
    worst = _first((outside > 0) & (outside == jnp.max(outside, 1)[:, None]))
    entering = jnp.where(fresh[:, None], worst, s.entering & ascending[:, None])
    done = fresh & ~jnp.any(outside > 0, 1)
    e = entering.astype(known.dtype)
    row = transposed_times(s.M, e)
    side = jnp.sum(jnp.where(entering, jnp.where(s.rising[:, None] == 0, new_side, jnp.sign(s.rising)[:, None]), 0), 1)
    pivot, excess = jnp.sum(row * e, 1), jnp.maximum(jnp.sum(jnp.where(entering, excess, 0.0), 1), 0.0)
    full = jnp.where(pivot > DEPENDENT, excess / jnp.where(pivot > DEPENDENT, pivot, 1.0), jnp.inf)
    fall = row * side[:, None] * s.side
    falls = s.basic & ~equal & (fall > 1e-10)
    ratio = jnp.where(falls, jnp.maximum(known * s.side, 0.0) / jnp.where(falls, fall, 1.0), jnp.inf)
    shortest = jnp.min(ratio, 1)
    length = jnp.minimum(full, shortest)
    endless = ascending & ~done & ~jnp.isfinite(length)
    drop = _first(falls & (ratio == shortest[:, None])) & (shortest < full)[:, None]
    score = jnp.where(drop | (entering & (full <= shortest)[:, None]), 1.0, 0.0)
    rising = jnp.where(jnp.any(entering, 1) & jnp.isfinite(length), s.rising + side * length, 0.0)
    phase = jnp.where(done, DONE, jnp.where(endless, INFEASIBLE, s.phase))
    return score, s._replace(entering=entering, rising=rising, phase=phase)


def _first(mask: jax.Array) -> jax.Array:
    return mask & (jnp.cumsum(mask, 1) == 1)


def _pivot(M, basic, index, wanted):
    """Principal pivot transform of M on the wanted indices, leaving out those that depend on the rest."""
    R = jnp.take_along_axis(M, index[:, :, None], 1)
    B = jnp.take_along_axis(R, index[:, None, :], 2)
    flags = jnp.take_along_axis(basic, index, 1)
    sign = jnp.where(basic[:, :, None] == flags[:, None, :], 1.0, -1.0)
    B, accepted = _small_pivot(B, wanted, DEPENDENT, UNSURE)
    E = (index[:, :, None] == jnp.arange(M.shape[1])) & accepted[:, :, None]
    return _transform(M, R, B, E.astype(M.dtype), sign, accepted), accepted


def _transform(M, R, B, E, sign, accepted):
    """Exchange the indices that the rows of E select, given the inverse B of their block and their rows R of M."""
    inverse = jnp.where(accepted[:, :, None] & accepted[:, None, :], B, 0.0)
    inside = jnp.max(E, 1)[:, None, :]
    K = inverse @ jnp.where(inside > 0, 0.0, R)
    row = inverse @ E - K
    left = jnp.where(accepted[:, None, :], jnp.swapaxes(R, 1, 2) * sign, 0.0) * (1.0 - jnp.swapaxes(inside, 1, 2))
    column = left @ inverse
    kept = M * (1.0 - inside) * (1.0 - jnp.swapaxes(inside, 1, 2))
    Et = jnp.swapaxes(E, 1, 2)
    return kept + jnp.concatenate([-left, Et, column], 2) @ jnp.concatenate([K, row, E], 1)


def _small_pivot(B, wanted, first, later):
    """Pivot on the wanted indices, largest first, while the pivots exceed `first` and, once one was made, `later`."""
    size = B.shape[1]

    def step(_, carry):
        B, left, accepted = carry
        diagonal = jnp.where(left, jnp.sum(B * jnp.eye(size), 2), 0.0)
        pivot = jnp.max(diagonal, 1)
        threshold = jnp.where(jnp.any(accepted, 1), later, first)
        good = pivot > threshold
        unit = _first(left & (diagonal == pivot[:, None])) & good[:, None]
        e = unit.astype(B.dtype)
        row, column = jnp.einsum("bij,bi->bj", B, e), jnp.einsum("bij,bj->bi", B, e)
        factor = jnp.where(good, 1.0 / jnp.where(good, pivot, 1.0), 0.0)[:, None]
        B = jnp.where(
            unit[:, :, None],
            jnp.where(unit[:, None, :], factor[:, :, None], -(row * factor)[:, None, :]),
            jnp.where(
                unit[:, None, :], (column * factor)[:, :, None], B - column[:, :, None] * (row * factor)[:, None, :]
            ),
        )
        return B, left & ~unit, accepted | unit

    B, _, accepted = lax.fori_loop(0, size, step, (B, wanted, jnp.zeros(wanted.shape, bool)))
    return B, accepted


def positive_inverse(P: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Inverse of positive definite matrices by blocked Gauss-Jordan elimination, and which of them are definite."""
    n = P.shape[1]
    diagonal = jnp.diagonal(P, axis1=1, axis2=2)
    positive = jnp.all(diagonal > 0, 1)
    scale = lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    width = min(n, max(BLOCK, n // 8))
    padded = -(-n // width) * width
    extra = jnp.diag((jnp.arange(padded) >= n).astype(P.dtype))
    M = jnp.pad(P * scale[:, :, None] * scale[:, None, :], ((0, 0), (0, padded - n), (0, padded - n))) + extra

    def step(j, carry):
        M, definite = carry
        R = lax.dynamic_slice_in_dim(M, j * width, width, 1)
        B = lax.dynamic_slice_in_dim(R, j * width, width, 2)
        B, accepted = _small_pivot(B, jnp.ones(B.shape[:2], bool), 1e-13, 1e-13)
        sign = jnp.where(jnp.arange(padded) < j * width, -1.0, 1.0)[:, None]
        inside = ((jnp.arange(padded) >= j * width) & (jnp.arange(padded) < (j + 1) * width)).astype(M.dtype)
        K = B @ (R * (1.0 - inside))
        left = jnp.swapaxes(R, 1, 2) * sign * (1.0 - inside)[:, None]
        row = lax.dynamic_update_slice_in_dim(-K, B, j * width, 2)
        M = M - left @ K
        M = lax.dynamic_update_slice_in_dim(M, left @ B, j * width, 2)
        return lax.dynamic_update_slice_in_dim(M, row, j * width, 1), definite & jnp.all(accepted, 1)

    M, definite = lax.fori_loop(0, padded // width, step, (M, positive))
    return M[:, :n, :n] * scale[:, :, None] * scale[:, None, :], definite


def _recover(rows: Rows, inverse, schur, side):
    """Primal and dual from the active rows, with two steps of iterative refinement."""
    target = jnp.where(side > 0, rows.hi, jnp.where(side < 0, rows.lo, 0.0))
    x = jnp.zeros((side.shape[0], rows.q.shape[1]))
    dual = jnp.zeros(side.shape)

    def refine(_, carry):
        x, dual = carry
        r1 = -(times(rows.P, x) + rows.q + transposed_times(rows.C, dual))
        r2 = jnp.where(side != 0, target - times(rows.C, x), 0.0)
        dx, ddual = solve_active(rows.C, inverse, schur, r1, r2)
        return x + dx, dual + ddual

    return lax.fori_loop(0, 3, refine, (x, dual))


def solve_active(C, inverse, schur, r1, r2):
    """Solve `P dx + C' ddual = r1`, `C dx = r2` on the active rows, from the two inverses."""
    u = times(inverse, r1)
    ddual = times(schur, times(C, u) - r2)
    return u - times(inverse, transposed_times(C, ddual)), ddual
