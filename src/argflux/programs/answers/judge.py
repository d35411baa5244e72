"""What an answer is worth: residuals of the optimality conditions, status, active set and regularity."""

import functools
from typing import Any, NamedTuple

import jax
import numpy as np

from argflux.programs.answers.ranks import dense_ranks, sparse_ranks
from argflux.programs.answers.status import Regularity, Status
from argflux.programs.forms.arrays import joined, namespace
from argflux.programs.forms.form import Blocks, Form, bounds, curve, times, transposed_times
from argflux.programs.forms.units import Frame, Sizes, is_far, largest, sizes_of

WEAK = 1e-7
NEAR = 1e-9
NOISE = 1e-10
TINY = 1e-300
DENSE_LIMIT = 600


class Answer(NamedTuple):
    """What a solver found; `direct` says that its inverses serve the derivative.

    `dual` belongs to the rows `[A; G]`; `bound` is signed, positive at the upper bound.
    """

    x: Any
    dual: Any
    bound: Any
    status: Any
    iterations: Any
    direct: Any


class Judged(NamedTuple):
    """An answer with what it is worth, an instance a row; the fields of a solution, and what its derivative needs.

    `active` flags the rows of `[A; G]` that hold, `fixed` the sides of the bounds. `mode` is 1 where the optimality
    system is regular, 2 where it may not be, and where there is no solution 0, or 3 for a derivative of NaN.
    """

    x: Any
    dual: Any
    bound: Any
    objective: Any
    status: Any
    iterations: Any
    residuals: Any
    regularity: Any
    active: Any
    fixed: Any
    mode: Any


class Products(NamedTuple):
    """What the matrices make of x."""

    curved: Any
    equal: Any
    below: Any


def multiply(form: Form, blocks: Blocks, x: Any) -> Products:
    """`P x`, `A x` and `G x`."""
    return Products(curve(form, blocks.P, x), times(blocks.A, x), times(blocks.G, x))


def stationarity(form: Form, blocks: Blocks, answer: Answer, products: Products) -> list:
    """The terms `P x`, `q`, `A' y` and `G' z`, without those of blocks that are not there."""
    y, z = answer.dual[:, : form.p], answer.dual[:, form.p :]
    pulls = transposed_times(blocks.A, y), transposed_times(blocks.G, z)
    return [products.curved, blocks.q, *(pull for pull, k in zip(pulls, (form.p, form.m), strict=True) if k)]


def violations(form: Form, blocks: Blocks, answer: Answer, products: Products, frame: Frame) -> tuple:
    """Primal, dual and complementarity residuals of each instance, relative to the size of their terms."""
    xp, terms = namespace(answer.x), stationarity(form, blocks, answer, products)
    sizes = sizes_of(form, blocks, answer.x, terms, frame)
    excess, wrong, gap = _row_violations(form, blocks, answer, products, sizes)
    total = functools.reduce(xp.add, terms)
    if form.bounded:
        outside, misplaced, held = _bound_violations(form, blocks, answer, sizes)
        total = xp.maximum(xp.abs(total + answer.bound), misplaced)
        outside, total, held = largest(outside, total * frame.unit, held)
        excess, gap = xp.maximum(excess, outside), xp.maximum(gap, held)
    else:
        (total,) = largest(total * frame.unit)
    force = sizes.force[:, 0]
    return excess, _ratio(xp.maximum(total, wrong), force), _ratio(gap, force)


def _ratio(part: jax.Array, whole: jax.Array) -> jax.Array:
    return part / namespace(part).maximum(whole, TINY)


