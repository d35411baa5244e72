"""InstanceNorm: every channel of every example normalised by itself, over the spatial axes."""

import math
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ShapeError
from argflux.keywords import explained
from argflux.nn.activation import identity
from argflux.nn.arguments import checked_activation, checked_dtype, checked_width, floating_input, open_size
from argflux.nn.lastaxes import scaled, under
from argflux.nn.layer import Layer
from argflux.nn.mode import is_training
from argflux.nn.normalising.moments import (
    affine_pair,
    channels_of,
    checked_eps,
    follow,
    normalised,
    tracked_pair,
)
from argflux.nn.precision import wide_dtype, widened
from argflux.nn.show import label
from argflux.nn.widths import fill
from argflux.tree import Buffer


@explained
class InstanceNorm(Layer):
    """Every channel of every example normalised over the spatial axes.

    With `track`, running statistics follow the means over the batch of the examples' moments in training, as those
    of `BatchNorm` do, and are used outside it.

    Args:
        channels: the size of the last axis; None to have it inferred (`infer`).
        activation: a function of an array, applied last.
        affine: whether there are a scale, which starts at 1, and a bias, which starts at 0; there are none by default.
        track: whether there are running statistics; there are none by default.
        eps: added to the variance.
        momentum: the weight of a new batch in the running statistics.
        training: None for automatic (see `trainmode`), True or False; it matters with `track` alone.
        dtype: of the parameters; float32 by default.

    Attributes:
        scale, bias: shape (channels,), or None.
        mean, variance: Buffers of arrays of shape (channels,), from 0 and 1, or None.

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
    mean: Buffer | None
    variance: Buffer | None
    channels: int | None = eqx.field(static=True)
    activation: Callable = eqx.field(static=True)
    eps: float = eqx.field(static=True)
    momentum: float = eqx.field(static=True)
    training: bool | None = eqx.field(static=True)

    def __init__(
        self,
        channels: int | None,
        activation: Callable = identity,
        *,
        affine: bool = False,
        track: bool = False,
        eps: float = 1e-5,
        momentum: float = 0.1,
        training: bool | None = None,
        dtype: DTypeLike | None = None,
    ):
        self.channels = open_size("InstanceNorm", "channels", channels, "call InstanceNorm(32)")
        dtype = checked_dtype("InstanceNorm", dtype)
        self.scale, self.bias = affine_pair(affine, (self.channels,), dtype)
        self.mean, self.variance = tracked_pair(track, self.channels, dtype)
        self.momentum, self.training = float(momentum), training
        self.activation = checked_activation("InstanceNorm", activation)
        self.eps = checked_eps("InstanceNorm", eps)

    def __call__(self, x: ArrayLike) -> Array:
        """Normalise (batch, *spatial, channels)."""
        where = self.label()
        self = fill(self, x, where)
        x = floating_input(where, x, None if self.scale is None else self.scale.dtype)
        x = checked_width(where, x, self._channels(), "change the input, or the channels of the layer")
        if self.mean is not None and self.variance is not None and not is_training(self.training, where):
            mean, variance = (buffer.value.astype(wide_dtype(x.dtype)) for buffer in (self.mean, self.variance))
            y = (widened(x) - under(x, mean)) * under(x, lax.rsqrt(variance + self.eps))
            return self.activation(scaled(y, self.scale, self.bias).astype(x.dtype))
        if math.prod(x.shape[1:-1]) < 2:
            got = f"an input of shape {x.shape}, one value a channel"
            todo = "keep the spatial axes (for a single example: x[None]), or use LayerNorm"
            raise ShapeError(got, "(batch, *spatial, channels) with two values or more", todo, where=where)
        self._follow(x, where)
        y = normalised(x, range(1, x.ndim - 1), self.eps)
        return self.activation(scaled(y, self.scale, self.bias).astype(x.dtype))

    def _channels(self) -> int | None:
        return channels_of(self.channels, self.scale, self.mean and self.mean.value)

    def _follow(self, x: Array, where: str) -> None:
        """Let the running statistics follow those of a batch."""
        if x.shape[0] == 0:
            return
        x, axes = widened(x), tuple(range(1, x.ndim - 1))
        moments = ((self.mean, lambda: jnp.mean(x, axes)), (self.variance, lambda: jnp.var(x, axes, ddof=1)))
        for buffer, moment in moments:
            if buffer is not None:
                follow(buffer, jnp.mean(moment(), axis=0), self.momentum, where)

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.InstanceNorm(32, affine=True).label()
            'InstanceNorm(32, affine=True)'
        """
        activation = "" if self.activation is identity else f", {label(self.activation)}"
        options = ("" if self.scale is None else ", affine=True") + ("" if self.mean is None else ", track=True")
        return f"InstanceNorm({self._channels() or '?'}{activation}{options})"
