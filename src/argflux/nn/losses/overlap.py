"""Losses of overlap, for masks: one number for the whole arrays, so they have no aggregate."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from argflux.keywords import explained
from argflux.nn.losses.compare import compared, require, rounded


@explained
def dice_coeff_loss(yhat: ArrayLike, y: ArrayLike, *, smooth: float = 1.0) -> Array:
    """One minus the Dice coefficient, 1 - (2 Σ ŷ y + s) / (Σ ŷ² + Σ y² + s), over all entries.

    Args:
        yhat: probabilities, of any shape.
        y: the mask, of the same shape.
        smooth: s, which keeps the quotient defined for empty masks.

    Reference:
        Milletari et al., V-Net, 2016.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import dice_coeff_loss
        >>> float(dice_coeff_loss(jnp.array([1.0, 0.0]), jnp.array([1.0, 0.0])))
        0.0
    """
    wide, y = compared("dice_coeff_loss", yhat, y)
    require("dice_coeff_loss", smooth > 0, f"smooth={smooth}", "smooth > 0")
    shared = 2.0 * jnp.sum(wide * y) + smooth
    return rounded(1.0 - shared / (jnp.sum(jnp.square(wide)) + jnp.sum(jnp.square(y)) + smooth), yhat)


@explained
def tversky_loss(yhat: ArrayLike, y: ArrayLike, *, beta: float = 0.7) -> Array:
    """One minus the Tversky index, 1 - (T + 1) / (T + β Σ y (1 - ŷ) + (1 - β) Σ (1 - y) ŷ + 1), T = Σ ŷ y.

    Args:
        yhat: probabilities, of any shape.
        y: the mask, of the same shape.
        beta: the weight of what was missed, in [0, 1]; the rest weighs what was found wrongly.

    Reference:
        Salehi et al., Tversky Loss Function for Image Segmentation, 2017.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import tversky_loss
        >>> float(tversky_loss(jnp.array([1.0, 0.0]), jnp.array([1.0, 0.0])))
        0.0
    """
    wide, y = compared("tversky_loss", yhat, y)
    require("tversky_loss", 0 <= beta <= 1, f"beta={beta}", "a weight in [0, 1]")
    shared = jnp.sum(wide * y)
    missed, wrong = jnp.sum(y * (1.0 - wide)), jnp.sum((1.0 - y) * wide)
    return rounded(1.0 - (shared + 1.0) / (shared + beta * missed + (1.0 - beta) * wrong + 1.0), yhat)