def _row_violations(form: Form, blocks: Blocks, answer: Answer, products: Products, sizes: Sizes) -> Any:
    """Largest relative excess of a row, dual of the wrong sign, and product of a dual with its relative slack."""
    xp = namespace(answer.x)
    value, right = xp.concatenate(products[1:], 1), joined(blocks.b, blocks.h)
    excess, equal = value - right, np.arange(form.p + form.m) < form.p
    size = sizes.norm * sizes.width + xp.where(xp.isfinite(right), xp.abs(right), 0.0)
    gap = xp.where(equal, 0.0, answer.dual * sizes.norm * _ratio(finite(excess), size))
    wrong = xp.where(equal, 0.0, xp.maximum(-answer.dual, 0.0) * sizes.norm)
    return largest(_ratio(xp.where(equal, excess, xp.maximum(excess, 0.0)), size), wrong, gap)


def _bound_violations(form: Form, blocks: Blocks, answer: Answer, sizes: Sizes) -> tuple[jax.Array, ...]:
    """Relative excess, duals of bounds not there, and products of duals with relative slacks, unknown by unknown."""
    (lower, upper), x, bound, xp = bounds(form, blocks), answer.x, answer.bound, namespace(answer.x)
    size = xp.maximum(sizes.unit * sizes.width, finite(xp.where(x < lower, xp.abs(lower), xp.abs(upper))))
    excess = _ratio(xp.maximum(xp.maximum(lower - x, x - upper), 0.0), size)
    misplaced = xp.where(bound > 0, xp.isinf(upper), (bound < 0) & xp.isinf(lower))
    slack = xp.where(bound > 0, upper - x, x - lower)
    room = sizes.unit * sizes.width + xp.abs(finite(xp.where(bound > 0, upper, lower)))
    gap = bound * sizes.unit * _ratio(finite(slack), room)
    return excess, xp.where(misplaced, xp.abs(bound), 0.0), gap


def _objective(blocks: Blocks, x: jax.Array, products: Products) -> jax.Array:
    return namespace(x).sum(x * (products.curved / 2 + blocks.q), 1)


def row_excess(form: Form, blocks: Blocks, answer: Answer, frame: Frame) -> Any:
    """Largest relative excess of a row."""
    products = multiply(form, blocks, answer.x)
    terms = stationarity(form, blocks, answer, products)
    return _row_violations(form, blocks, answer, products, sizes_of(form, blocks, answer.x, terms, frame))[0]


def is_ranked(form: Form) -> bool:
    """Whether the ranks of the active rows are computed where a solution may be degenerate."""
    return form.patterns is not None or form.n + form.p + form.m <= DENSE_LIMIT


def rank_flags(form: Form, P, A, G, active: np.ndarray, fixed: np.ndarray, mode: np.ndarray) -> np.ndarray:
    """Flags of `Regularity` for dependent active rows and for a solution that is not unique, on the host.

    Sparse matrices are given by their values.
    """
    if form.patterns is not None:
        return sparse_ranks(form, P, A, G, active, fixed, (mode == 1) | (mode == 2))
    return dense_ranks(form, P, A, G, active, fixed, mode == 2) if is_ranked(form) else np.zeros_like(mode)


def finite(a: jax.Array) -> jax.Array:
    """Zero in the places of infinite numbers and NaN."""
    xp = namespace(a)
    return xp.where(xp.isfinite(a), a, 0.0)


