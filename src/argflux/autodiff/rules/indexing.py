"""Rules that read and write parts of an array at computed places: slices, gather, and scatter by its kinds."""

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from argflux.autodiff.masks import keep_zeros
from argflux.autodiff.registry import pulls_back
from argflux.errors import RuleError


@pulls_back("dynamic_slice", selects=True, moves=True)
def dynamic_slice_back(dy, y, x, *starts, **params):
    """Write the cotangent back where the slice was read."""
    dx = lambda: _write(_zeros(x), dy, starts)
    return (dx, *[None] * len(starts))


@pulls_back("dynamic_update_slice", selects=True, moves=True)
def dynamic_update_slice_back(dy, y, x, update, *starts, **params):
    """Read the update's cotangent where it was written; what it overwrote has none."""
    dx = lambda: _write(dy, _zeros(update), starts)
    dupdate = lambda: lax.dynamic_slice(dy, starts, jnp.shape(update), allow_negative_indices=False)
    return (dx, dupdate, *[None] * len(starts))


def _write(x, update, starts):
    return lax.dynamic_update_slice(x, update, starts, allow_negative_indices=False)


def _zeros(x):
    return lax.full(jnp.shape(x), 0, x.dtype)


@pulls_back("gather", selects=True, moves=True)
def gather_back(dy, y, x, indices, *, dimension_numbers, **params):
    """Add the cotangent up at the places it was read from."""
    d = dimension_numbers
    places = lax.ScatterDimensionNumbers(
        update_window_dims=d.offset_dims,
        inserted_window_dims=d.collapsed_slice_dims,
        scatter_dims_to_operand_dims=d.start_index_map,
        operand_batching_dims=d.operand_batching_dims,
        scatter_indices_batching_dims=d.start_indices_batching_dims,
    )
    return (lambda: lax.scatter_add(_zeros(x), indices, dy, places, **_promises(params)), None)


def _promises(params):
    return {key: params[key] for key in ("indices_are_sorted", "unique_indices", "mode")}


class _Places:
    """Where a scatter of `update` into `x` writes, to be read and written again."""

    def __init__(self, x, indices, update, dimension_numbers, params):
        self.indices, self.dimensions = indices, dimension_numbers
        self.shape, self.update_shape = jnp.shape(x), jnp.shape(update)
        batch = set(dimension_numbers.scatter_indices_batching_dims)
        counts = [n for axis, n in enumerate(jnp.shape(indices)[:-1]) if axis not in batch]
        self.unique = params["unique_indices"] or math.prod(counts) == 1
        self.promises: dict[str, Any] = _promises(params) | {"unique_indices": self.unique}

    def read(self, values, fill: float = 0):
        """Gather what lies at the places, in the shape of the update; `fill` outside the array."""
        d = self.dimensions
        single = {*d.inserted_window_dims, *d.operand_batching_dims}
        windows = iter(self.update_shape[i] for i in d.update_window_dims)
        dimensions = lax.GatherDimensionNumbers(
            offset_dims=d.update_window_dims,
            collapsed_slice_dims=d.inserted_window_dims,
            start_index_map=d.scatter_dims_to_operand_dims,
            operand_batching_dims=d.operand_batching_dims,
            start_indices_batching_dims=d.scatter_indices_batching_dims,
        )
        sizes = tuple(1 if axis in single else next(windows) for axis in range(len(self.shape)))
        return lax.gather(values, self.indices, dimensions, sizes, fill_value=fill, **self.promises)

    def write(self, scatter, x, update):
        """Apply one of `lax.scatter…` at the places."""
        return scatter(x, self.indices, update, self.dimensions, **self.promises)

    def last_written(self):
        """Say which entries of the update stayed: number them, write the numbers, see which are still there."""
        windows = set(self.dimensions.update_window_dims)
        axes = [axis for axis in range(len(self.update_shape)) if axis not in windows]
        positions = [self.update_shape[axis] for axis in axes]
        numbers = lax.reshape(lax.iota(jnp.int32, math.prod(positions)), positions)
        numbers = lax.broadcast_in_dim(numbers, self.update_shape, axes)
        written = self.write(lax.scatter, lax.full(self.shape, -1, jnp.int32), numbers)
        return lax.eq(self.read(written, fill=-1), numbers)


