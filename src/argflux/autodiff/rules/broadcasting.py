"""Rows of elementwise rules: scalars of the right dtype, zeros that are kept, the sum that undoes broadcasting."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax import lax

from argflux.autodiff.masks import keep_zeros
from argflux.autodiff.registry import RULES, Rule


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


def always(position: int, wild: Any, *operands: Any, **params: Any) -> bool:
    """Doubt the local derivative at every value."""
    return True


def at_wild(position: int, wild: Any, *operands: Any, **params: Any) -> bool:
    """Doubt the local derivative where an operand may be infinite or NaN."""
    return any(wild)


def elementwise(
    name: str,
    *partials: Callable | None,
    doubt: Callable[..., bool] = at_wild,
    params: Sequence[str] = (),
    **marks: Any,
) -> None:
    """Add a row for an elementwise primitive, any of whose operands may be broadcast.

    Args:
        name: the primitive's.
        *partials: one `partial(dy, y, *operands)` per operand (`None` is zero).
        doubt: `doubt(position, wild, *operands)` says whether the derivative with respect to that operand may be
            infinite or NaN.
        params: names of the primitive's parameters that `partials` and `doubt` take too.
        **marks: `selects` and `moves` of the `Rule`.
    """

    def pulled(guards, dy, y, operands, known):
        def one(partial, guard, operand):
            dx = partial(dy, y, *operands, **known)
            return unbroadcast(keep_zeros(dy, dx) if guard else dx, operand)

        rows = zip(partials, guards, operands, strict=True)
        return tuple(row[0] and (lambda row=row: one(*row)) for row in rows)

    def back(dy, y, /, *operands, **known):
        return pulled([False] * len(partials), dy, y, operands, {key: known[key] for key in params})

    def kept(wild, dy, y, /, *operands, **known):
        known = {key: known[key] for key in params}
        guards = [doubt(position, wild, *operands, **known) for position in range(len(partials))]
        return pulled(guards, dy, y, operands, known)

    back.__name__ = f"{name}_back".replace("-", "_")
    RULES[name] = Rule(name, back=back, kept=None if marks.get("moves") else kept, **marks)
