"""Trees: readable names of leaves, and which of them have a derivative. Imports only JAX."""

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


def named_leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield `(name, leaf)` for every leaf of a tree, in JAX's order."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield path_name(path), leaf


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
