"""Rules of reductions over whole axes; `k` entries that tie for a maximum or minimum get `1/k` each."""

import math

from jax import lax

from argflux.autodiff.registry import pulls_back


def spread(dy, x, axes):
    """Repeat a reduced array along the axes that were reduced."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    return lax.broadcast_in_dim(dy, x.shape, kept)


@pulls_back("reduce_sum", transparent=True)
def reduce_sum_back(dy, y, x, *, axes, **params):
    """Repeat the cotangent."""
    return (lambda: spread(dy, x, axes),)


def _extremum_back(dy, y, x, *, axes, **params):
    """Share the cotangent equally among the entries that equal the result."""

    def back():
        chosen = lax.convert_element_type(lax.eq(x, spread(y, x, axes)), x.dtype)
        share = lax.div(dy, lax.reduce_sum(chosen, axes))
        return lax.mul(spread(share, x, axes), chosen)

    return (back,)


pulls_back("reduce_max", transparent=True)(_extremum_back)
pulls_back("reduce_min", transparent=True)(_extremum_back)


@pulls_back("reduce_prod", transparent=True)
def reduce_prod_back(dy, y, x, *, axes, **params):
    """Multiply by the product of the others: of those before, and of those after. Exact at zeros too."""

    def back():
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        order = kept + list(axes)
        last = len(kept)
        moved = lax.transpose(x, order)
        flat = lax.reshape(moved, (*moved.shape[:last], math.prod(moved.shape[last:])))
        others = lax.mul(_product_before(flat, reverse=False), _product_before(flat, reverse=True))
        unmoved = lax.transpose(lax.reshape(others, moved.shape), [order.index(i) for i in range(x.ndim)])
        return lax.mul(spread(dy, x, axes), unmoved)

    return (back,)


def _product_before(x, *, reverse: bool):
    """Multiply up, along the last axis, what comes before each entry (after it, if `reverse`)."""
    axis, length = x.ndim - 1, x.shape[-1]
    if not length:
        return x
    padding = [(0, 0, 0)] * axis + [(-1, 1, 0) if reverse else (1, -1, 0)]
    shifted = lax.pad(x, lax.full((), 1, x.dtype), padding)
    return lax.cumprod(shifted, axis=axis, reverse=reverse)
