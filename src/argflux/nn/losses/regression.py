"""Losses for targets that are numbers."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from argflux.keywords import explained
from argflux.nn.losses.compare import Aggregate, aggregated, compared, magnitude, require, tiny
from argflux.nn.losses.xlog import xlogy


@explained
def mse(yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean) -> Array:
    """Mean squared error, agg((ŷ - y)²).

    Args:
        yhat: the prediction, of any shape.
        y: the target, of the same shape.
        agg: what joins the terms: `jnp.mean`, `jnp.sum`, or `identity` for one value each.

    Raises:
        ShapeError: if the shapes differ: nothing is broadcast; or for an empty batch.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import mse
        >>> float(mse(jnp.array([1.0, 3.0]), jnp.array([1.0, 1.0])))
        2.0
    """
    wide, y = compared("mse", yhat, y)
    return aggregated(agg, jnp.square(wide - y), yhat)


@explained
def mae(yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean) -> Array:
    """Mean absolute error, agg(|ŷ - y|); the derivative is 0 where ŷ = y.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import mae
        >>> float(mae(jnp.array([1.0, 3.0]), jnp.array([1.0, 1.0])))
        1.0
    """
    wide, y = compared("mae", yhat, y)
    return aggregated(agg, magnitude(wide - y), yhat)


@explained
def huber_loss(yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean, *, delta: float = 1.0) -> Array:
    """Squared for small errors, linear for large ones: agg(e² / 2) if |e| < δ, else agg(δ (|e| - δ / 2)).

    Reference:
        Huber, Robust Estimation of a Location Parameter, 1964.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import huber_loss
        >>> float(huber_loss(jnp.array([0.0]), jnp.array([3.0])))
        2.5
    """
    wide, y = compared("huber_loss", yhat, y)
    require("huber_loss", delta > 0, f"delta={delta}", "delta > 0")
    error = magnitude(wide - y)
    inner = jnp.minimum(error, delta)
    return aggregated(agg, inner * (error - 0.5 * inner), yhat)


@explained
def msle(yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean, *, eps: float | None = None) -> Array:
    """Mean squared logarithmic error, agg((log(ŷ + ε) - log(y + ε))²), for values that are not negative.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import msle
        >>> round(float(msle(jnp.array([2.718281828]), jnp.array([1.0]))), 4)
        1.0
    """
    wide, y = compared("msle", yhat, y)
    eps = tiny(eps, wide)
    return aggregated(agg, jnp.square(jnp.log(wide + eps) - jnp.log(y + eps)), yhat)


@explained
def poisson_loss(yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean) -> Array:
    """Negative log-likelihood of counts y under Poisson rates ŷ > 0, up to a constant: agg(ŷ - y log ŷ).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import poisson_loss
        >>> float(poisson_loss(jnp.array([1.0]), jnp.array([3.0])))
        1.0
    """
    wide, y = compared("poisson_loss", yhat, y)
    return aggregated(agg, wide - xlogy(y, wide), yhat)
