"""Focal losses: cross entropies that weigh down the examples already classified well."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from argflux.keywords import explained
from argflux.nn.losses.compare import Aggregate, aggregated, compared, require, several_classes, tiny
from argflux.nn.losses.xlog import xlogy


@explained
def focal_loss(
    yhat: ArrayLike,
    y: ArrayLike,
    agg: Aggregate = jnp.mean,
    *,
    gamma: float = 2.0,
    axis: int = -1,
    eps: float | None = None,
) -> Array:
    """Focal loss of probabilities, agg(-Σ (1 - ŷ)^γ y log(ŷ + ε)); γ = 0 is the cross entropy.

    Reference:
        Lin et al., Focal Loss for Dense Object Detection, 2017.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import focal_loss
        >>> round(float(focal_loss(jnp.array([[0.5, 0.5]]), jnp.array([[1.0, 0.0]]))), 4)
        0.1733
    """
    wide, y = compared("focal_loss", yhat, y)
    several_classes("focal_loss", y, axis, "binary_focal_loss")
    require("focal_loss", gamma >= 0, f"gamma={gamma}", "gamma >= 0")
    terms = _powered(1.0 - wide, gamma) * xlogy(y, wide + tiny(eps, wide))
    return aggregated(agg, -jnp.sum(terms, axis=axis), yhat)


@explained
def binary_focal_loss(
    yhat: ArrayLike,
    y: ArrayLike,
    agg: Aggregate = jnp.mean,
    *,
    gamma: float = 2.0,
    eps: float | None = None,
) -> Array:
    """Focal loss of the probability of one class, agg(-(1 - p)^γ log(p + ε)) with p = y ŷ + (1 - y)(1 - ŷ).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import binary_focal_loss
        >>> round(float(binary_focal_loss(jnp.array([0.5]), jnp.array([1.0]))), 4)
        0.1733
    """
    wide, y = compared("binary_focal_loss", yhat, y)
    require("binary_focal_loss", gamma >= 0, f"gamma={gamma}", "gamma >= 0")
    p = y * wide + (1.0 - y) * (1.0 - wide)
    return aggregated(agg, -_powered(1.0 - p, gamma) * jnp.log(p + tiny(eps, wide)), yhat)


def _powered(base: Array, gamma: float) -> Array:
    """Return max(base, 0)^gamma with finite derivatives at 0."""
    positive = base > 0
    return jnp.where(positive, jnp.where(positive, base, 1.0) ** gamma, 0.0**gamma)
