"""InstanceNorm: every channel of every example normalised by itself, over the spatial axes."""

import math
from collections.abc import Callable

import equinox as eqx
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ShapeError
from argflux.nn.activations import identity
from argflux.nn.arguments import checked_activation, checked_dtype, checked_size, checked_width, floating_input
from argflux.nn.layer import Layer
from argflux.nn.normalising.moments import affine_pair, checked_eps, normalised, scaled
from argflux.nn.show import label


class InstanceNorm(Layer):
    """Every channel of every example normalised over the spatial axes.

    Args:
        channels: the size of the last axis.
        activation: a function of an array, applied last.
        affine: whether there are a scale, which starts at 1, and a bias, which starts at 0; there are none by default.
        eps: added to the variance.
        dtype: of the parameters; float32 by default.

    Attributes:
        scale, bias: shape (channels,), or None.

    Calling it:
        x of shape (batch, *spatial, channels) gives the same shape.

    Raises:
        ShapeError: for an input of other channels, or with a single value to normalise over.

    Reference:
        Ulyanov et al., Instance Normalization: The Missing Ingredient for Fast Stylization, 2016.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.InstanceNorm(1)(jnp.array([[[1.0], [3.0]]])).round(2).tolist()
        [[[-1.0], [1.0]]]
    """

    scale: Array | None
    bias: Array | None
    channels: int = eqx.field(static=True)
    activation: Callable = eqx.field(static=True)
    eps: float = eqx.field(static=True)

    def __init__(
        self,
        channels: int,
        activation: Callable = identity,
        *,
        affine: bool = False,
        eps: float = 1e-5,
        dtype: DTypeLike | None = None,
    ):
        self.channels = checked_size("InstanceNorm", "channels", channels, "call InstanceNorm(32)")
        self.scale, self.bias = affine_pair(affine, (self.channels,), checked_dtype("InstanceNorm", dtype))
        self.activation = checked_activation("InstanceNorm", activation)
        self.eps = checked_eps("InstanceNorm", eps)

    def __call__(self, x: ArrayLike) -> Array:
        """Normalise (batch, *spatial, channels)."""
        where = self.label()
        x = floating_input(where, x, None if self.scale is None else self.scale.dtype)
        x = checked_width(where, x, self.channels, "change the input, or the channels of the layer")
        if math.prod(x.shape[1:-1]) < 2:
            got, todo = f"an input of shape {x.shape}, one value a channel", "use LayerNorm, or keep the spatial axes"
            raise ShapeError(got, "(batch, *spatial, channels) with two values or more", todo, where=where)
        y = normalised(x, range(1, x.ndim - 1), self.eps)
        return self.activation(scaled(y, self.scale, self.bias))

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.InstanceNorm(32, affine=True).label()
            'InstanceNorm(32, affine=True)'
        """
        activation = "" if self.activation is identity else f", {label(self.activation)}"
        return f"InstanceNorm({self.channels}{activation}{'' if self.scale is None else ', affine=True'})"
