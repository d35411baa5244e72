"""Losses for targets that are classes: one-hot rows or probabilities along the last axis."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from argflux.errors import DataError, DtypeError, ShapeError
from argflux.jaxpr import Tracer
from argflux.keywords import explained
from argflux.nn.losses.compare import Aggregate, aggregated, compared, require, several_classes, tiny
from argflux.nn.losses.xlog import xlogx, xlogy
from argflux.nn.precision import in_single


@explained
def crossentropy(
    yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean, *, axis: int = -1, eps: float | None = None
) -> Array:
    """Cross entropy of probabilities, agg(-Σ y log(ŷ + ε)), summed over the axis of the classes.

    `logitcrossentropy` of the scores before the softmax is more accurate.

    Args:
        yhat: probabilities, shape (..., classes).
        y: one-hot rows or probabilities, same shape.
        agg: joins the losses of the examples.
        axis: the axis of the classes.
        eps: keeps the logarithm finite; machine precision by default.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import crossentropy
        >>> round(float(crossentropy(jnp.array([[0.5, 0.5]]), jnp.array([[1.0, 0.0]]))), 4)
        0.6931
    """
    wide, y = compared("crossentropy", yhat, y)
    several_classes("crossentropy", y, axis, "binarycrossentropy")
    return aggregated(agg, -jnp.sum(xlogy(y, wide + tiny(eps, wide)), axis=axis), yhat)


@explained
def logitcrossentropy(yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean, *, axis: int = -1) -> Array:
    """Cross entropy of scores, agg(-Σ y logsoftmax(ŷ)), summed over the axis of the classes.

    Args:
        yhat: scores (logits), shape (..., classes); -inf rules a class out.
        y: one-hot rows or probabilities, same shape.
        agg: joins the losses of the examples.
        axis: the axis of the classes.

    Raises:
        ShapeError: if the shapes differ; labels are turned into rows by `onehotbatch`.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import logitcrossentropy
        >>> round(float(logitcrossentropy(jnp.array([[2.0, 2.0]]), jnp.array([[1.0, 0.0]]))), 4)
        0.6931
    """
    wide, y = compared("logitcrossentropy", yhat, y)
    several_classes("logitcrossentropy", y, axis, "logitbinarycrossentropy")
    logp = jax.nn.log_softmax(wide, axis=axis)
    logp = jnp.where((y == 0) & jnp.isneginf(logp), 0.0, logp)
    return aggregated(agg, -jnp.sum(y * logp, axis=axis), yhat)


@explained
def binarycrossentropy(yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean, *, eps: float | None = None) -> Array:
    """Cross entropy of the probability of one class, agg(-y log(ŷ + ε) - (1 - y) log(1 - ŷ + ε)).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import binarycrossentropy
        >>> round(float(binarycrossentropy(jnp.array([0.5]), jnp.array([1.0]))), 4)
        0.6931
    """
    wide, y = compared("binarycrossentropy", yhat, y)
    eps = tiny(eps, wide)
    return aggregated(agg, -xlogy(y, wide + eps) - xlogy(1.0 - y, 1.0 - wide + eps), yhat)


@explained
def logitbinarycrossentropy(yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean) -> Array:
    """Cross entropy of the score of one class, agg(y softplus(-ŷ) + (1 - y) softplus(ŷ)).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import logitbinarycrossentropy
        >>> round(float(logitbinarycrossentropy(jnp.array([0.0]), jnp.array([1.0]))), 4)
        0.6931
    """
    wide, y = compared("logitbinarycrossentropy", yhat, y)
    return aggregated(agg, y * jax.nn.softplus(-wide) + (1.0 - y) * jax.nn.softplus(wide), yhat)


@explained
def kldivergence(
    yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean, *, axis: int = -1, eps: float | None = None
) -> Array:
    """Kullback-Leibler divergence from ŷ to y, agg(Σ y log y - y log(ŷ + ε)), over the axis of the classes.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import kldivergence
        >>> round(float(kldivergence(jnp.array([[0.5, 0.5]]), jnp.array([[1.0, 0.0]]))), 4)
        0.6931
    """
    wide, y = compared("kldivergence", yhat, y)
    several_classes("kldivergence", y, axis, "binarycrossentropy")
    return aggregated(agg, jnp.sum(xlogx(y) - xlogy(y, wide + tiny(eps, wide)), axis=axis), yhat)


@explained
def label_smoothing(y: ArrayLike, alpha: float, *, axis: int | None = -1) -> Array:
    """Move a share of the probability to all classes alike: (1 - α) y + α / classes.

    Args:
        y: one-hot rows or probabilities, shape (..., classes).
        alpha: the share, in [0, 1].
        axis: the axis of the classes; None for the probability of one class out of two.

    Raises:
        ShapeError: for a single class, as a column of binary labels has: pass axis=None.
        DataError: for values that do not add up to 1 over the classes (not checked under jit).

    Reference:
        Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2016.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import label_smoothing
        >>> label_smoothing(jnp.array([[1.0, 0.0]]), 0.5).tolist()
        [[0.75, 0.25]]
    """
    require("label_smoothing", 0 <= alpha <= 1, f"alpha={alpha}", "a share in [0, 1]")
    y = jnp.asarray(y)
    if not jnp.issubdtype(y.dtype, jnp.floating):
        todo = "convert the one-hot rows with jnp.asarray(y, jnp.float32)"
        raise DtypeError(f"y of dtype {y.dtype}", "floating values", todo, where="label_smoothing")
    if axis is not None:
        _check_distributions(y, axis)
    classes = 2 if axis is None else y.shape[axis]
    return in_single(lambda y: (1.0 - alpha) * y + alpha / classes, y)


def _check_distributions(y: Array, axis: int) -> None:
    """Raise for binary labels, which smoothing over classes would take for something else."""
    todo = "pass axis=None if y has the probability of one class out of two"
    if not -y.ndim <= axis < y.ndim:
        raise ShapeError(
            f"y of shape {y.shape}, without axis {axis}", "an axis of classes", todo, where="label_smoothing"
        )
    if y.shape[axis] < 2:
        got = f"y of shape {y.shape}, {y.shape[axis]} classes along axis {axis}"
        raise ShapeError(got, "two classes or more", todo, where="label_smoothing")
    if isinstance(y, Tracer) or not y.size:
        return
    totals = np.sum(np.asarray(y, np.float64), axis)
    if not np.allclose(totals, 1, atol=0.02):
        got, worst = f"y of shape {y.shape}", totals.ravel()[np.argmax(np.abs(totals - 1))]
        got += f" whose values along axis {axis} add up to {worst:g}"
        raise DataError(got, "one-hot rows or probabilities, which add up to 1", todo, where="label_smoothing")
