"""Rules of sorting and of the largest entries: remember where each came from and send its cotangent there."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from argflux.autodiff.registry import RULES, Rule, pulls_back


def scatter_along(updates: Any, index: Any, axis: int, shape: tuple[int, ...]) -> Any:
    """Place `updates[…, j, …]` at `index[…, j, …]` along an axis of an array of zeros; no index occurs twice."""
    others = tuple(i for i in range(len(shape)) if i != axis)
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=(),
        inserted_window_dims=(axis,),
        scatter_dims_to_operand_dims=(axis,),
        operand_batching_dims=others,
        scatter_indices_batching_dims=others,
    )
    mode = lax.GatherScatterMode.PROMISE_IN_BOUNDS
    where = lax.expand_dims(index, [index.ndim])
    start = lax.full(shape, 0, updates.dtype)
    return lax.scatter_add(start, where, updates, numbers, unique_indices=True, mode=mode)


def sort(*operands, dimension, is_stable, num_keys):
    """Sort the places along with the operands, so that cotangents can be sent back to them."""
    place = lax.broadcasted_iota(jnp.int32, operands[0].shape, dimension)
    *ys, source = lax.sort((*operands, place), dimension=dimension, is_stable=is_stable, num_keys=num_keys)

    def sort_back(dys):
        return tuple(
            scatter_along(dy, source, dimension, dy.shape) if _is_float(x) else None
            for dy, x in zip(dys, operands, strict=True)
        )

    return ys, sort_back


RULES["sort"] = Rule("sort", forward=sort, moves=True)


@pulls_back("top_k", selects=True, moves=True)
def top_k_back(dys, ys, x, *, axis, **params):
    """Send each cotangent back to where its entry was found."""
    return (lambda: scatter_along(dys[0], ys[1], axis, x.shape),)


@pulls_back("approx_top_k", selects=True, moves=True)
def approx_top_k_back(dys, ys, x, *, reduction_dimension, **params):
    """Send each cotangent back to where its entry was found."""
    return (lambda: scatter_along(dys[0], ys[1], reduction_dimension % x.ndim, x.shape),)


def _is_float(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)
