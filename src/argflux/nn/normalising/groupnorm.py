"""GroupNorm: every example normalised by itself, over groups of channels and all spatial axes."""

from collections.abc import Callable

import equinox as eqx
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ArgumentError
from argflux.nn.activation import identity
from argflux.nn.arguments import checked_activation, checked_dtype, checked_size, checked_width, floating_input
from argflux.nn.layer import Layer
from argflux.nn.normalising.moments import affine_pair, checked_eps, normalised, scaled
from argflux.nn.show import label

TODO = "call GroupNorm(32, 4): the channels, and the groups that they are split into"


class GroupNorm(Layer):
    """Every example normalised over groups of channels and all spatial axes, then scaled and shifted by channel.

    Args:
        channels: the size of the last axis.
        groups: that the channels are split into.
        activation: a function of an array, applied last.
        affine: whether there are a scale, which starts at 1, and a bias, which starts at 0.
        eps: added to the variance.
        dtype: of the parameters; float32 by default.

    Attributes:
        scale, bias: shape (channels,), or None.

    Calling it:
        x of shape (batch, *spatial, channels) gives the same shape.

    Raises:
        ArgumentError: for groups that do not divide the channels.
        ShapeError: for an input of other channels.

    Reference:
        Wu and He, Group Normalization, 2018.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.GroupNorm(4, 2)(jnp.array([[1.0, 3.0, 0.0, 10.0]])).round(2).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]
    """

    scale: Array | None
    bias: Array | None
    channels: int = eqx.field(static=True)
    groups: int = eqx.field(static=True)
    activation: Callable = eqx.field(static=True)
    eps: float = eqx.field(static=True)

    def __init__(
        self,
        channels: int,
        groups: int,
        activation: Callable = identity,
        *,
        affine: bool = True,
        eps: float = 1e-5,
        dtype: DTypeLike | None = None,
    ):
        self.channels = checked_size("GroupNorm", "channels", channels, TODO)
        self.groups = checked_size("GroupNorm", "groups", groups, TODO)
        if self.channels % self.groups:
            got = f"{groups} groups of {channels} channels"
            raise ArgumentError(got, "groups that divide the channels", TODO, where="GroupNorm")
        self.scale, self.bias = affine_pair(affine, (self.channels,), checked_dtype("GroupNorm", dtype))
        self.activation = checked_activation("GroupNorm", activation)
        self.eps = checked_eps("GroupNorm", eps)

    def __call__(self, x: ArrayLike) -> Array:
        """Normalise (batch, *spatial, channels)."""
        where = self.label()
        x = floating_input(where, x, None if self.scale is None else self.scale.dtype)
        x = checked_width(where, x, self.channels, "change the input, or the channels of the layer")
        grouped = x.reshape(*x.shape[:-1], self.groups, self.channels // self.groups)
        axes = (*range(1, x.ndim - 1), x.ndim)
        y = normalised(grouped, axes, self.eps).reshape(x.shape)
        return self.activation(scaled(y, self.scale, self.bias))

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.GroupNorm(32, 4, nn.relu).label()
            'GroupNorm(32, 4, relu)'
        """
        activation = "" if self.activation is identity else f", {label(self.activation)}"
        return f"GroupNorm({self.channels}, {self.groups}{activation}{', affine=False' if self.scale is None else ''})"
