"""Scalars of the right dtype, and the sum that undoes the implicit broadcasting of elementwise primitives."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jax import lax

from argflux.autodiff.registry import elementwise


def scalar(value: float, like: Any) -> np.ndarray:
    """Return a constant with the dtype of `like`; elementwise primitives broadcast it without an equation."""
    return np.asarray(value, like.dtype)


def zeros(like: Any) -> Any:
    """Return zeros of the same shape and dtype."""
    return lax.full_like(like, 0)


def unbroadcast(dx: Any, x: Any) -> Any:
    """Sum a cotangent over the axes along which its operand was repeated (a scalar, or axes of length 1)."""
    shape = np.shape(x)
    if dx.shape == shape:
        return dx
    if not shape:
        return lax.reduce_sum(dx, tuple(range(dx.ndim)))
    axes = tuple(axis for axis, (long, short) in enumerate(zip(dx.shape, shape, strict=True)) if long != short)
    return lax.reshape(lax.reduce_sum(dx, axes), shape)


def binary(name: str, partial_a: Callable | None, partial_b: Callable | None, *, singular: bool = False) -> None:
    """Add a row for an elementwise primitive of two operands, either of which may be broadcast."""
    elementwise(name, _summed(partial_a, 0), _summed(partial_b, 1), singular=singular)


def _summed(partial: Callable | None, position: int) -> Callable | None:
    if partial is None:
        return None
    return lambda dy, y, *operands: unbroadcast(partial(dy, y, *operands), operands[position])
