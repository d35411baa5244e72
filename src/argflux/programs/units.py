"""Units of the unknowns of a program, in which residuals, slacks and duals of any kind can be compared."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from argflux.programs.form import Blocks, Form, magnitude, times, transposed_times
from argflux.programs.pattern import Sparse

UNCURVED = 1e-12
BALANCES = 2


class Sizes(NamedTuple):
    """What makes numbers in different units comparable, for each instance.

    `unit` is what each unknown is measured in, `norm` what the rows of `[A; G]` make of these units, `width` the
    largest unknown in its unit, `push` the largest term of stationarity of each unknown per unit, `force` that of all.
    """

    unit: Any
    norm: Any
    width: Any
    push: Any
    force: Any


def units(form: Form, blocks: Blocks) -> jax.Array:
    """Changes of the unknowns that cost alike; of those that cost nothing, changes that move the rows alike.

    With P these are `1 / sqrt(diag P)`. Other unknowns take theirs from the rows that couple them to these, or, in
    linear programs, from what balances the rows and columns.
    """
    size = max(blocks.A.shape[0], blocks.G.shape[0])
    if form.curvature == "none":
        columns = jnp.ones((size, form.n))
        return _balanced(blocks, columns, columns > 0)
    curve = diagonal(form, blocks.P)
    curved = curve > UNCURVED * jnp.max(curve, 1, keepdims=True)
    columns = jnp.where(curved, lax.rsqrt(jnp.where(curved, curve, 1.0)), 1.0)
    columns = jnp.broadcast_to(columns, (max(len(columns), size), form.n))
    if not form.p + form.m:
        return columns
    return lax.cond(jnp.all(curved), lambda c: c, lambda c: _balanced(blocks, c, ~curved), columns)


def diagonal(form: Form, P: Any) -> jax.Array:
    """The diagonal of P."""
    if form.curvature == "diagonal":
        return P
    return P.diagonal() if isinstance(P, Sparse) else jnp.diagonal(P, axis1=1, axis2=2)


def _balanced(blocks: Blocks, columns: jax.Array, free: jax.Array) -> jax.Array:
    matrices = [magnitude(M) for M in (blocks.A, blocks.G)]
    known = jnp.where(free & ~jnp.all(free, 1, keepdims=True), 0.0, columns)
    for _ in range(BALANCES):
        sums = [(times(M, known), times(M, columns)) for M in matrices]
        rows = [_inverse(jnp.where(some > 0, some, every)) for some, every in sums]
        pulls = [transposed_times(M, row) for M, row in zip(matrices, rows, strict=True)]
        columns = jnp.where(free, _inverse(pulls[0] + pulls[1]), columns)
        known = columns
    return columns


def _inverse(v: jax.Array) -> jax.Array:
    return 1.0 / jnp.where(v > 0, v, 1.0)


def sizes_of(form: Form, blocks: Blocks, x: jax.Array, terms: list, unit: jax.Array) -> Sizes:
    """Sizes at a point with these terms of stationarity."""
    norm = wide(*(times(magnitude(M), unit) for M in (blocks.A, blocks.G)))
    if form.curvature != "none":  # terms of `P x` may cancel
        terms = [*terms, diagonal(form, blocks.P) * x]
    push = functools.reduce(jnp.maximum, map(jnp.abs, terms)) * unit
    width, force = largest(x / unit, push)
    return Sizes(unit, norm, width[:, None], push, force[:, None])


def wide(*parts: jax.Array) -> jax.Array:
    """Join along axis 1, repeating shared parts where another one is batched."""
    size = max(part.shape[0] for part in parts)
    return jnp.concatenate([jnp.broadcast_to(part, (size, part.shape[1])) for part in parts], 1)


def largest(*arrays: jax.Array) -> Any:
    """Largest magnitudes along axis 1, of all arrays in one pass."""
    sizes = tuple(jnp.broadcast_arrays(*map(jnp.abs, arrays)))
    return lax.reduce(sizes, (0.0,) * len(sizes), lambda a, b: tuple(map(jnp.maximum, a, b)), (1,))
