"""Rules of what devices do together inside `shard_map` and `pmap`: sums, gathers, exchanges.

A value is the same on all devices, or it varies along axes of the mesh; so are their cotangents. Those of a value that
was used as varying are summed.
"""

from jax import lax

from argflux.autodiff.registry import pulls_back, zero_derivative
from argflux.jaxpr import vary_like, varying_axes

zero_derivative("axis_index")


@pulls_back("pvary", moves=True)
def pvary_back(dy, y, x, *, axes):
    """Sum over the devices on which the value was used."""
    used = tuple(axis for axis in axes if axis not in varying_axes(x))
    return (lambda: lax.psum(vary_like(dy, y), used) if used else dy,)


@pulls_back("psum_invariant", moves=True)
def psum_invariant_back(dy, y, x, *, axes):
    """Give every device the cotangent of the sum."""
    return (lambda: vary_like(dy, x),)


@pulls_back("psum", moves=True)
def psum_back(dy, y, x, *, axes, axis_index_groups):
    """Sum again: without checks a cotangent may differ from device to device."""
    return (lambda: lax.psum(dy, axes, axis_index_groups=axis_index_groups),)


@pulls_back("all_gather", moves=True)
def all_gather_back(dy, y, x, *, axis_name, all_gather_dimension, axis_index_groups, tiled, **params):
    """Sum what each device holds for a part, and give it to the part's device."""
    settings = {"scatter_dimension": all_gather_dimension, "axis_index_groups": axis_index_groups, "tiled": tiled}
    return (lambda: lax.psum_scatter(vary_like(dy, y), axis_name, **settings),)


@pulls_back("all_gather_invariant", selects=True, moves=True)
def all_gather_invariant_back(dy, y, x, *, axis_name, all_gather_dimension, axis_size, tiled):
    """Take the device's own part."""

    def dx():
        size = dy.shape[all_gather_dimension] // axis_size
        part = lax.dynamic_slice_in_dim(dy, lax.axis_index(axis_name) * size, size, all_gather_dimension)
        return vary_like(part if tiled else lax.squeeze(part, [all_gather_dimension]), x)

    return (dx,)


@pulls_back("reduce_scatter", moves=True)
def reduce_scatter_back(dy, y, x, *, axis_name, scatter_dimension, axis_index_groups, tiled, **params):
    """Give every device the cotangents of all parts."""
    settings = {"axis": scatter_dimension, "axis_index_groups": axis_index_groups, "tiled": tiled}
    return (lambda: lax.all_gather(vary_like(dy, y), axis_name, **settings),)


@pulls_back("ppermute", selects=True, moves=True)
def ppermute_back(dy, y, x, *, axis_name, perm):
    """Send the cotangent the other way."""
    return (lambda: lax.ppermute(vary_like(dy, y), axis_name, [(to, source) for source, to in perm]),)


@pulls_back("all_to_all", moves=True)
def all_to_all_back(dy, y, x, *, axis_name, split_axis, concat_axis, axis_index_groups, tiled):
    """Exchange the other way."""
    settings = {"axis_index_groups": axis_index_groups, "tiled": tiled}
    return (lambda: lax.all_to_all(vary_like(dy, y), axis_name, concat_axis, split_axis, **settings),)
