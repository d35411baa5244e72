"""Differentiable sorting and ranking: projections onto the permutahedron, by isotonic regression."""

from typing import Any

import jax
import jax.numpy as jnp

from argflux.errors import ArgumentError, ShapeError
from argflux.jaxpr import Tracer
from argflux.keywords import explained
from argflux.kinds import Number
from argflux.programs.sets.polyhedron import increasing
from argflux.programs.sets.projection import project
from argflux.programs.statements.blocks import read_array


@explained
def soft_sort(x: Any, strength: Number = 1.0) -> jax.Array:
    """Sort rows in ascending order, smoothly: the nearest point to `(1, …, n) / strength` among mixtures of orders.

    Args:
        x: `(…, n)`.
        strength: of the smoothing; the smaller, the nearer to the exact order.

    Returns:
        `(…, n)`, ascending, with the sum of x.

    Raises:
        ArgumentError: for a strength that is not positive.

    Source:
        Blondel, Teboul, Berthet and Djolonga, "Fast differentiable sorting and ranking" (2020).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import soft_sort
        >>> soft_sort(jnp.array([3.0, 1.0, 2.0]), strength=0.1).round(4).tolist()
        [1.0, 2.0, 3.0]
    """
    x, strength = _rows(x, strength, "soft_sort")
    steps = jnp.broadcast_to(jnp.arange(1, x.shape[-1] + 1).astype(x.dtype) / strength, x.shape)
    return _nearest_mixture(steps, jnp.sort(x, axis=-1))


@explained
def soft_rank(x: Any, strength: Number = 1.0) -> jax.Array:
    """Rank rows, smoothly: 1 for the smallest element, n for the largest, ties and near ties in between.

    The nearest point to `x / strength` among mixtures of the permutations of `(1, …, n)`.

    Args:
        x: `(…, n)`.
        strength: of the smoothing; the smaller, the nearer to the exact ranks.

    Returns:
        `(…, n)`, with sum `n (n + 1) / 2`.

    Raises:
        ArgumentError: for a strength that is not positive.

    Source:
        Blondel, Teboul, Berthet and Djolonga, "Fast differentiable sorting and ranking" (2020).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import soft_rank
        >>> soft_rank(jnp.array([30.0, 10.0, 20.0])).round(4).tolist()
        [3.0, 1.0, 2.0]
    """
    x, strength = _rows(x, strength, "soft_rank")
    ranks = jnp.broadcast_to(jnp.arange(1, x.shape[-1] + 1).astype(x.dtype), x.shape)
    return _nearest_mixture(x / strength, ranks)


def _nearest_mixture(z: jax.Array, w: jax.Array) -> jax.Array:
    """The nearest point to z in the hull of the permutations of an ascending w."""
    order = jnp.argsort(z, axis=-1)
    ascending = jnp.take_along_axis(z, order, axis=-1)
    if z.shape[-1] == 1:
        return w
    found = ascending - project(increasing(z.shape[-1]))(ascending - w)
    return jnp.take_along_axis(found, jnp.argsort(order, axis=-1), axis=-1)


def _rows(x: Any, strength: float, where: str) -> tuple[jax.Array, jax.Array]:
    x = read_array("x", x, None, where)
    if not x.ndim or not x.shape[-1]:
        raise ShapeError(f"shape {list(x.shape)}", "shape [..., n]", "pass a vector or rows", where=where)
    if not isinstance(strength, Tracer) and not strength > 0:
        raise ArgumentError(f"strength={strength}", "a positive number", "pass e.g. strength=1.0", where=where)
    return x, jnp.asarray(strength, x.dtype)
