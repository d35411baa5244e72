"""Scores of predictions against labels."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from argflux.errors import DataError, DtypeError, ShapeError
from argflux.jaxpr import Tracer
from argflux.keywords import explained


@explained
def accuracy(scores: ArrayLike, y: ArrayLike) -> jax.Array:
    r"""Return the part of the rows whose largest score is at the label.

    $\frac1n \sum_i [\arg\max_k s_{ik} = y_i]$, where [·] is 1 if true and 0 if not.

    A row that holds a NaN counts as wrong. Works under `jit`, where labels are not checked.

    Args:
        scores: logits or probabilities, shape `(..., k)`, such as `model(X)`.
        y: integer labels 0 to k-1 of shape `(...)`, or one-hot rows of shape `(..., k)`.

    Returns:
        A scalar, float32, between 0 and 1.

    Raises:
        ShapeError: when the shapes do not fit, or for scores of a single class, of which every row would be right.
        DtypeError: for labels that are not integers.
        DataError: for an empty batch, or a label outside 0 to k-1.

    Example:
        >>> from argflux.data import accuracy
        >>> import jax.numpy as jnp
        >>> logits = jnp.array([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0], [0.0, 1.0]])
        >>> float(accuracy(logits, jnp.array([0, 1, 1, 1])))
        0.75
    """
    scores, y = jnp.asarray(scores), jnp.asarray(y)
    _check_shapes(scores, y)
    if y.ndim == scores.ndim:
        wanted = jnp.argmax(y, axis=-1)
    else:
        _check_labels(y, scores.shape[-1])
        wanted = y.astype(int)
    right = (jnp.argmax(scores, axis=-1) == wanted) & ~jnp.isnan(scores).any(axis=-1)
    return right.astype(jnp.float32).mean()


def _check_shapes(scores: jax.Array, y: jax.Array) -> None:
    if scores.ndim == 0 or y.shape not in (scores.shape, scores.shape[:-1]):
        expected = f"labels of shape {scores.shape[:-1]} or one-hot rows of shape {scores.shape}"
        got, todo = (
            f"scores of shape {scores.shape} and labels of shape {y.shape}",
            "pass the whole scores, batch first",
        )
        raise ShapeError(got, expected, todo, where="accuracy")
    if scores.shape[-1] == 1:
        got, todo = (
            f"scores of shape {scores.shape}, of one class",
            "take jnp.mean((scores > 0) == (y > 0)) of binary scores",
        )
        raise ShapeError(got, "scores of two classes or more", todo, where="accuracy")
    if scores.size == 0:
        got, todo = f"scores of shape {scores.shape}", "check the filter that made this batch"
        raise DataError(got, "at least one row", todo, where="accuracy")


def _check_labels(labels: jax.Array, k: int) -> None:
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        got, todo = f"{labels.dtype.name} labels", "convert them with y.astype(int)"
        raise DtypeError(got, "integer labels or one-hot rows", todo, where="accuracy")
    if isinstance(labels, Tracer):
        return
    outside = np.argwhere((np.asarray(labels) < 0) | (np.asarray(labels) >= k))
    if outside.size:
        index = tuple(int(i) for i in outside[0])
        got, todo = f"label {int(labels[index])} at index {list(index)}", "number the classes from 0"
        raise DataError(got, f"labels 0 to {k - 1} for {k} scores", todo, where="accuracy")
