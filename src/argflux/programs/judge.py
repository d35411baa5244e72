"""What an answer is worth: residuals of the optimality conditions, status, active set and regularity."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.programs.form import Blocks, Form, bounds, dense_curvature, row_sums, times, transposed_times
from argflux.programs.pseudo import Active, null_spaces, replace_where
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


def violations(form: Form, blocks: Blocks, answer: Answer) -> jax.Array:
    """Primal, dual and complementarity residuals, relative to the size of their terms, `(batch, 3)`."""
    x, y, z = answer.x, answer.dual[:, : form.p], answer.dual[:, form.p :]
    lower, upper = bounds(form, blocks)
    Ax, Gx = times(blocks.A, x), times(blocks.G, x)
    excess = jnp.concatenate(
        [jnp.abs(Ax - blocks.b), jnp.maximum(Gx - blocks.h, 0.0), jnp.maximum(jnp.maximum(lower - x, x - upper), 0.0)],
        1,
    )
    size = _largest(jnp.concatenate([Ax, _finite(Gx + 0.0 * blocks.h)], 1))
    primal = _largest(excess) / (1.0 + jnp.maximum(size, _largest(blocks.b + 0.0 * Ax)))
    terms = [curve(form, blocks.P, x), blocks.q + 0.0 * x, transposed_times(blocks.A, y), transposed_times(blocks.G, z)]
    wrong = jnp.maximum(-z, 0.0)
    total = terms[0] + terms[1] + terms[2] + terms[3] + answer.bound
    scale = 1.0 + _largest(jnp.concatenate(terms, 1))
    dual = jnp.maximum(_largest(total), _largest(wrong)) / scale
    gaps = [z * _finite(blocks.h - Gx)]
    gaps += [jnp.where(answer.bound > 0, answer.bound * _finite(upper - x), answer.bound * _finite(x - lower))]
    misplaced = jnp.where(answer.bound > 0, jnp.isinf(upper), (answer.bound < 0) & jnp.isinf(lower))
    dual = jnp.maximum(dual, _largest(jnp.where(misplaced, answer.bound, 0.0)) / scale)
    cost = jnp.abs(jnp.sum(x * (terms[0] / 2 + blocks.q), 1))
    gap = _largest(jnp.concatenate(gaps, 1)) / (1.0 + cost)
    return jnp.stack([primal, dual, gap], 1)


def _largest(a: jax.Array) -> jax.Array:
    return jnp.max(jnp.abs(a), 1, initial=0.0)


def _finite(a: jax.Array) -> jax.Array:
    return jnp.where(jnp.isfinite(a), a, 0.0)


def judge(form: Form, settings: Any, blocks: Blocks, bad: jax.Array, answer: Answer) -> tuple:
    """The first eleven fields of `Optimum`."""
    finite = jnp.all(jnp.isfinite(answer.x), 1) & jnp.all(jnp.isfinite(answer.dual), 1)
    finite = finite & jnp.all(jnp.isfinite(answer.bound), 1) & ~bad
    clean = [jnp.where(finite[:, None] & (a != 0), a, 0.0) for a in (answer.x, answer.dual, answer.bound)]
    answer = answer._replace(x=clean[0], dual=clean[1], bound=clean[2])
    active, fixed, weak = active_set(form, blocks, answer)
    held = jnp.where(active > 0, answer.dual, 0.0), jnp.where(fixed != 0, answer.bound, 0.0)
    answer = answer._replace(dual=held[0], bound=held[1])
    residuals = violations(form, blocks, answer)
    exact = finite & (jnp.max(residuals, 1) <= settings.tolerance)
    unsure = (answer.status == int(Status.ITERATION_LIMIT)) | (answer.status == int(Status.NUMERICAL_ERROR))
    status = jnp.where(exact & unsure, int(Status.SOLVED), answer.status)
    failed = (status == 0) & ~exact
    status = jnp.where(bad, int(Status.BAD_DATA), jnp.where(failed, int(Status.NUMERICAL_ERROR), status))
    solved = status == 0
    flags = jnp.where(weak, int(Regularity.STRICT_COMPLEMENTARITY), 0)
    direct = answer.direct & ~weak
    if form.patterns is None and form.n + form.p + form.m <= DENSE_LIMIT:
        flags = flags + _ranks(form, blocks, active, fixed, solved & ~direct)
        if form.curvature == "none":  # at a vertex with independent rows, an edge of equal cost starts
            edge = weak & ((flags & int(Regularity.LICQ)) == 0)
            flags = flags | jnp.where(edge, int(Regularity.NON_UNIQUE), 0)
    elif form.patterns is None:
        direct = answer.direct
    mode = jnp.where(solved, jnp.where(direct, 1, 2), 3 if settings.on_failure == "nan" else 0)
    missing = (~solved & (settings.on_failure == "nan"))[:, None]
    values = [jnp.where(missing, jnp.nan, a) for a in (answer.x, answer.dual, answer.bound)]
    objective = jnp.sum(values[0] * (curve(form, blocks.P, values[0]) / 2 + blocks.q), 1)
    regularity = jnp.where(solved, flags, 0)
    return (*values, objective, status, answer.iterations, residuals, regularity, active, fixed, mode)


def active_set(form: Form, blocks: Blocks, answer: Answer) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Active rows of `[A; G]`, sides of the bounds that hold, and whether any of them has a zero dual."""
    lower, upper = bounds(form, blocks)
    x, z = answer.x, answer.dual[:, form.p :]
    push = jnp.maximum(_largest(blocks.q + 0.0 * x), _largest(curve(form, blocks.P, x)))[:, None]
    width = 1.0 + _largest(x)[:, None]
    norm = jnp.maximum(row_sums(blocks.G), 1e-300) if form.m else jnp.ones((1, 0))
    near = (blocks.h - times(blocks.G, x)) <= WEAK * jnp.minimum(norm * width, 1.0 + jnp.abs(blocks.h) + norm)
    active = jnp.concatenate([jnp.ones((x.shape[0], form.p), bool), near], 1)
    below, above = x - lower <= WEAK * width, upper - x <= WEAK * width
    fixed = jnp.where(above & ((answer.bound >= 0) | ~below), 1, jnp.where(below, -1, 0))
    weak = jnp.any(near & (z * norm <= WEAK * push), 1)
    narrow = lower == upper
    weak = weak | jnp.any((fixed != 0) & (jnp.abs(answer.bound) <= WEAK * push) & ~narrow, 1)
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
