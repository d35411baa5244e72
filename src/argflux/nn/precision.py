"""Half precision: what is computed in 32 bits, and rounded once at the end. The guide of networks has the table."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike


def wide_dtype(dtype: DTypeLike) -> Any:
    """Return float32 for floating dtypes of fewer bits, and every other as it is.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.precision import wide_dtype
        >>> str(wide_dtype(jnp.bfloat16)), str(wide_dtype(jnp.int8))
        ('float32', 'int8')
    """
    of_array = jnp.dtype(dtype)
    is_half = jnp.issubdtype(of_array, jnp.floating) and jnp.finfo(of_array).bits < 32
    return jnp.dtype("float32") if is_half else of_array


def widened(x: ArrayLike) -> Array:
    """Return an array in 32 bits at least.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.precision import widened
        >>> str(widened(jnp.ones(2, jnp.float16)).dtype)
        'float32'
    """
    array = jnp.asarray(x)
    wide = wide_dtype(array.dtype)
    return array if array.dtype == wide else array.astype(wide)


def in_single(f: Callable, x: ArrayLike, *options: Any, **keywords: Any) -> Array:
    """Return f(x, *options, **keywords), computed in 32 bits and rounded once where x has fewer.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.precision import in_single
        >>> x = jnp.array([300.0], jnp.float16)
        >>> jnp.sqrt(x * x).tolist(), in_single(lambda x: jnp.sqrt(x * x), x).tolist()
        ([inf], [300.0])
    """
    dtype = getattr(x, "dtype", None)
    if dtype is None or wide_dtype(dtype) == dtype:
        return f(x, *options, **keywords)
    return f(widened(x), *options, **keywords).astype(dtype)
