"""Rules of primitives that only move, repeat or drop elements."""

import numpy as np
from jax import lax

from argflux.autodiff.registry import pulls_back


@pulls_back("broadcast_in_dim", moves=True)
def broadcast_in_dim_back(dy, y, x, *shape, broadcast_dimensions, **params):
    """Add the cotangents up over the repeated axes."""

    def back():
        kept = dict(zip(broadcast_dimensions, x.shape, strict=True))
        axes = tuple(axis for axis, size in enumerate(y.shape) if kept.get(axis) != size)
        return lax.reshape(lax.reduce_sum(dy, axes), x.shape) if axes else dy

    return back, *[None for _ in shape]


@pulls_back("reshape", moves=True)
def reshape_back(dy, y, x, **params):
    """Give the cotangent the old shape."""
    return (lambda: lax.reshape(dy, x.shape),)


@pulls_back("squeeze", moves=True)
def squeeze_back(dy, y, x, **params):
    """Put the dropped axes back."""
    return (lambda: lax.reshape(dy, x.shape),)


@pulls_back("transpose", moves=True)
def transpose_back(dy, y, x, *, permutation):
    """Permute the axes back."""
    return (lambda: lax.transpose(dy, np.argsort(permutation)),)


@pulls_back("rev", moves=True)
def rev_back(dy, y, x, *, dimensions):
    """Reverse the same axes."""
    return (lambda: lax.rev(dy, dimensions),)


@pulls_back("slice", selects=True, moves=True)
def slice_back(dy, y, x, *, start_indices, limit_indices, strides):
    """Put zeros around the cotangent and between its rows."""

    def back():
        steps = strides or [1] * x.ndim
        ends = [start + (size - 1) * step + 1 for start, size, step in zip(start_indices, y.shape, steps, strict=True)]
        if not y.size:
            return lax.full_like(x, 0)
        after = [size - end for size, end in zip(x.shape, ends, strict=True)]
        inner = [step - 1 for step in steps]
        return lax.pad(dy, lax.full((), 0, dy.dtype), list(zip(start_indices, after, inner, strict=True)))

    return (back,)


@pulls_back("pad", moves=True)
def pad_back(dy, y, x, value, *, padding_config):
    """Cut the padding off again; the padding value gets what was cut."""

    def to_x():
        if not x.size:
            return lax.full_like(x, 0)
        cut = [(-low, -high, 0) for low, high, _ in padding_config]
        steps = [inner + 1 for _, _, inner in padding_config]
        whole = lax.pad(dy, lax.full((), 0, dy.dtype), cut)
        return lax.slice(whole, [0] * x.ndim, whole.shape, steps) if max(steps, default=1) > 1 else whole

    def to_value():
        axes = tuple(range(dy.ndim))
        return lax.sub(lax.reduce_sum(dy, axes), lax.reduce_sum(to_x(), axes))

    return to_x, to_value


@pulls_back("concatenate", moves=True)
def concatenate_back(dy, y, *xs, dimension):
    """Cut the cotangent at the seams."""
    ends = np.cumsum([x.shape[dimension] for x in xs])
    return tuple(
        lambda x=x, end=int(end): lax.slice_in_dim(dy, end - x.shape[dimension], end, axis=dimension)
        for x, end in zip(xs, ends, strict=True)
    )


@pulls_back("split", selects=True, moves=True)
def split_back(dys, ys, x, *, axis, **params):
    """Join the cotangents."""
    return (lambda: lax.concatenate(dys, axis),)


@pulls_back("stack", moves=True)
def stack_back(dy, y, *xs, axis, **params):
    """Take the layers apart."""
    return tuple(lambda i=i: lax.index_in_dim(dy, i, axis, keepdims=False) for i in range(len(xs)))


@pulls_back("unstack", selects=True, moves=True)
def unstack_back(dys, ys, x, *, axis, **params):
    """Stack the cotangents."""
    return (lambda: lax.stack(dys, axis=axis),)


@pulls_back("tile", moves=True)
def tile_back(dy, y, x, *, reps):
    """Add the copies up."""

    def back():
        pairs = [n for rep, size in zip(reps, x.shape, strict=True) for n in (rep, size)]
        return lax.reduce_sum(lax.reshape(dy, pairs), tuple(range(0, 2 * x.ndim, 2)))

    return (back,)
