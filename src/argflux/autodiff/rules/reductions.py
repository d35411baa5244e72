"""Rules of reductions over whole axes."""

from jax import lax

from argflux.autodiff.registry import pulls_back


def spread(dy, x, axes):
    """Repeat a reduced cotangent along the axes that were reduced."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    return lax.broadcast_in_dim(dy, x.shape, kept)


@pulls_back("reduce_sum", transparent=True)
def reduce_sum_back(dy, y, x, *, axes, **params):
    """Repeat the cotangent."""
    return (lambda: spread(dy, x, axes),)
