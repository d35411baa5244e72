"""Labels as one-hot rows, and back."""

from collections.abc import Hashable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError
from argflux.jaxpr import Tracer
from argflux.keywords import explained
from argflux.tree import is_array


@explained
def onehotbatch(labels: Any, classes: Iterable[Hashable], dtype: DTypeLike = jnp.float32) -> jax.Array:
    """Encode labels as rows with a one at the label's place among the classes and zeros elsewhere.

    Labels on the host may be anything hashable. Under `jit` they must be integers, and there a label outside
    the classes gives a row of zeros, since no error can be raised.

    Args:
        labels: an array of any shape `(...)`, or an iterable of labels.
        classes: the k distinct labels in the order of the columns, such as `range(10)` or `["cat", "dog"]`.
        dtype: of the result.

    Returns:
        An array of shape `(..., k)`.

    Raises:
        DataError: for a label outside the classes, naming it and its index.
        ArgumentError: for classes that are empty or repeat themselves.

    Example:
        >>> from argflux.data import onehotbatch
        >>> print(onehotbatch(["b", "a", "b"], ["a", "b", "c"]))
        [[0. 1. 0.]
         [1. 0. 0.]
         [0. 1. 0.]]
    """
    columns = _columns(classes, "onehotbatch")
    if isinstance(labels, Tracer):
        return _traced_onehot(labels, columns).astype(dtype)
    return jnp.asarray(_positions(labels, columns)[..., None] == np.arange(len(columns)), dtype)


@explained
def onehot(label: Any, classes: Iterable[Hashable], dtype: DTypeLike = jnp.float32) -> jax.Array:
    """Encode one label as a vector with a one at the label's place among the classes.

    Args:
        label: anything hashable, or a scalar array.
        classes: the k distinct labels.
        dtype: of the result.

    Returns:
        An array of shape `(k,)`.

    Raises:
        DataError: for a label outside the classes.

    Example:
        >>> from argflux.data import onehot
        >>> print(onehot("b", ["a", "b", "c"]))
        [0. 1. 0.]
    """
    if not is_array(label):
        return onehotbatch([label], classes, dtype)[0]
    if label.ndim:
        got, todo = f"an array of shape {label.shape}", "use onehotbatch for several labels"
        raise ShapeError(got, "one label", todo, where="onehot")
    return onehotbatch(label, classes, dtype)


@explained
def onecold(y: ArrayLike, classes: Iterable[Hashable] | None = None) -> Any:
    """Return the label of the largest entry of every row; the first of them in a tie.

    Args:
        y: scores, probabilities or one-hot rows, shape `(..., k)`.
        classes: the k labels in the order of the columns; the column numbers if not given.

    Returns:
        Shape `(...)`: an int32 JAX array for integer classes (also under `jit`), a NumPy array of the
        labels themselves for others.

    Raises:
        ShapeError: when `y` has no axis of classes, or one of another length than `classes`.

    Example:
        >>> from argflux.data import onecold
        >>> import jax.numpy as jnp
        >>> onecold(jnp.array([[0.1, 0.9], [0.8, 0.2]]), ["cat", "dog"]).tolist()
        ['dog', 'cat']
    """
    y = jnp.asarray(y)
    if y.ndim == 0 or y.shape[-1] == 0:
        raise ShapeError(f"shape {y.shape}", "shape (..., k)", "put the scores of classes last", where="onecold")
    columns = list(range(y.shape[-1]) if classes is None else _columns(classes, "onecold"))
    if len(columns) != y.shape[-1]:
        got, expected = f"{len(columns)} classes", f"{y.shape[-1]}, the last axis of shape {y.shape}"
        raise ShapeError(got, expected, "name one class a column", where="onecold")
    place = jnp.argmax(y, axis=-1).astype(jnp.int32)
    if isinstance(place, Tracer):
        return _traced_codes(columns, "onecold")[place]
    codes = _integer_codes(columns)
    return _object_array(columns)[np.asarray(place)] if codes is None else codes[place]


def _columns(classes: Iterable[Hashable], where: str) -> dict[Hashable, int]:
    try:
        listed = classes.tolist() if isinstance(classes, np.ndarray | jax.Array) else list(classes)
        columns = {label: column for column, label in enumerate(listed)}
    except TypeError as error:
        raise _unusable_classes(f"classes={classes!r}", "a sequence of hashable labels", where) from error
    if not columns:
        raise _unusable_classes("no classes", "at least one", where)
    if len(columns) < len(listed):
        twice = next(label for label in listed if listed.count(label) > 1)
        raise _unusable_classes(f"class {twice!r} more than once", "distinct classes", where)
    return columns


def _unusable_classes(got: str, expected: str, where: str) -> ArgumentError:
    todo = "pass the labels in the order of the columns, such as range(10)"
    return ArgumentError(got, expected, todo, where=where)


def _positions(labels: Any, columns: dict[Hashable, int]) -> np.ndarray:
    if is_array(labels):
        flat, shape = np.asarray(labels).reshape(-1).tolist(), labels.shape
    elif isinstance(labels, Iterable):
        flat = list(labels)
        shape = (len(flat),)
    else:
        todo = "use onehot for a single label"
        raise DtypeError(f"labels={labels!r}", "an array or a sequence of labels", todo, where="onehotbatch")
    try:
        return np.array([columns[label] for label in flat], dtype=np.int32).reshape(shape)
    except (KeyError, TypeError) as error:
        raise _unknown_label(flat, shape, columns) from error


def _unknown_label(flat: list, shape: tuple[int, ...], columns: dict[Hashable, int]) -> DataError:
    place = next(i for i, label in enumerate(flat) if not (_is_hashable(label) and label in columns))
    index = tuple(int(i) for i in np.unravel_index(place, shape)) if shape else ()
    at = f"at index {index[0] if len(index) == 1 else list(index)}"
    if not _is_hashable(flat[place]):
        todo = "pass nested labels as one NumPy array"
        return DataError(f"{flat[place]!r} {at}", "labels that can be hashed", todo, where="onehotbatch")
    shown = ", ".join(map(repr, list(columns)[:10])) + (", …" if len(columns) > 10 else "")
    return DataError(
        f"label {flat[place]!r} {at}",
        f"one of the {len(columns)} classes {shown}",
        "correct the label or add it to the classes",
        where="onehotbatch",
    )


def _is_hashable(label: Any) -> bool:
    try:
        hash(label)
    except TypeError:
        return False
    return True


def _integer_codes(columns: Iterable[Hashable]) -> jax.Array | None:
    listed = list(columns)
    if all(isinstance(label, int | np.integer) and -(2**31) <= label < 2**31 for label in listed):
        return jnp.asarray(np.array(listed, dtype=np.int32))
    return None


def _traced_codes(columns: Iterable[Hashable], where: str) -> jax.Array:
    codes = _integer_codes(columns)
    if codes is None:
        got = f"classes such as {next(iter(columns))!r} under jit"
        raise DtypeError(got, "32-bit integers", "translate such labels outside of jit", where=where)
    return codes


def _traced_onehot(labels: jax.Array, columns: dict[Hashable, int]) -> jax.Array:
    codes = _traced_codes(columns, "onehotbatch")
    if not (jnp.issubdtype(labels.dtype, jnp.integer) or labels.dtype == bool):
        todo = "convert them with labels.astype(int)"
        raise DtypeError(f"{labels.dtype.name} labels", "integer labels under jit", todo, where="onehotbatch")
    return labels.astype(jnp.int32)[..., None] == codes


def _object_array(columns: list[Hashable]) -> np.ndarray:
    array = np.empty(len(columns), dtype=object)
    array[:] = columns
    return array
