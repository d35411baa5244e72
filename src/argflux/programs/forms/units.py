"""Units of the unknowns of a program, in which residuals, slacks and duals of any kind can be compared."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux.programs.forms.arrays import joined, namespace, on_host
from argflux.programs.forms.form import Blocks, Form, bounds, magnitude, times, transposed_times
from argflux.programs.forms.pattern import Sparse

UNCURVED = 1e-12
BALANCES = 2
NOTHING = 1e-30
SLIGHT = 1e-6
FAR = 1e8


class Frame(NamedTuple):
    """What a program is measured in, whatever its solution.

    `unit` is that of each unknown, `norm` what the rows of `[A; G]` make of these units, and `nothing` what only
    rounding makes of zeros in this program, in units.
    """

    unit: Any
    norm: Any
    nothing: Any


class Sizes(NamedTuple):
    """What makes numbers in different units comparable, for each instance.

    `unit` and `norm` are those of the `Frame`, `width` is the largest unknown in its unit, `push` the largest term of
    stationarity of each unknown per unit, `force` that of all.
    """

    unit: Any
    norm: Any
    width: Any
    push: Any
    force: Any


def frame(form: Form, blocks: Blocks) -> Frame:
    """Units of a program, and what is nothing in them."""
    unit = units(form, blocks)
    norm = joined(*(times(magnitude(M), unit) for M in (blocks.A, blocks.G)))
    return Frame(unit, norm, _nothing(form, blocks, unit, norm)[:, None])


def is_far(form: Form, frame: Frame, sizes: Any) -> Any:
    """Which points, given by the sizes of unknowns in units, are so far away that beside these any rows are met.

    Linear programs have no size of their own.
    """
    xp = namespace(sizes)
    if form.curvature == "none":
        return xp.zeros(len(sizes), bool)
    return xp.max(sizes, 1, initial=0.0) > FAR / NOTHING * frame.nothing[:, 0]


def _nothing(form: Form, blocks: Blocks, unit: jax.Array, norm: jax.Array) -> jax.Array:
    """Rounding beside the cost and the distance of zero from the limits; where both are none, zero is a solution.

    Linear programs have no common unit for costs and distances, and solvers that leave zeros as they are.
    """
    xp = namespace(unit)
    if form.curvature == "none":
        return xp.zeros(1)
    far = joined(xp.abs(blocks.b), xp.maximum(-blocks.h, 0.0))
    parts = [blocks.q * unit, xp.where(norm > 0, far / xp.where(norm > 0, norm, 1.0), 0.0)]
    if form.bounded:
        lower, upper = bounds(form, blocks)
        parts.append(xp.maximum(xp.maximum(lower, -upper), 0.0) / unit)
    size = functools.reduce(xp.maximum, [xp.max(xp.abs(part), 1, initial=0.0) for part in parts])
    return xp.where(size > 0, NOTHING * size, xp.inf)


def units(form: Form, blocks: Blocks) -> jax.Array:
    """Changes of the unknowns that cost alike; of those that cost nothing, changes that move the rows alike.

    With P these are `1 / sqrt(diag P)`. Other unknowns take theirs from the rows that couple them to these, or, in
    linear programs, from what balances the rows and columns; under a trace they do not, as `all_curved` says.
    """
    size = max(blocks.A.shape[0], blocks.G.shape[0])
    if form.curvature == "none":
        columns = namespace(blocks.q).ones((size, form.n))
        return _balanced(blocks, columns, columns > 0)
    curve = diagonal(form, blocks.P)
    xp = namespace(curve)
    curved = _curved(form, blocks)
    columns = xp.where(curved, 1 / xp.sqrt(xp.where(curved, curve, 1.0)), 1.0)
    columns = xp.broadcast_to(columns, (max(len(columns), size), form.n))
    if xp is not np or not form.p + form.m or curved.all():
        return columns
    return _balanced(blocks, columns, ~curved)


def all_curved(form: Form, blocks: Blocks) -> Any:
    """Whether P gives every unknown its unit, `(1 or batch,)`."""
    return namespace(blocks.q).all(_curved(form, blocks), 1)


def _curved(form: Form, blocks: Blocks) -> Any:
    curve = diagonal(form, blocks.P)
    return curve > UNCURVED * namespace(curve).max(curve, 1, keepdims=True)


def diagonal(form: Form, P: Any) -> jax.Array:
    """The diagonal of P."""
    if form.curvature == "diagonal":
        return P
    return P.diagonal() if isinstance(P, Sparse) else namespace(P).diagonal(P, axis1=1, axis2=2)


def _balanced(blocks: Blocks, columns: jax.Array, free: jax.Array) -> jax.Array:
    xp, matrices = namespace(columns), [magnitude(M) for M in (blocks.A, blocks.G)]
    known = xp.where(free & ~xp.all(free, 1, keepdims=True), 0.0, columns)
    for _ in range(BALANCES):
        sums = [(times(M, known), times(M, columns)) for M in matrices]
        rows = [_inverse(xp.where(some > 0, some, every)) for some, every in sums]
        pulls = [transposed_times(M, row) for M, row in zip(matrices, rows, strict=True)]
        columns = xp.where(free, _inverse(pulls[0] + pulls[1]), columns)
        known = columns
    return columns


def _inverse(v: jax.Array) -> jax.Array:
    return 1.0 / namespace(v).where(v > 0, v, 1.0)


def sizes_of(form: Form, blocks: Blocks, x: jax.Array, terms: list, frame: Frame) -> Sizes:
    """Sizes at a point with these terms of stationarity.

    Where P measures unknowns and forces alike, neither counts as less than what is slight beside the other: forces
    vanish at the minimum of a quadratic term, and unknowns where rows hold them at zero.
    """
    (unit, norm, _), xp = frame, namespace(x)
    if form.curvature != "none":  # terms of `P x` may cancel
        terms = [*terms, diagonal(form, blocks.P) * x]
    push = functools.reduce(xp.maximum, map(xp.abs, terms)) * unit
    width, force = largest(x / unit, push)
    if form.curvature != "none":
        width, force = xp.maximum(width, SLIGHT * force), xp.maximum(force, SLIGHT * width)
    return Sizes(unit, norm, width[:, None], push, force[:, None])


def largest(*arrays: jax.Array) -> Any:
    """Largest magnitudes along axis 1, of all arrays in one pass."""
    if on_host(*arrays):
        return tuple(np.broadcast_arrays(*[abs(a).max(1, initial=0.0) for a in arrays]))
    sizes = tuple(jnp.broadcast_arrays(*map(jnp.abs, arrays)))
    return lax.reduce(sizes, (0.0,) * len(sizes), lambda a, b: tuple(map(jnp.maximum, a, b)), (1,))
