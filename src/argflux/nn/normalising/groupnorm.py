"""GroupNorm: every example normalised by itself, over groups of channels and all spatial axes."""

from collections.abc import Callable

import equinox as eqx
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.nn.activation import identity
from argflux.nn.arguments import (
    checked_activation,
    checked_dtype,
    checked_size,
    checked_width,
    floating_input,
    open_size,
)
from argflux.nn.lastaxes import scaled
from argflux.nn.layer import Layer
from argflux.nn.normalising.moments import affine_pair, channels_of, checked_eps, normalised
from argflux.nn.show import label
from argflux.nn.widths import fill

TODO = "call GroupNorm(32, 4): the channels, and the groups that they are split into"


@explained
class GroupNorm(Layer):
    """Every example normalised over groups of channels and all spatial axes, then scaled and shifted by channel.

    Args:
        channels: the size of the last axis; None to have it inferred (`infer`).
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
    channels: int | None = eqx.field(static=True)
    groups: int = eqx.field(static=True)
    activation: Callable = eqx.field(static=True)
    eps: float = eqx.field(static=True)

    def __init__(
        self,
        channels: int | None,
        groups: int,
        activation: Callable = identity,
        *,
        affine: bool = True,
        eps: float = 1e-5,
        dtype: DTypeLike | None = None,
    ):
        self.channels = open_size("GroupNorm", "channels", channels, TODO)
        self.groups = checked_size("GroupNorm", "groups", groups, TODO)
        if self.channels is not None:
            self._check_division(self.channels)
        self.scale, self.bias = affine_pair(affine, (self.channels,), checked_dtype("GroupNorm", dtype))
        self.activation = checked_activation("GroupNorm", activation)
        self.eps = checked_eps("GroupNorm", eps)

    def __call__(self, x: ArrayLike) -> Array:
        """Normalise (batch, *spatial, channels)."""
        where = self.label()
        self = fill(self, x, where)
        x = floating_input(where, x, None if self.scale is None else self.scale.dtype)
        x = checked_width(where, x, self._channels(), "change the input, or the channels of the layer")
        self._check_division(x.shape[-1])
        grouped = x.reshape(*x.shape[:-1], self.groups, x.shape[-1] // self.groups)
        axes = (*range(1, x.ndim - 1), x.ndim)
        y = normalised(grouped, axes, self.eps).reshape(x.shape)
        return self.activation(scaled(y, self.scale, self.bias).astype(x.dtype))

    def _channels(self) -> int | None:
        return channels_of(self.channels, self.scale)

    def _check_division(self, channels: int) -> None:
        if channels % self.groups:
            got = f"{self.groups} groups of {channels} channels"
            raise ArgumentError(got, "groups that divide the channels", TODO, where="GroupNorm")

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.GroupNorm(32, 4, nn.relu).label()
            'GroupNorm(32, 4, relu)'
        """
        activation = "" if self.activation is identity else f", {label(self.activation)}"
        affine = "" if self.scale is not None else ", affine=False"
        return f"GroupNorm({self._channels() or '?'}, {self.groups}{activation}{affine})"
