"""Rules of reductions over whole axes; `k` entries that tie for a maximum or minimum get `1/k` each."""

import math

import numpy as np
from jax import lax

from argflux.autodiff.masks import keep_zeros
from argflux.autodiff.registry import pulls_back


def spread(dy, x, axes):
    """Repeat a reduced array along the axes that were reduced."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    return lax.broadcast_in_dim(dy, x.shape, kept)


@pulls_back("reduce_sum", moves=True)
def reduce_sum_back(dy, y, x, *, axes, **params):
    """Repeat the cotangent."""
    return (lambda: spread(dy, x, axes),)


def _kept(back):
    """Keep the zeros of the cotangent as it is repeated, where the reduced array may be infinite or NaN."""

    def kept(wild, dy, y, x, *, axes, **params):
        (dx,) = back(dy, y, x, axes=axes, **params)
        return (lambda: keep_zeros(spread(dy, x, axes), dx()) if any(wild) else dx(),)

    return kept


def _extremum_back(dy, y, x, *, axes, **params):
    """Share the cotangent equally among the entries that equal the result."""

    def back():
        chosen = lax.convert_element_type(lax.eq(x, spread(y, x, axes)), x.dtype)
        share = lax.div(dy, lax.reduce_sum(chosen, axes))
        return lax.mul(spread(share, x, axes), chosen)

    return (back,)


pulls_back("reduce_max", selects=True, kept=_kept(_extremum_back))(_extremum_back)
pulls_back("reduce_min", selects=True, kept=_kept(_extremum_back))(_extremum_back)


def reduce_prod_back(dy, y, x, *, axes, **params):
    """Multiply by the product of the others; exact at zeros too."""

    def back():
        order = [axis for axis in range(x.ndim) if axis not in axes] + list(axes)
        moved = lax.transpose(x, order)
        flat = lax.reshape(moved, (*y.shape, math.prod(x.shape[axis] for axis in axes)))
        others = lax.reshape(_product_of_others(flat), moved.shape)
        return lax.mul(spread(dy, x, axes), lax.transpose(others, np.argsort(order)))

    return (back,)


pulls_back("reduce_prod", kept=_kept(reduce_prod_back))(reduce_prod_back)


def _product_of_others(x):
    """Multiply, for each entry of the last axis, all the others: halve, solve for the pairs, and unfold."""
    axis, length = x.ndim - 1, x.shape[-1]
    if length < 2:
        return lax.full_like(x, 1)
    half = (length + 1) // 2
    first = lax.slice_in_dim(x, 0, half, axis=axis)
    rest = lax.slice_in_dim(x, half, length, axis=axis)
    second = lax.pad(rest, lax.full((), 1, x.dtype), [(0, 0, 0)] * axis + [(0, length % 2, 0)])
    pairs = _product_of_others(lax.mul(first, second))
    unfolded = lax.concatenate([lax.mul(pairs, second), lax.mul(pairs, first)], axis)
    return lax.slice_in_dim(unfolded, 0, length, axis=axis)
