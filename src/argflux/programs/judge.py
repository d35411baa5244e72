"""What an answer is worth: residuals of the optimality conditions, status, active set and regularity."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux.programs.form import Blocks, Form, bounds, dense_curvature, row_sums, times, transposed_times
from argflux.programs.pseudo import Active, null_spaces, replace_where
from argflux.programs.sparsekkt import sparse_ranks
from argflux.programs.status import Regularity, Status

WEAK = 1e-7
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


def violations(form: Form, blocks: Blocks, answer: Answer, products: Products) -> tuple[jax.Array, ...]:
    """Primal, dual and complementarity residuals of each instance, relative to the size of their terms."""
    x, y, z = answer.x, answer.dual[:, : form.p], answer.dual[:, form.p :]
    excess, size, wrong, gap = _row_violations(form, blocks, answer, products)
    pulls = transposed_times(blocks.A, y), transposed_times(blocks.G, z)
    terms = [products.curved, blocks.q, *(pull for pull, count in zip(pulls, (form.p, form.m), strict=True) if count)]
    total, term = functools.reduce(jnp.add, terms), functools.reduce(jnp.maximum, map(jnp.abs, terms))
    if form.bounded:
        outside, misplaced, held = _bound_violations(form, blocks, answer)
        total = jnp.maximum(jnp.abs(total + answer.bound), misplaced)
        outside, total, term, held = _largest(outside, total, term, held)
        excess, gap = jnp.maximum(excess, outside), jnp.maximum(gap, held)
    else:
        total, term = _largest(total, term)
    cost = jnp.abs(_objective(blocks, x, products))
    return excess / (1.0 + size), jnp.maximum(total, wrong) / (1.0 + term), gap / (1.0 + cost)


def _row_violations(form: Form, blocks: Blocks, answer: Answer, products: Products) -> Any:
    """Largest excess of a row, value of a row, dual of the wrong sign, and product of a dual with its slack."""
    value, right = jnp.concatenate(products[1:], 1), _wide(blocks.b, blocks.h)
    excess, equal = value - right, np.arange(form.p + form.m) < form.p
    value = jnp.where(jnp.isfinite(right), jnp.maximum(jnp.abs(value), jnp.where(equal, jnp.abs(right), 0.0)), 0.0)
    gap = jnp.where(equal, 0.0, answer.dual * finite(excess))
    wrong = jnp.where(equal, 0.0, jnp.maximum(-answer.dual, 0.0))
    return _largest(jnp.where(equal, excess, jnp.maximum(excess, 0.0)), value, wrong, gap)


def _bound_violations(form: Form, blocks: Blocks, answer: Answer) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Excess, duals of bounds that are not there, and products of duals with their slacks, variable by variable."""
    (lower, upper), x, bound = bounds(form, blocks), answer.x, answer.bound
    excess = jnp.maximum(jnp.maximum(lower - x, x - upper), 0.0)
    misplaced = jnp.where(bound > 0, jnp.isinf(upper), (bound < 0) & jnp.isinf(lower))
    slack = jnp.where(bound > 0, upper - x, x - lower)
    return excess, jnp.where(misplaced, jnp.abs(bound), 0.0), bound * finite(slack)


def _objective(blocks: Blocks, x: jax.Array, products: Products) -> jax.Array:
    return jnp.sum(x * (products.curved / 2 + blocks.q), 1)


def _wide(*parts: jax.Array) -> jax.Array:
    size = max(part.shape[0] for part in parts)
    return jnp.concatenate([jnp.broadcast_to(part, (size, part.shape[1])) for part in parts], 1)


def _largest(*arrays: jax.Array) -> Any:
    """Largest magnitudes along axis 1, of all arrays in one pass."""
    sizes = tuple(jnp.broadcast_arrays(*map(jnp.abs, arrays)))
    return lax.reduce(sizes, (0.0,) * len(sizes), lambda a, b: tuple(map(jnp.maximum, a, b)), (1,))


def finite(a: jax.Array) -> jax.Array:
    """Zero in the places of infinite numbers and NaN."""
    return jnp.where(jnp.isfinite(a), a, 0.0)


def judge(form: Form, settings: Any, blocks: Blocks, bad: jax.Array, answer: Answer) -> tuple:
    """The first eleven fields of `Optimum`."""
    sound = jnp.all(jnp.isfinite(answer.x), 1) & jnp.all(jnp.isfinite(answer.dual), 1)
    sound = sound & jnp.all(jnp.isfinite(answer.bound), 1) & ~bad
    clean = [jnp.where(sound[:, None] & (a != 0), a, 0.0) for a in (answer.x, answer.dual, answer.bound)]
    answer = answer._replace(x=clean[0], dual=clean[1], bound=clean[2])
    products = multiply(form, blocks, answer.x)
    active, fixed, weak = active_set(form, blocks, answer, products)
    held = jnp.where(active > 0, answer.dual, 0.0), jnp.where(fixed != 0, answer.bound, 0.0)
    answer = answer._replace(dual=held[0], bound=held[1])
    residuals = violations(form, blocks, answer, products)
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
        flags = flags + _ranks(form, blocks, active, fixed, solved & ~direct)
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
    residuals = jnp.stack(residuals, 1)
    return (*values, status, answer.iterations, residuals, regularity, active, fixed, mode)


def active_set(
    form: Form, blocks: Blocks, answer: Answer, products: Products
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Active rows of `[A; G]`, sides of the bounds that hold, and whether any of them has a zero dual."""
    x, z = answer.x, answer.dual[:, form.p :]
    width, push = _largest(x, jnp.maximum(jnp.abs(blocks.q), jnp.abs(products.curved)))
    width, push = 1.0 + width[:, None], WEAK * push[:, None]
    norm = jnp.maximum(row_sums(blocks.G), 1e-300) if form.m else jnp.ones((1, 0))
    near = (blocks.h - products.below) <= WEAK * jnp.minimum(norm * width, 1.0 + jnp.abs(blocks.h) + norm)
    active = jnp.pad(near, ((0, 0), (form.p, 0)), constant_values=True)
    weak = jnp.any(near & (z * norm <= push), 1)
    if not form.bounded:
        return active.astype(jnp.int32), jnp.zeros(x.shape, jnp.int32), weak
    lower, upper = bounds(form, blocks)
    below, above = x - lower <= WEAK * width, upper - x <= WEAK * width
    fixed = jnp.where(above & ((answer.bound >= 0) | ~below), 1, jnp.where(below, -1, 0))
    weak = weak | jnp.any((fixed != 0) & (jnp.abs(answer.bound) <= push) & (lower != upper), 1)
    return active.astype(jnp.int32), fixed.astype(jnp.int32), weak


def _ranks(form: Form, blocks: Blocks, active, fixed, mask) -> jax.Array:
    """LICQ and uniqueness, from the null spaces of the optimality system, where they are in doubt."""
    size = max(blocks.A.shape[0], blocks.G.shape[0])
    C = jnp.concatenate([jnp.broadcast_to(a, (size, *a.shape[1:])) for a in (blocks.A, blocks.G)], 1)
    data = Active(dense_curvature(form, blocks.P), C, active, fixed)

    def one(data):
        primal, dual = null_spaces(data)
        flags = jnp.where(dual > 0.5, int(Regularity.LICQ), 0)
        return ((flags + jnp.where(primal > 0.5, int(Regularity.NON_UNIQUE), 0)).astype(jnp.int32),)

    return replace_where(mask, one, data, (jnp.zeros(mask.shape, jnp.int32),))[0]
