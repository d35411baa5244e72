"""Models run on shapes alone: the size of the output, with nothing computed."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from argflux.errors import ShapeError
from argflux.keywords import explained
from argflux.tree import is_array, is_differentiable


@explained
def outputsize(model: Callable, *inputs: Any, dtype: DTypeLike | None = None) -> Any:
    """Return the shape of a model's output for inputs of given shapes, without computing anything.

    Args:
        model: anything callable on arrays.
        *inputs: for every argument its shape, batch first, or an array. None in a shape stands for a batch of any
            size, and stands in the answer where the size depends on it.
        dtype: of the inputs given by shape; that of the model's parameters, or float32. Say int for an Embedding.

    Returns:
        The shape, or a tree of shapes if the model returns a tree of arrays.

    Raises:
        ShapeError: for what is no shape; and whatever the model raises for inputs that do not fit.

    Example:
        >>> from argflux import nn
        >>> m = nn.Chain(nn.Dense(10, 5, nn.relu), nn.Dense(5, 2))
        >>> nn.outputsize(m, (32, 10)), nn.outputsize(m, (None, 10))
        ((32, 2), (None, 2))
    """
    shapes = [_shapes(abstract_output("outputsize", model, inputs, dtype, batch)) for batch in (2, 3)]
    return jax.tree.map(_merged, *shapes, is_leaf=lambda node: isinstance(node, _Shape))


def abstract_output(where: str, model: Any, inputs: Sequence[Any], dtype: DTypeLike | None = None, batch: int = 2):
    """Return the output as shapes and dtypes; None in a shape is taken to be `batch`.

    Example:
        >>> from argflux import nn
        >>> from argflux.nn.abstract import abstract_output
        >>> abstract_output("outputsize", nn.Dense(3, 2), [(None, 3)], batch=7)
        ShapeDtypeStruct(shape=(7, 2), dtype=float32)
    """
    of_shapes = _dtype(model) if dtype is None else dtype
    return eqx.filter_eval_shape(model, *(_abstract(where, x, of_shapes, batch) for x in inputs))


class _Shape(tuple):
    """A shape, told apart from a tuple of outputs."""


def _shapes(output: Any) -> Any:
    return jax.tree.map(lambda leaf: _Shape(leaf.shape) if hasattr(leaf, "shape") else leaf, output)


def _merged(two: Any, three: Any) -> Any:
    if not isinstance(two, _Shape):
        return two
    return tuple(a if a == b else None for a, b in zip(two, three, strict=True))


def _dtype(model: Any) -> DTypeLike:
    floating = [leaf.dtype for leaf in jax.tree.leaves(model) if is_array(leaf) and is_differentiable(leaf)]
    return floating[0] if floating else jnp.float32


def _abstract(where: str, x: Any, dtype: DTypeLike, batch: int) -> Any:
    if isinstance(x, jax.ShapeDtypeStruct) or is_array(x):
        return jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype, allow_extended_dtype=True))
    if isinstance(x, tuple | list) and all(size is None or _is_size(size) for size in x):
        return jax.ShapeDtypeStruct(
            tuple(batch if size is None else int(size) for size in x), jax.dtypes.canonicalize_dtype(dtype)
        )
    if isinstance(x, tuple | list) and x:
        return type(x)(_abstract(where, part, dtype, batch) for part in x)
    got, todo = f"{type(x).__name__} {x!r}", "pass a shape such as (None, 10), or an array"
    raise ShapeError(got, "a shape or an array", todo, where=where)


def _is_size(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and size >= 0
