"""What an answer is worth: residuals of the optimality conditions, status, active set and regularity."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.form import Blocks, Form, bounds, times, transposed_times
from argflux.programs.ranks import dense_ranks
from argflux.programs.sparsekkt import sparse_ranks
from argflux.programs.status import Regularity, Status
from argflux.programs.units import Sizes, largest, sizes_of, wide

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


def curve(form: Form, P, x):
    """`P x`."""
    if form.curvature == "none":
        return jnp.zeros_like(x)
    return P * x if form.curvature == "diagonal" else (times(P, x) + transposed_times(P, x)) / 2


class Products(NamedTuple):
    """What the matrices make of x."""

    curved: Any
    equal: Any
    below: Any


def multiply(form: Form, blocks: Blocks, x: jax.Array) -> Products:
    """`P x`, `A x` and `G x`."""
    return Products(curve(form, blocks.P, x), times(blocks.A, x), times(blocks.G, x))


def stationarity(form: Form, blocks: Blocks, answer: Answer, products: Products) -> list:
    """The terms `P x`, `q`, `A' y` and `G' z`, without those of blocks that are not there."""
    y, z = answer.dual[:, : form.p], answer.dual[:, form.p :]
    pulls = transposed_times(blocks.A, y), transposed_times(blocks.G, z)
    return [products.curved, blocks.q, *(pull for pull, k in zip(pulls, (form.p, form.m), strict=True) if k)]


def violations(form: Form, blocks: Blocks, answer: Answer, products: Products, unit: jax.Array) -> tuple:
    """Primal, dual and complementarity residuals of each instance, relative to the size of their terms."""
    terms = stationarity(form, blocks, answer, products)
    sizes = sizes_of(form, blocks, answer.x, terms, unit)
    excess, wrong, gap = _row_violations(form, blocks, answer, products, sizes)
    total = functools.reduce(jnp.add, terms)
    if form.bounded:
        outside, misplaced, held = _bound_violations(form, blocks, answer, sizes)
        total = jnp.maximum(jnp.abs(total + answer.bound), misplaced)
        outside, total, held = largest(outside, total * unit, held)
        excess, gap = jnp.maximum(excess, outside), jnp.maximum(gap, held)
    else:
        (total,) = largest(total * unit)
    width, force = sizes.width[:, 0], sizes.force[:, 0]
    return excess, _ratio(jnp.maximum(total, wrong), force), _ratio(gap, width * force)


def _ratio(part: jax.Array, whole: jax.Array) -> jax.Array:
    return part / jnp.maximum(whole, TINY)


def _row_violations(form: Form, blocks: Blocks, answer: Answer, products: Products, sizes: Sizes) -> Any:
    """Largest relative excess of a row, dual of the wrong sign, and product of a dual with its slack."""
    value, right = jnp.concatenate(products[1:], 1), wide(blocks.b, blocks.h)
    excess, equal = value - right, np.arange(form.p + form.m) < form.p
    size = sizes.norm * sizes.width + jnp.where(jnp.isfinite(right), jnp.abs(right), 0.0)
    gap = jnp.where(equal, 0.0, answer.dual * finite(excess))
    wrong = jnp.where(equal, 0.0, jnp.maximum(-answer.dual, 0.0) * sizes.norm)
    return largest(_ratio(jnp.where(equal, excess, jnp.maximum(excess, 0.0)), size), wrong, gap)


def _bound_violations(form: Form, blocks: Blocks, answer: Answer, sizes: Sizes) -> tuple[jax.Array, ...]:
    """Relative excess, duals of bounds that are not there, and products of duals with slacks, unknown by unknown."""
    (lower, upper), x, bound = bounds(form, blocks), answer.x, answer.bound
    size = jnp.maximum(sizes.unit * sizes.width, finite(jnp.where(x < lower, jnp.abs(lower), jnp.abs(upper))))
    excess = _ratio(jnp.maximum(jnp.maximum(lower - x, x - upper), 0.0), size)
    misplaced = jnp.where(bound > 0, jnp.isinf(upper), (bound < 0) & jnp.isinf(lower))
    slack = jnp.where(bound > 0, upper - x, x - lower)
    return excess, jnp.where(misplaced, jnp.abs(bound), 0.0), bound * finite(slack)


def _objective(blocks: Blocks, x: jax.Array, products: Products) -> jax.Array:
    return jnp.sum(x * (products.curved / 2 + blocks.q), 1)


def _given_excess(form: Form, given: Blocks, answer: Answer, products: Products, unit: jax.Array) -> jax.Array:
    """Largest relative excess of a row of the program that was given."""
    terms = stationarity(form, given, answer, products)
    return _row_violations(form, given, answer, products, sizes_of(form, given, answer.x, terms, unit))[0]


def finite(a: jax.Array) -> jax.Array:
    """Zero in the places of infinite numbers and NaN."""
    return jnp.where(jnp.isfinite(a), a, 0.0)


def judge(
    form: Form, settings: Any, blocks: Blocks, given: Blocks, bad: jax.Array, answer: Answer, unit: jax.Array
) -> tuple:
    """The first eleven fields of `Optimum`, of an answer to `blocks` in the place of what was `given`."""
    sound = jnp.all(jnp.isfinite(answer.x), 1) & jnp.all(jnp.isfinite(answer.dual), 1)
    sound = sound & jnp.all(jnp.isfinite(answer.bound), 1) & ~bad
    clean = [jnp.where(sound[:, None] & (a != 0), a, 0.0) for a in (answer.x, answer.dual, answer.bound)]
    answer = answer._replace(x=clean[0], dual=clean[1], bound=clean[2])
    products = multiply(form, blocks, answer.x)
    active, fixed, weak = active_set(form, blocks, answer, products, unit)
    held = jnp.where(active > 0, answer.dual, 0.0), jnp.where(fixed != 0, answer.bound, 0.0)
    answer = answer._replace(dual=held[0], bound=held[1])
    residuals = violations(form, blocks, answer, products, unit)
    exact = sound & (functools.reduce(jnp.maximum, residuals) <= settings.tolerance)
    decided = (answer.status == Status.PRIMAL_INFEASIBLE) | (answer.status == Status.DUAL_INFEASIBLE)
    solved = exact & ~decided & (answer.status != Status.BAD_DATA)
    status = jnp.where(answer.status == 0, jnp.int32(Status.NUMERICAL_ERROR), answer.status)
    status = jnp.where(bad, jnp.int32(Status.BAD_DATA), jnp.where(solved, jnp.int32(Status.SOLVED), status))
    flags = jnp.where(weak, jnp.int32(Regularity.STRICT_COMPLEMENTARITY), jnp.int32(0))
    direct = answer.direct & ~weak
    if form.patterns is not None:
        P, A, G = (getattr(M, "values", M) for M in (blocks.P, blocks.A, blocks.G))
        flags = flags + sparse_ranks(form, P, A, G, active, fixed, solved)
    elif form.n + form.p + form.m <= DENSE_LIMIT:
        flags = flags + dense_ranks(form, blocks, active, fixed, (solved & ~direct).astype(jnp.int32))
    else:
        direct = answer.direct
    if form.curvature == "none" and (form.patterns is not None or form.n + form.p + form.m <= DENSE_LIMIT):
        edge = weak & ((flags & jnp.int32(Regularity.LICQ)) == 0)  # at a vertex with independent rows, an edge starts
        flags = flags | jnp.where(edge, jnp.int32(Regularity.NON_UNIQUE), jnp.int32(0))
    values = [*answer[:3], _objective(blocks, answer.x, products)]
    failed = 0
    if settings.on_failure == "nan":
        failed = 3
        values = [jnp.where(jnp.expand_dims(solved, range(1, a.ndim)), a, jnp.nan) for a in values]
    mode = jnp.where(solved, jnp.where(direct, jnp.int32(1), jnp.int32(2)), jnp.int32(failed))
    regularity = jnp.where(solved, flags, 0)
    excess = _given_excess(form, given, answer, products, unit)
    residuals = jnp.stack([jnp.maximum(residuals[0], excess), *residuals[1:]], 1)
    return (*values, status, answer.iterations, residuals, regularity, active, fixed, mode)


def active_set(
    form: Form, blocks: Blocks, answer: Answer, products: Products, unit: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Active rows of `[A; G]`, sides of the bounds that hold, and whether any of them has a zero dual.

    A constraint holds if its slack is nothing beside its own numbers or rounding beside the program's, in units, or
    if its dual outweighs it; a dual is zero if it is rounding beside the others, or nothing beside its unknown's.
    """
    z, terms = answer.dual[:, form.p :], stationarity(form, blocks, answer, products)
    sizes = sizes_of(form, blocks, answer.x, terms, unit)
    norm, noise = sizes.norm[:, form.p :], NOISE * sizes.force
    slack, reach = blocks.h - products.below, norm * sizes.width
    near = slack <= jnp.maximum(NEAR * (jnp.abs(products.below) + finite(jnp.abs(blocks.h))), NOISE * reach)
    near = near | (z * norm * reach > slack * sizes.force)
    active = jnp.pad(near, ((0, 0), (form.p, 0)), constant_values=True)
    weak = jnp.any(near & (z * norm <= noise), 1)
    if not form.bounded:
        return active.astype(jnp.int32), jnp.zeros(answer.x.shape, jnp.int32), weak
    lower, upper = bounds(form, blocks)
    below = _at_bound(answer.x, lower, answer.x - lower, -answer.bound, sizes)
    above = _at_bound(answer.x, upper, upper - answer.x, answer.bound, sizes)
    idle = jnp.abs(answer.bound) * unit <= jnp.maximum(WEAK * sizes.push, noise)
    fixed = jnp.where(above & ((answer.bound >= 0) | ~below), 1, jnp.where(below, -1, 0))
    weak = weak | jnp.any((fixed != 0) & idle & (lower != upper), 1)
    return active.astype(jnp.int32), fixed.astype(jnp.int32), weak


def _at_bound(x: jax.Array, limit: jax.Array, slack: jax.Array, dual: jax.Array, sizes: Sizes) -> jax.Array:
    own, reach = NEAR * jnp.maximum(jnp.abs(x), finite(jnp.abs(limit))), sizes.unit * sizes.width
    return (slack <= jnp.maximum(own, NOISE * reach)) | (dual * sizes.unit * reach > slack * sizes.force)
