"""The arrays a function captured, by the names its source gives them."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from argflux.tree import is_differentiable
from argflux.userlayer import register_layers


def captured(f: Callable) -> dict[str, Any]:
    """Return what a function captured, by variable name: free variables first, then the globals it reads.

    Example:
        >>> def scaled_by(w):
        ...     return lambda x: w * x
        >>> captured(scaled_by(3.0))
        {'w': 3.0}
    """
    f = getattr(f, "__wrapped__", f)
    if isinstance(f, functools.partial):
        positions = {f"args[{i}]": value for i, value in enumerate(f.args)}
        return {"func": f.func, **positions, **f.keywords}
    bound = {"self": f.__self__} if getattr(f, "__self__", None) is not None else {}
    code = getattr(f, "__code__", None)
    if code is None:
        return bound
    cells = zip(code.co_freevars, f.__closure__ or (), strict=True)
    free = {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}
    known = {name: f.__globals__[name] for name in _names(code) if name in f.__globals__}
    return bound | free | known


def derivative_of_function(f: Callable, tree: Any, found: dict[int, Any]) -> Any:
    """Build `df`: the tree of a model's own gradients, or a dict by name for a function's captured arrays.

    Args:
        f: the function that was pulled back.
        tree: the gradients of `f`'s own leaves, when `f` is a tree.
        found: cotangents by the identity of the array that the trace met as a constant.
    """
    if any(is_differentiable(leaf) for leaf in jax.tree.leaves(f)):
        return tree
    return _named(f, found, set()) or None


def _named(f: Callable, found: dict[int, Any], seen: set[int]) -> dict[str, Any]:
    if id(f) in seen:
        return {}
    seen.add(id(f))
    derivatives = ((name, _derivative(value, found, seen)) for name, value in captured(f).items())
    return {name: dvalue for name, dvalue in derivatives if dvalue is not None}


def _derivative(value: Any, found: dict[int, Any], seen: set[int]) -> Any:
    if dataclasses.is_dataclass(type(value)):
        register_layers(value)
    leaves, treedef = jax.tree.flatten(value)
    if len(leaves) == 1 and leaves[0] is value and not is_differentiable(value):
        return (_named(value, found, seen) or None) if _is_function(value) else None
    if not any(id(leaf) in found for leaf in leaves):
        return None
    return treedef.unflatten([_leaf(leaf, found) for leaf in leaves])


def _leaf(leaf: Any, found: dict[int, Any]) -> Any:
    if not is_differentiable(leaf):
        return None
    dleaf = found.get(id(leaf))
    return jnp.zeros_like(leaf) if dleaf is None else dleaf


def _is_function(value: Any) -> bool:
    module = getattr(value, "__module__", None) or ""
    return callable(value) and not module.startswith(("jax", "numpy", "builtins"))


def _names(code: Any) -> Iterator[str]:
    """Yield the global names read by a code object and by the functions defined inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            yield from _names(constant)


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
