"""The candidates of a maximum: the values among which max pooling, or a maximum along axes, picks the largest."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

MAXIMA = {"reduce_max", "reduce_window_max"}


def candidates(eqn: Any) -> Callable[[list], Array]:
    """Return the function that lays the candidates of an equation's maxima along a new last axis."""
    if eqn.primitive.name == "reduce_max":
        return lambda values: along_axes(values[0], eqn.params["axes"])
    names = ("window_dimensions", "window_strides", "padding", "base_dilation", "window_dilation")
    return lambda values: in_windows(values[0], *(eqn.params[name] for name in names))


def along_axes(x: Array, axes: Sequence[int]) -> Array:
    """Move axes to the end and make one of them.

    Example:
        >>> import jax.numpy as jnp
        >>> along_axes(jnp.zeros((2, 3, 4, 5)), (1, 2)).shape
        (2, 5, 12)
    """
    moved = jnp.moveaxis(x, axes, range(-len(axes), 0))
    return moved.reshape(*moved.shape[: x.ndim - len(axes)], -1)


def in_windows(
    x: Array,
    size: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
) -> Array:
    """Lay the entries of each window along a new last axis; padding counts as -inf.

    Example:
        >>> import jax.numpy as jnp
        >>> in_windows(jnp.arange(6.0), (2,), (2,), [(0, 0)], (1,), (1,)).tolist()
        [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    """
    config = [(low, high, dilation - 1) for (low, high), dilation in zip(padding, base_dilation, strict=True)]
    padded = lax.pad(x, jnp.asarray(-math.inf, x.dtype), config)
    spans = [(k - 1) * dilation for k, dilation in zip(size, window_dilation, strict=True)]
    counts = [(n - span - 1) // stride + 1 for n, span, stride in zip(padded.shape, spans, strides, strict=True)]
    entries = []
    for offset in itertools.product(*map(range, size)):
        starts = [k * dilation for k, dilation in zip(offset, window_dilation, strict=True)]
        limits = [start + (n - 1) * stride + 1 for start, n, stride in zip(starts, counts, strides, strict=True)]
        entries.append(lax.slice(padded, starts, limits, strides))
    return jnp.stack(entries, axis=-1)
