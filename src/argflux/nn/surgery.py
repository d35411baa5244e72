"""replace_at: a model with one array, or one layer, in the place of another."""

import difflib
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.keywords import explained
from argflux.tree import is_array, path_name
from argflux.userlayer import register_layers

M = TypeVar("M")


@explained
def replace_at(model: M, path: str, value: Any) -> M:
    """Return a model with another value at a path; the given model stays as it is.

    Args:
        model: any tree of layers and arrays.
        path: where, as `trainables` writes it: `"layers[2].weight"`, or a layer, `"layers[2]"`.
        value: in the place of an array, one of its shape and dtype; in that of a layer, anything.

    Raises:
        ArgumentError: for a path that the model does not have; the message suggests some that it has.
        ShapeError: for an array of another shape.
        DtypeError: for an array of another dtype, or no array.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> m = nn.Chain(nn.Dense(3, 2), nn.softmax)
        >>> nn.replace_at(m, "layers[0].bias", jnp.ones(2))[0].bias.tolist()
        [1.0, 1.0]
    """
    register_layers(model)
    nodes, treedef = jax.tree_util.tree_flatten_with_path(
        model, is_leaf=lambda path_of_node, _: path_name(path_of_node) == path, is_leaf_takes_path=True
    )
    names = [path_name(path_of_node) for path_of_node, _ in nodes]
    if path not in names:
        raise _unknown(path, model)
    new = [
        _replacement(path, node, value) if name == path else node for name, (_, node) in zip(names, nodes, strict=True)
    ]
    return treedef.unflatten(new)


def _replacement(path: str, old: Any, new: Any) -> Any:
    if not is_array(old):
        return new
    if not is_array(new):
        raise DtypeError(f"{type(new).__name__} {new!r}", "an array", "pass jnp.asarray(…)", where=path)
    if new.shape != old.shape:
        todo = "pass an array of that shape, or replace the whole layer"
        raise ShapeError(f"shape {new.shape}", f"shape {old.shape}", todo, where=path)
    if new.dtype != old.dtype:
        raise DtypeError(f"dtype {new.dtype}", f"dtype {old.dtype}", f"pass it as jnp.{old.dtype}", where=path)
    return jnp.asarray(new)


def _unknown(path: str, model: Any) -> ArgumentError:
    names = _paths(model)
    close = difflib.get_close_matches(path, names, n=3, cutoff=0.5) or names[:5]
    expected = f"a path of the model, such as {', '.join(close)}" if names else "a model with arrays"
    return ArgumentError(f"path {path!r}", expected, "correct the path", where="replace_at")


def _paths(model: Any) -> list[str]:
    """Return the paths of all nodes, the leaves and what holds them."""
    found: dict[str, None] = {}
    for path, _ in jax.tree_util.tree_leaves_with_path(model):
        for length in range(1, len(path) + 1):
            found[path_name(path[:length])] = None
    return list(found)