def judge(form: Form, settings: Any, blocks: Blocks, bad: Any, answer: Answer, frame: Frame) -> Judged:
    """Judge answers, but for what the ranks of the active rows say of their regularity."""
    xp = namespace(answer.x)
    sound = xp.all(xp.isfinite(answer.x), 1) & xp.all(xp.isfinite(answer.dual), 1)
    sound = sound & xp.all(xp.isfinite(answer.bound), 1) & ~bad
    sizes = abs(answer.x / frame.unit), abs(answer.dual * frame.norm), abs(answer.bound * frame.unit)
    sound = sound & ~is_far(form, frame, sizes[0])
    clean = [xp.where(sound[:, None] & (a > frame.nothing), v, 0.0) for a, v in zip(sizes, answer[:3], strict=True)]
    answer = answer._replace(x=clean[0], dual=clean[1], bound=clean[2])
    products = multiply(form, blocks, answer.x)
    active, fixed, weak = active_set(form, blocks, answer, products, frame)
    held = xp.where(active > 0, answer.dual, 0.0), xp.where(fixed != 0, answer.bound, 0.0)
    answer = answer._replace(dual=held[0], bound=held[1])
    residuals = violations(form, blocks, answer, products, frame)
    exact = sound & (functools.reduce(xp.maximum, residuals) <= settings.tolerance)
    decided = (answer.status == Status.PRIMAL_INFEASIBLE) | (answer.status == Status.DUAL_INFEASIBLE)
    solved = exact & ~decided & (answer.status != Status.BAD_DATA)
    status = xp.where(answer.status == 0, xp.int32(Status.NUMERICAL_ERROR), answer.status)
    status = xp.where(bad, xp.int32(Status.BAD_DATA), xp.where(solved, xp.int32(Status.SOLVED), status))
    regularity = xp.where(solved & weak, xp.int32(Regularity.STRICT_COMPLEMENTARITY), xp.int32(0))
    values, failed = [*answer[:3], _objective(blocks, answer.x, products)], 0
    if settings.on_failure == "nan":
        failed = 3
        values = [xp.where(solved.reshape(-1, *[1] * (a.ndim - 1)), a, xp.nan) for a in values]
    direct = answer.direct & ~weak if is_ranked(form) else answer.direct
    mode = xp.where(solved, xp.where(direct, xp.int32(1), xp.int32(2)), xp.int32(failed))
    found = (status, answer.iterations, xp.stack(residuals, 1), regularity, active, fixed, mode)
    return Judged._make([*values, *found])


def active_set(
    form: Form, blocks: Blocks, answer: Answer, products: Products, frame: Frame
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Active rows of `[A; G]`, sides of the bounds that hold, and whether any of them has a zero dual.

    A constraint holds if its slack is nothing beside its own numbers or rounding beside the program's, in units, or
    if its dual outweighs it; a dual is zero if it is rounding beside the others, or nothing beside its unknown's.
    """
    xp, z, terms = namespace(answer.x), answer.dual[:, form.p :], stationarity(form, blocks, answer, products)
    sizes = sizes_of(form, blocks, answer.x, terms, frame)
    norm, noise = sizes.norm[:, form.p :], NOISE * sizes.force
    slack, reach = blocks.h - products.below, norm * sizes.width
    near = slack <= xp.maximum(NEAR * (xp.abs(products.below) + finite(xp.abs(blocks.h))), NOISE * reach)
    near = near | (z * norm * reach > slack * sizes.force)
    active = xp.concatenate([xp.ones((len(near), form.p), bool), near], 1)
    weak = xp.any(near & (z * norm <= noise), 1)
    if not form.bounded:
        return active.astype(xp.int32), xp.zeros(answer.x.shape, xp.int32), weak
    lower, upper = bounds(form, blocks)
    below = _at_bound(answer.x, lower, answer.x - lower, -answer.bound, sizes)
    above = _at_bound(answer.x, upper, upper - answer.x, answer.bound, sizes)
    idle = xp.abs(answer.bound) * frame.unit <= xp.maximum(WEAK * sizes.push, noise)
    fixed = xp.where(above & ((answer.bound >= 0) | ~below), 1, xp.where(below, -1, 0))
    weak = weak | xp.any((fixed != 0) & idle & (lower != upper), 1)
    return active.astype(xp.int32), fixed.astype(xp.int32), weak


def _at_bound(x: jax.Array, limit: jax.Array, slack: jax.Array, dual: jax.Array, sizes: Sizes) -> jax.Array:
    own, reach = NEAR * namespace(x).maximum(abs(x), finite(abs(limit))), sizes.unit * sizes.width
    return (slack <= namespace(x).maximum(own, NOISE * reach)) | (dual * sizes.unit * reach > slack * sizes.force)
