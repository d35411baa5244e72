"""Trees: readable names of leaves, which of them have a derivative, and which are trained. Imports only JAX."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey


def path_name(path: tuple) -> str:
    """Write a JAX key path as a user would type it: `layers[0].weight`.

    Example:
        >>> import jax
        >>> path_name(jax.tree_util.tree_leaves_with_path({"a": [1.0]})[0][0])
        "['a'][0]"
    """
    return "".join(_key_name(key) for key in path).removeprefix(".")


def _key_name(key: Any) -> str:
    match key:
        case GetAttrKey(name=name):
            return f".{name}"
        case SequenceKey(idx=index) | FlattenedIndexKey(key=index):
            return f"[{index}]"
        case DictKey(key=name):
            return f"[{name!r}]"
    return str(key)


class Buffer:
    """An array of a model that training carries along but that no gradient moves, such as running statistics.

    Args:
        value: the array.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> jax.tree.map(lambda x: x + 1, Buffer(jnp.zeros(2))).value.tolist()
        [1.0, 1.0]
    """

    def __init__(self, value: Any):
        self.value = value

    def __repr__(self) -> str:
        return f"Buffer({self.value!r})"


class _Inside:
    """The key of a buffer's array, which adds nothing to the path of the buffer."""

    def __str__(self) -> str:
        return ""


jax.tree_util.register_pytree_with_keys(
    Buffer, lambda buffer: (((_Inside(), buffer.value),), None), lambda _, children: Buffer(*children)
)


def named_leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield `(name, leaf)` for every leaf of a tree, in JAX's order."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield path_name(path), leaf


def tied_names(tree: Any) -> list[tuple[str, ...]]:
    """Return the paths of each array that stands at several places of a tree.

    Example:
        >>> import jax.numpy as jnp
        >>> shared = jnp.ones(2)
        >>> tied_names({"a": shared, "b": jnp.ones(2), "c": shared})
        [("['a']", "['c']")]
    """
    places: dict[int, list[str]] = {}
    for name, leaf in named_leaves(tree):
        if is_array(leaf):
            places.setdefault(id(leaf), []).append(name)
    return [tuple(names) for names in places.values() if len(names) > 1]


def is_array(leaf: Any) -> bool:
    """Say whether a leaf is an array of JAX or NumPy (Python numbers are not)."""
    return isinstance(leaf, jax.Array | np.ndarray | np.generic)


def is_differentiable(leaf: Any) -> bool:
    """Say whether a leaf has a tangent space: a floating array or a Python float."""
    if isinstance(leaf, float):
        return True
    return is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating)


def is_complex(leaf: Any) -> bool:
    """Say whether a leaf is a complex number or array."""
    return isinstance(leaf, complex) or (is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.complexfloating))


def trainable_flags(tree: Any) -> list[bool]:
    """Say of every leaf, in JAX's order, whether training moves it: a floating array that is no `Buffer`'s.

    A Python number is a setting, and stays.

    Example:
        >>> import jax.numpy as jnp
        >>> trainable_flags({"bias": jnp.ones(2), "mean": Buffer(jnp.ones(2)), "rate": 0.5})
        [True, False, False]
    """
    nodes = jax.tree.leaves(tree, is_leaf=_is_buffer)
    return [
        flag
        for node in nodes
        for flag in ([False] * len(jax.tree.leaves(node)) if _is_buffer(node) else [_is_floating_array(node)])
    ]


def buffer_flags(tree: Any) -> list[bool]:
    """Say of every leaf, in JAX's order, whether it is the array of a `Buffer`."""
    nodes = jax.tree.leaves(tree, is_leaf=_is_buffer)
    return [_is_buffer(node) for node in nodes for _ in jax.tree.leaves(node)]


def _is_buffer(node: Any) -> bool:
    return isinstance(node, Buffer)


def _is_floating_array(leaf: Any) -> bool:
    return is_array(leaf) and is_differentiable(leaf)
