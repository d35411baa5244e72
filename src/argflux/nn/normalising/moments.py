"""What normalising layers share: moments, and what a scale and a shift start from."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike

from argflux.errors import ArgumentError
from argflux.nn.mode import current, record
from argflux.nn.precision import wide_dtype, widened
from argflux.nn.widths import for_width
from argflux.tree import Buffer


def normalised(x: Array, axes: Sequence[int], eps: float) -> Array:
    """Return (x - mean) / √(variance + eps), moments taken over some axes, all in 32 bits at least.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.normalising.moments import normalised
        >>> normalised(jnp.array([1.0, 3.0]), [0], 0.0).tolist()
        [-1.0, 1.0]
    """
    wide = widened(x)
    centred = wide - jnp.mean(wide, axis=tuple(axes), keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=tuple(axes), keepdims=True)
    return centred * lax.rsqrt(variance + eps)


def affine_pair(affine: bool, shape: Sequence[int | None], dtype: DTypeLike) -> tuple[Any, Any]:
    """Return a scale of ones and a shift of zeros, or (None, None); a size of None waits for the input.

    Example:
        >>> from argflux.nn.normalising.moments import affine_pair
        >>> [a.tolist() for a in affine_pair(True, (2,), "float32")]
        [[1.0, 1.0], [0.0, 0.0]]
    """
    if not affine:
        return None, None
    shape = tuple(shape)
    full = lambda value: lambda width: jnp.full([width if n is None else n for n in shape], value, dtype)
    width = None if None in shape else 0
    return for_width(width, shape, full(1.0)), for_width(width, shape, full(0.0))


def tracked_pair(track: bool, channels: int | None, dtype: DTypeLike) -> tuple[Any, Any]:
    """Return buffers of a running mean, from 0, and variance, from 1, in 32 bits at least, or (None, None).

    Example:
        >>> from argflux.nn.normalising.moments import tracked_pair
        >>> [buffer.value.tolist() for buffer in tracked_pair(True, 2, "float32")]
        [[0.0, 0.0], [1.0, 1.0]]
    """
    ones, zeros = affine_pair(track, (channels,), wide_dtype(dtype))
    return (Buffer(zeros), Buffer(ones)) if track else (None, None)


def follow(buffer: Buffer, value: Array, momentum: float, where: str) -> None:
    """Let a running statistic follow that of a batch: before ← (1 − momentum) before + momentum · value.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> from argflux.nn.normalising.moments import follow
        >>> model = nn.BatchNorm(1)
        >>> _, model = nn.withstate(lambda m: follow(m.mean, jnp.ones(1), 0.5, "BatchNorm(1)"))(model)
        >>> model.mean.value.tolist()
        [0.5]
    """
    before = current(buffer, where)
    after = (1 - momentum) * widened(before) + momentum * value.astype(wide_dtype(before.dtype))
    largest = float(jnp.finfo(before.dtype).max)
    record(buffer, jnp.clip(after, -largest, largest).astype(before.dtype), where)


def channels_of(channels: int | None, *arrays: Any) -> int | None:
    """Return the number of channels, as given or else as the arrays have it; None while nothing knows it.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.normalising.moments import channels_of
        >>> channels_of(3), channels_of(None, None, jnp.ones(2)), channels_of(None, None)
        (3, 2, None)
    """
    return channels if channels is not None else next((a.shape[-1] for a in arrays if a is not None), None)


def checked_eps(where: str, eps: Any) -> float:
    """Return a number of at least 0.

    Example:
        >>> from argflux.nn.normalising.moments import checked_eps
        >>> checked_eps("LayerNorm", 1e-5)
        1e-05
    """
    if isinstance(eps, bool) or not isinstance(eps, int | float) or not eps >= 0:
        raise ArgumentError(f"eps={eps!r}", "a number of at least 0", "pass eps=1e-5", where=where)
    return float(eps)
