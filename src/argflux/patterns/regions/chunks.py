"""Data of any size taken through a compiled function in chunks of equal length."""

import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError

BYTES = 2**25


def observations(x: Any, batch_axes: int, where: str) -> Any:
    """Return data with its axes of observations made one.

    Args:
        x: floating data, of NumPy or JAX.
        batch_axes: how many leading axes number the observations; 0 for a single one.
        where: the function that asks, for messages.

    Raises:
        DtypeError: for data that is not floating.
        ShapeError: for fewer axes.
        ArgumentError: for a negative `batch_axes`.
        DataError: for no observations, or no features.
    """
    array = x if isinstance(x, np.ndarray | jax.Array) else np.asarray(x)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        got, todo = f"data of dtype {array.dtype}", "convert it first, as in x.astype('float32')"
        raise DtypeError(got, "floating data", todo, where=where)
    if isinstance(batch_axes, bool) or not isinstance(batch_axes, int) or batch_axes < 0:
        expected, todo = "an integer of at least 0", "leave it out for the usual"
        raise ArgumentError(f"batch_axes={batch_axes!r}", expected, todo, where=where)
    if array.ndim <= batch_axes:
        todo = "pass the batch first, the features after it"
        expected = f"at least {batch_axes + 1} axes, the first {batch_axes} for the observations"
        raise ShapeError(f"data of shape {array.shape}", expected, todo, where=where)
    if array.size == 0:
        todo = "check the filter or the file before this"
        raise DataError(f"data of shape {array.shape}", "at least one observation and one feature", todo, where=where)
    return array.reshape(math.prod(array.shape[:batch_axes]), *array.shape[batch_axes:])


def numbered(count: int) -> str:
    """Write a number of observations.

    Example:
        >>> numbered(1), numbered(1797)
        ('1 observation', '1,797 observations')
    """
    return f"{count:,} observation{'' if count == 1 else 's'}"


def chunk_length(count: int, bytes_each: int) -> int:
    """Return the length of equal chunks that fit the memory set aside and leave the least of the last one empty.

    Example:
        >>> chunk_length(10_000, bytes_each=12_544)
        2500
    """
    most = max(1, min(BYTES // max(bytes_each, 1), count))
    return math.ceil(count / math.ceil(count / most))


def chunks(count: int, length: int, *arrays: Any) -> Iterator[tuple[int, tuple]]:
    """Yield (rows that count, chunk of every array); the last chunk repeats its last row up to the same length."""
    for start in range(0, count, length):
        parts = [array[start : start + length] for array in arrays]
        real = min(length, count - start)
        yield real, tuple(_filled(part, length - real) for part in parts)


def _filled(part: Any, missing: int) -> Any:
    if not missing:
        return part
    library = np if isinstance(part, np.ndarray) else jnp
    return library.concatenate([part, library.repeat(part[-1:], missing, axis=0)])


def check_finite(x: Any, all_finite: bool, where: str) -> None:
    """Raise if data is not finite, naming the first place.

    Raises:
        DataError: for NaN or infinite values.
    """
    if all_finite:
        return
    first = tuple(int(i) for i in np.argwhere(~np.isfinite(np.asarray(x)))[0])
    got, todo = f"{np.asarray(x)[first]} at {list(first)}", "drop or fill those rows"
    raise DataError(got, "finite numbers only", todo, where=where)