@pulls_back("scatter", selects=True, moves=True)
def scatter_back(dy, y, x, indices, update, *, dimension_numbers, update_jaxpr, **params):
    """Read the update's cotangent where its entries stayed; entries overwritten by a later one have none."""
    if update_jaxpr is not None:
        raise RuleError(
            "`x.at[i].apply(f)`, a scatter with a function",
            "a scatter that sets, adds, multiplies or compares",
            "write `x.at[i].set(f(x[i]))`",
            where="gradient through `scatter`",
        )
    places = _Places(x, indices, update, dimension_numbers, params)

    def dupdate():
        read = places.read(dy)
        return read if places.unique else lax.select(places.last_written(), read, lax.full_like(read, 0))

    return (lambda: places.write(lax.scatter, dy, lax.full_like(update, 0)), None, dupdate)


@pulls_back("scatter-add", selects=True, moves=True)
def scatter_add_back(dy, y, x, indices, update, *, dimension_numbers, **params):
    """Pass the cotangent on and read it at the places added to."""
    places = _Places(x, indices, update, dimension_numbers, params)
    return (dy, None, lambda: places.read(dy))


@pulls_back("scatter-sub", selects=True, moves=True)
def scatter_sub_back(dy, y, x, indices, update, *, dimension_numbers, **params):
    """Pass the cotangent on and read its negative at the places subtracted from."""
    places = _Places(x, indices, update, dimension_numbers, params)
    return (dy, None, lambda: lax.neg(places.read(dy)))


def _scatter(name, **marks):
    """Register `back(share, places, dy, y, x, update)`, where `share(dy, dx)` keeps zeros of `dy`."""

    def register(back):
        def call(share, dy, y, x, indices, update, dimension_numbers, params):
            dx, dupdate = back(share, _Places(x, indices, update, dimension_numbers, params), dy, y, x, update)
            return dx, None, dupdate

        def plain(dy, y, x, indices, update, *, dimension_numbers, **params):
            return call(lambda dy, dx: dx, dy, y, x, indices, update, dimension_numbers, params)

        def kept(wild, dy, y, x, indices, update, *, dimension_numbers, **params):
            share = keep_zeros if any(wild) else lambda dy, dx: dx
            return call(share, dy, y, x, indices, update, dimension_numbers, params)

        plain.__name__ = f"{name}_back".replace("-", "_")
        pulls_back(name, kept=kept, **marks)(plain)
        return back

    return register


@_scatter("scatter-mul")
def scatter_mul_back(share, places, dy, y, x, update):
    """Multiply by every other factor that met at the place; exact when factors are zero."""

    def dupdate():
        if places.unique:
            return places.read(share(dy, lax.mul(dy, x)))
        zero, one = lax.full_like(update, 0), lax.full_like(update, 1)
        is_zero = lax.eq(update, zero)
        nonzero = lax.select(is_zero, one, update)
        product = places.write(lax.scatter_mul, x, nonzero)
        zeros = places.read(places.write(lax.scatter_add, _zeros(x), lax.select(is_zero, one, zero)))
        others = lax.sub(zeros, lax.select(is_zero, one, zero))
        of_place = places.read(share(dy, lax.mul(dy, product)))
        return lax.select(lax.eq(others, zero), share(of_place, lax.div(of_place, nonzero)), zero)

    return lambda: share(dy, places.write(lax.scatter_mul, dy, update)), dupdate


@_scatter("scatter-min", selects=True)
@_scatter("scatter-max", selects=True)
def scatter_extremum_back(share, places, dy, y, x, update):
    """Share the cotangent equally among the entries that equal the extremum."""
    zero, one = lax.full_like(update, 0), lax.full_like(update, 1)
    stays = lax.eq(x, y)
    wins = lax.eq(update, places.read(y, fill=jnp.nan))
    count = lax.select(stays, lax.full_like(y, 1), lax.full_like(y, 0))
    part = share(dy, lax.div(dy, places.write(lax.scatter_add, count, lax.select(wins, one, zero))))
    dx = lambda: lax.select(stays, part, lax.full_like(part, 0))
    return dx, lambda: lax.select(wins, places.read(part), zero)
