"""How the outputs of branches are joined: cat, and what containers hold as their connection."""

import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from argflux.errors import DtypeError, ShapeError
from argflux.keywords import explained
from argflux.kinds import fits, shortened
from argflux.nn.show import label
from argflux.userlayer import is_function, register_layers


@explained
def cat(*arrays: Array) -> Array:
    """Concatenate along the last axis, the features.

    Args:
        *arrays: shapes (..., m), (..., n) and so on, the axes before the last as in the first.

    Returns:
        shape (..., m + n + …).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import cat
        >>> cat(jnp.ones((2, 3)), jnp.zeros((2, 1))).shape
        (2, 4)
    """
    shapes = [jnp.shape(array) for array in arrays]
    if not shapes or any(not shape or shape[:-1] != shapes[0][:-1] for shape in shapes):
        got, todo = f"shapes {' and '.join(map(str, shapes))}", "make all axes but the last agree"
        raise ShapeError(got, "the same axes before the last", todo, where="cat")
    return jnp.concatenate(arrays, axis=-1)


def held(where: str, name: str, part: Any) -> Any:
    """Return a layer as it is, and a plain function as a node of the tree, which is no leaf.

    Raises:
        DtypeError: for what cannot be called, or a class in place of its instance.

    Example:
        >>> import jax
        >>> from argflux import nn
        >>> from argflux.nn.connection import held
        >>> jax.tree.leaves(held("Parallel", "connection", nn.cat))
        []
    """
    if not callable(part) or (isinstance(part, type) and part is not tuple):
        raise DtypeError(f"{name} {label(part)}", "something callable", "pass a layer or a function", where=where)
    return jax.tree_util.Partial(part) if is_function(register_layers(part)) else part


def joined(where: str, connection: Any, first: Any, *rest: Any, got: str = "branches of shapes {} and {}") -> Any:
    """Return connection(first, *rest).

    An elementwise function of two, such as `jnp.add`, goes through more than two from left to right, and wants
    equal shapes; `got` words the message about others. `tuple` keeps the outputs apart.

    Raises:
        ShapeError: for an elementwise connection of unequal shapes, which would broadcast silently.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.connection import joined
        >>> joined("Parallel", jnp.add, jnp.ones(2), jnp.ones(2), jnp.ones(2)).tolist()
        [3.0, 3.0]
    """
    function = getattr(connection, "func", connection)
    if function is tuple:
        return (first, *rest)
    if not _is_elementwise(function):
        return connection(first, *rest)
    if strange := [part for part in (first, *rest) if not fits(part, ArrayLike)]:
        got, todo = shortened(strange[0]), "pass arrays, or another connection"
        raise DtypeError(got, "arrays, for an elementwise connection", todo, where=where)
    for other in rest:
        if jnp.shape(other) != jnp.shape(first):
            shapes, todo = (jnp.shape(first), jnp.shape(other)), "give them as many outputs, or join with cat"
            raise ShapeError(got.format(*shapes), "equal shapes", todo, where=where)
    return functools.reduce(connection, rest, first)


def _is_elementwise(function: Callable) -> bool:
    return isinstance(function, jnp.ufunc) or function in (operator.add, operator.sub, operator.mul)
