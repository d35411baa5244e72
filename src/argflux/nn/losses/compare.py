"""What all losses share: checked pairs of arrays, and the aggregate at the end."""

import builtins
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.jaxpr import Tracer
from argflux.nn.precision import wide_dtype, widened

Aggregate = Callable[[Array], Array]


def compared(loss: str, yhat: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return both as arrays of one dtype, refusing unequal shapes, which would broadcast silently.

    It is that of yhat, or float32 where that has fewer bits: `aggregated` rounds the loss.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.losses.compare import compared
        >>> [str(a.dtype) for a in compared("mse", jnp.zeros(2), jnp.array([True, False]))]
        ['float32', 'float32']
    """
    yhat, y = jnp.asarray(yhat), jnp.asarray(y)
    if not jnp.issubdtype(yhat.dtype, jnp.floating):
        todo = "pass the output of a model, or convert it with jnp.asarray(yhat, jnp.float32)"
        raise DtypeError(f"yhat of dtype {yhat.dtype}", "floating values", todo, where=loss)
    if jnp.issubdtype(y.dtype, jnp.complexfloating):
        raise DtypeError(f"y of dtype {y.dtype}", "real values", "pass its real part", where=loss)
    if yhat.shape != y.shape:
        raise _unequal(loss, yhat, y)
    if yhat.size == 0:
        todo = "pass at least one example"
        raise ShapeError(f"an empty batch of shape {yhat.shape}", "values to compare", todo, where=loss)
    return widened(yhat), y.astype(wide_dtype(yhat.dtype))


def _unequal(loss: str, yhat: Array, y: Array) -> ShapeError:
    if y.shape == yhat.shape[:-1] and not jnp.issubdtype(y.dtype, jnp.floating):
        todo = f"turn the labels into one-hot rows: onehotbatch(y, range({yhat.shape[-1]}))"
    elif yhat.ndim and y.ndim and yhat.size == y.size:
        todo = "reshape one like the other"
    else:
        todo = "make the shapes equal; losses never broadcast"
    return ShapeError(f"yhat {yhat.shape} and y {y.shape}", "equal shapes", todo, where=loss)


def aggregated(agg: Aggregate, values: Array, yhat: ArrayLike) -> Array:
    """Apply `agg` to the losses of the examples, and return them in the dtype of yhat.

    Python's own sum means the sum over all axes.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.losses.compare import aggregated
        >>> float(aggregated(sum, jnp.ones((2, 3)), jnp.ones((2, 3))))
        6.0
    """
    return rounded(jnp.sum(values) if agg is builtins.sum else agg(values), yhat)


def several_classes(loss: str, y: Array, axis: int, binary: str) -> None:
    """Refuse an axis of the classes that is not there, or binary labels in a column, which are no single class.

    A single class has probability 1; where that cannot be seen, under jit, one class is refused.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.losses.compare import several_classes
        >>> several_classes("crossentropy", jnp.eye(2), -1, "binarycrossentropy")
    """
    if not -y.ndim <= axis < y.ndim:
        raise ArgumentError(f"axis={axis}", f"an axis of shape {y.shape}", "pass the axis of the classes", where=loss)
    if y.shape[axis] == 1 and (isinstance(y, Tracer) or np.any(np.asarray(y) != 1)):
        got = f"labels of shape {y.shape}, one class along axis {axis}"
        raise ShapeError(got, "two classes or more", f"call {binary}", where=loss)


def rounded(loss: Array, yhat: ArrayLike) -> Array:
    """Return a loss in the dtype of the prediction, where that is one of fewer bits.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.losses.compare import rounded
        >>> str(rounded(jnp.ones(()), jnp.ones(2, jnp.bfloat16)).dtype)
        'bfloat16'
    """
    dtype = jnp.asarray(yhat).dtype
    return loss if wide_dtype(dtype) == dtype else loss.astype(dtype)


def tiny(eps: float | None, like: Array) -> float:
    """Return eps, or by default the machine precision of an array.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.losses.compare import tiny
        >>> tiny(None, jnp.zeros(2)) < 1e-6
        True
    """
    return float(jnp.finfo(like.dtype).eps) if eps is None else eps


def require(loss: str, holds: bool, got: str, expected: str) -> None:
    """Refuse an option outside its range.

    Example:
        >>> from argflux.nn.losses.compare import require
        >>> require("huber_loss", 1.0 > 0, "delta=1.0", "delta > 0")
    """
    if not holds:
        raise ArgumentError(got, expected, "correct the option", where=loss)


def magnitude(x: Any) -> Array:
    """Return |x|, whose derivative at 0 is 0; of NaN it is NaN.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.losses.compare import magnitude
        >>> magnitude(jnp.array([-2.0, 3.0])).tolist()
        [2.0, 3.0]
    """
    return jnp.where(x > 0, x, jnp.where(x == 0, jnp.zeros_like(x), -x))
