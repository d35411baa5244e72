"""What layers check: the arguments that they are made with, and the arrays that they are called on."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.kinds import Numbers, fits, takes
from argflux.nn.random import next_key
from argflux.nn.show import label
from argflux.tree import is_array


def checked_size(where: str, name: str, value: Any, todo: str, least: int = 1) -> int:
    """Return an integer of at least `least`.

    Example:
        >>> from argflux.nn.arguments import checked_size
        >>> checked_size("Dense", "inputs", 3, "call Dense(10, 5)")
        3
    """
    try:
        fits = not isinstance(value, bool) and value.__index__() >= least
    except (AttributeError, TypeError):
        fits = False
    if not fits:
        raise ArgumentError(f"{name}={label(value)}", f"an integer of at least {least}", todo, where=where)
    return int(value)


def open_size(where: str, name: str, value: Any, todo: str) -> int | None:
    """Return an integer of at least 1, or None for a width that `infer` fills in.

    Example:
        >>> from argflux.nn.arguments import open_size
        >>> open_size("Conv", "inputs", 3, "call Conv((3, 3), 3, 8)"), open_size("Conv", "inputs", None, "")
        (3, None)
    """
    return None if value is None else checked_size(where, name, value, todo)


def checked_dtype(where: str, dtype: DTypeLike | None) -> DTypeLike:
    """Return a floating dtype that is switched on; None means float32.

    Example:
        >>> from argflux.nn.arguments import checked_dtype
        >>> checked_dtype("Dense", None).__name__
        'float32'
    """
    if dtype is None:
        return jnp.float32
    if not jnp.issubdtype(dtype, jnp.floating):
        raise DtypeError(f"dtype {jnp.dtype(dtype)}", "a floating dtype", "use jnp.float32", where=where)
    if jax.dtypes.canonicalize_dtype(dtype) != jnp.dtype(dtype):
        todo = "call jax.config.update('jax_enable_x64', True) first"
        raise DtypeError(f"dtype {jnp.dtype(dtype)}", "a dtype that is switched on", todo, where=where)
    return dtype


def checked_activation(where: str, activation: Any) -> Callable:
    """Return a plain function of an array.

    Example:
        >>> from argflux import nn
        >>> from argflux.nn.arguments import checked_activation
        >>> checked_activation("Dense", nn.relu) is nn.relu
        True
    """
    if not callable(activation) or isinstance(activation, type):
        todo = "pass a function such as relu"
        raise DtypeError(f"activation {label(activation)}", "a function of an array", todo, where=where)
    if not isinstance(activation, Hashable) or any(map(is_array, jax.tree.leaves(activation))):
        todo = f"put it into the Chain as a layer of its own, after this {where.split('(')[0]}"
        got = f"activation {type(activation).__name__}, which holds arrays or cannot be hashed"
        raise ArgumentError(got, "a plain function", todo, where=where)
    return activation


def drawn(where: str, init: Callable, key: Array | None, shape: Sequence[int], dtype: DTypeLike) -> Array:
    """Return what an initialiser draws, of the shape that it was asked for.

    Example:
        >>> from argflux import nn
        >>> from argflux.nn.arguments import drawn
        >>> drawn("Scale", nn.initialisers.ones, None, (2,), "float32").tolist()
        [1.0, 1.0]
    """
    if not takes(init, key, shape, dtype):
        got, todo = f"init {label(init)}", "pass one of af.init, or a function such as it"
        raise DtypeError(got, "a function (key, shape, dtype) -> array", todo, where=where)
    given = init(next_key(key), tuple(shape), dtype)
    if not fits(given, Numbers):
        raise DtypeError(f"{label(given)} from init", "an array of numbers", "return an array", where=where)
    array = jnp.asarray(given)
    if array.shape != tuple(shape):
        got, expected = f"an array of shape {array.shape} from init", f"{tuple(shape)}"
        raise ShapeError(got, expected, "return that shape", where=where)
    return array.astype(dtype)


def given_bias(where: str, bias: bool | ArrayLike | None, shape: Sequence[int], dtype: DTypeLike) -> Array | None:
    """Return zeros for True, None for False, or the array that was given.

    Example:
        >>> from argflux.nn.arguments import given_bias
        >>> given_bias("Dense", True, (2,), "float32").tolist(), given_bias("Dense", False, (2,), "float32")
        ([0.0, 0.0], None)
    """
    if bias is False or bias is None:
        return None
    if bias is True:
        return jnp.zeros(tuple(shape), dtype)
    vector = jnp.asarray(bias)
    if vector.shape != tuple(shape):
        todo = "pass one value for each output, True or False"
        raise ShapeError(f"a bias of shape {vector.shape}", f"{tuple(shape)}", todo, where=where)
    return vector.astype(dtype)


def floating_input(where: str, x: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """Return a floating input as an array of the layer's dtype, or of its own where the layer has none.

    Example:
        >>> import numpy as np
        >>> from argflux.nn.arguments import floating_input
        >>> str(floating_input("Dense", np.ones(3), "float32").dtype)
        'float32'
    """
    array = jnp.asarray(x)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        wanted = jnp.dtype("float32" if dtype is None else dtype)
        raise DtypeError(
            f"an input of dtype {array.dtype}",
            f"floating values, to be used as {wanted}",
            f"convert it first: jnp.asarray(x, jnp.{wanted})",
            where=where,
        )
    return array if dtype is None else array.astype(dtype)


def checked_width(where: str, x: Array, width: int | None, todo: str, what: str = "an input") -> Array:
    """Return an array whose last dimension is `width`, or any if that is None.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.arguments import checked_width
        >>> checked_width("LayerNorm(3)", jnp.ones((2, 3)), 3, "change the layer").shape
        (2, 3)
    """
    if x.ndim and width in (None, x.shape[-1]):
        return x
    got = f"{what} of shape {x.shape}, last dimension {x.shape[-1]}" if x.ndim else "a single number"
    raise ShapeError(got, f"(..., {width}), a last dimension of {width}", todo, where=where)
