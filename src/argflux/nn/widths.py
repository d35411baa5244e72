"""Widths that are inferred: arrays that wait for the width of the input, and what fills them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from argflux.errors import ArgumentError, ShapeError
from argflux.keywords import explained
from argflux.nn.abstract import abstract_output
from argflux.tree import path_name
from argflux.userlayer import register_layers

M = TypeVar("M")


@jax.tree_util.register_static
class Unfilled:
    """The place of an array whose shape waits for the width of a layer's input; part of the structure, no leaf.

    Args:
        shape: what the array will have, with None for the width.
        make: from the width to the array.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.widths import Unfilled
        >>> Unfilled((None,), jnp.zeros)
        (?,)
    """

    def __init__(self, shape: tuple[int | None, ...], make: Callable[[int], Array]):
        self.shape, self.make = shape, make

    def __repr__(self) -> str:
        return str(self.shape).replace("None", "?")


_seen: ContextVar[dict[Unfilled, tuple[int, str]] | None] = ContextVar("widths seen", default=None)


def for_width(width: int | None, shape: tuple[int | None, ...], make: Callable[[int], Array]) -> Any:
    """Return the array for a width, or what waits for one if the width is None.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.widths import for_width
        >>> for_width(2, (None,), jnp.zeros).shape, for_width(None, (None,), jnp.zeros)
        ((2,), (?,))
    """
    return Unfilled(shape, make) if width is None else make(width)


def filled(array: Any, x: ArrayLike, where: str) -> Array:
    """Return an array as it is, and for one that waits, while `infer` runs, what it will be for the input x.

    Raises:
        ArgumentError: for one that waits while no `infer` runs.
        ShapeError: if two calls of a layer give it inputs of two widths.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.widths import filled
        >>> filled(jnp.ones(2), jnp.ones((5, 2)), "Scale(2)").tolist()
        [1.0, 1.0]
    """
    if not isinstance(array, Unfilled):
        return array
    seen = _seen.get()
    if seen is None:
        got, todo = "a width that is not known yet", "call model = af.infer(model, x) once, before all else"
        raise ArgumentError(got, "a layer whose arrays are there", todo, where=where)
    width = jnp.shape(x)[-1] if jnp.ndim(x) else 1
    known, first = seen.setdefault(array, (width, where))
    if known != width:
        got, todo = f"inputs of widths {known} and {width}", "use two layers, or inputs of one width"
        raise ShapeError(got, "one width at every call of this layer", todo, where=first)
    return array.make(width)


def fill(layer: M, x: ArrayLike, where: str) -> M:
    """Return a layer with `filled` arrays, for layers in which several wait for one width.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> from argflux.nn.widths import fill
        >>> layer = nn.GroupNorm(4, 2)
        >>> fill(layer, jnp.ones((5, 4)), "GroupNorm(4, 2)").scale is layer.scale
        True
    """
    return jax.tree.map(lambda node: filled(node, x, where), layer, is_leaf=_is_unfilled)


@explained
def infer(model: M, *inputs: Any) -> M:
    """Fill in the widths that a model was made without, from the input that it will get.

    A layer made with None in place of the width of its input, as in `Dense(None, 10)`, draws its key when it is
    made and its weight here: the arrays are those of the layer made with the width.

    Args:
        model: a layer, a Chain, or any tree of layers that can be called.
        *inputs: what it is called on: arrays, or shapes, of which None stands for a batch of any size. Nothing is
            computed from their values.

    Returns:
        The model with all its arrays; one without open widths is returned as it is.

    Raises:
        ArgumentError: if a layer with an open width was not reached, which the message names.

    Example:
        >>> from argflux import nn
        >>> m = nn.Chain(nn.Dense(None, 5, nn.relu), nn.Dense(None, 2))
        >>> nn.infer(m, (None, 10))
        Chain(
          Dense(10 => 5, relu),  # 55 parameters
          Dense(5 => 2),         # 12 parameters
        )  # Total: 4 arrays, 67 parameters, 268 bytes.
    """
    register_layers(model)
    if not open_widths(model):
        return model
    with _filling() as seen:
        abstract_output("infer", model, inputs)
    missed = [name for name, place in _unfilled(model) if place not in seen]
    if missed:
        expected = "a call of the model that reaches every layer"
        todo = "give the widths of these layers"
        raise ArgumentError(f"{', '.join(missed)} not reached", expected, todo, where="infer")
    return jax.tree.map(lambda node: _made(node, seen), model, is_leaf=_is_unfilled)


def open_widths(model: Any) -> list[str]:
    """Return the paths of the arrays that wait for `infer`.

    Example:
        >>> from argflux import nn
        >>> from argflux.nn.widths import open_widths
        >>> open_widths(nn.Chain(nn.Dense(None, 5)))
        ['layers[0].weight']
    """
    return [name for name, _ in _unfilled(model)]


def check_filled(model: Any, where: str) -> None:
    """Raise if a model has arrays that wait for `infer`.

    Example:
        >>> from argflux import nn
        >>> from argflux.nn.widths import check_filled
        >>> check_filled(nn.Dense(3, 2), "save")
    """
    if waiting := open_widths(model):
        got, todo = f"open widths at {', '.join(waiting)}", "call model = af.infer(model, x) first"
        raise ArgumentError(got, "a model with all its arrays", todo, where=where)


@contextmanager
def _filling() -> Iterator[dict]:
    seen: dict[Unfilled, tuple[int, str]] = {}
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)


def _unfilled(model: Any) -> list[tuple[str, Unfilled]]:
    nodes = jax.tree_util.tree_leaves_with_path(model, is_leaf=_is_unfilled)
    return [(path_name(path), node) for path, node in nodes if _is_unfilled(node)]


def _is_unfilled(node: Any) -> bool:
    return isinstance(node, Unfilled)


def _made(node: Any, seen: dict) -> Any:
    return node.make(seen[node][0]) if _is_unfilled(node) else node
