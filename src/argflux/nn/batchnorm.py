"""BatchNorm: each feature brought to mean 0 and variance 1 over the batch."""

import math
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import DtypeError, ShapeError
from argflux.keywords import explained
from argflux.module import Module
from argflux.nn.activation import identity
from argflux.nn.arguments import open_size
from argflux.nn.lastaxes import scaled, under
from argflux.nn.mode import is_training
from argflux.nn.normalising.moments import affine_pair, channels_of, follow, tracked_pair
from argflux.nn.precision import wide_dtype, widened
from argflux.nn.show import label, summary
from argflux.nn.widths import fill
from argflux.tree import Buffer


@explained
class BatchNorm(Module):
    """activation(scale · (x − mean) / √(variance + eps) + bias), for each feature of the last axis.

    In training, mean and variance are those of the batch, over all axes but the last, and the running statistics
    follow them: mean ← (1 − momentum) mean + momentum · batch mean, and likewise the variance, with the divisor
    n − 1. Outside training the running statistics are used, and every example stands for itself.

    Args:
        channels: the number of features; None to have it inferred (`infer`).
        activation: a function of an array, applied last.
        affine: whether there are a scale (from 1) and a bias (from 0) to train.
        track: whether there are running statistics; without them the batch's are always used.
        eps: added to the variance.
        momentum: the weight of a new batch in the running statistics.
        training: None for automatic (see `trainmode`), True or False.
        dtype: of scale and bias; running statistics have 32 bits at least.

    Attributes:
        scale, bias: shape (channels,), or None.
        mean, variance: Buffers of arrays of shape (channels,), from 0 and 1, or None.

    Calling it:
        x of shape (batch, …, channels) gives the same shape.

    Raises:
        ShapeError: for another number of features; in training, for a batch with one value to a feature.
        DtypeError: for an input that is not floating.

    Reference:
        Ioffe and Szegedy, Batch normalization, 2015.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> layer = nn.BatchNorm(2)
        >>> x = jnp.array([[1.0, 2.0], [3.0, 6.0]])
        >>> bool(jnp.allclose(layer(x), x, rtol=1e-4))
        True
        >>> nn.trainmode(layer)(x).round(2).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]
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
        affine: bool = True,
        track: bool = True,
        eps: float = 1e-5,
        momentum: float = 0.1,
        training: bool | None = None,
        dtype: DTypeLike = jnp.float32,
    ):
        channels = open_size("BatchNorm", "channels", channels, "call BatchNorm(32)")
        self.scale, self.bias = affine_pair(affine, (channels,), dtype)
        self.mean, self.variance = tracked_pair(track, channels, dtype)
        self.channels, self.activation, self.eps, self.momentum = channels, activation, float(eps), float(momentum)
        self.training = training

    def __call__(self, x: ArrayLike) -> Array:
        """Return the normalised x."""
        x = jnp.asarray(x)
        self = fill(self, x, self.label())
        x = self._checked(x)
        if self.mean is None or self.variance is None or is_training(self.training, self.label()):
            mean, variance = self._of_batch(widened(x))
        else:
            mean, variance = (buffer.value.astype(wide_dtype(x.dtype)) for buffer in (self.mean, self.variance))
        factor = (variance + self.eps) ** -0.5
        factor = factor if self.scale is None else factor * self.scale.astype(factor.dtype)
        shift = -mean * factor if self.bias is None else self.bias.astype(factor.dtype) - mean * factor
        return self.activation(scaled(widened(x), factor, shift).astype(x.dtype))

    def _of_batch(self, x: Array) -> tuple[Array, Array]:
        """Return mean and variance of a batch, and let the running statistics follow."""
        count = math.prod(x.shape[:-1])
        if count < 2:
            got, todo = f"a batch of shape {x.shape}, one value to a feature", "pass more, or use testmode(model)"
            raise ShapeError(got, "at least two values to a feature in training", todo, where=self.label())
        axes = tuple(range(x.ndim - 1))
        mean = jnp.mean(x, axes)
        variance = jnp.mean(jnp.square(x - under(x, mean)), axes)
        for buffer, value in ((self.mean, mean), (self.variance, variance * (count / (count - 1)))):
            if buffer is not None:
                follow(buffer, value, self.momentum, self.label())
        return mean, variance

    def _checked(self, x: Array) -> Array:
        if not jnp.issubdtype(x.dtype, jnp.floating):
            todo = "convert it first: jnp.asarray(x, jnp.float32)"
            raise DtypeError(f"an input of dtype {x.dtype}", "floating values", todo, where=self.label())
        channels = self._channels()
        if x.ndim < 2 or channels not in (None, x.shape[-1]):
            got, expected = f"an input of shape {x.shape}", f"(batch, …, {channels or '?'}), features last"
            one = x.ndim == 1 and channels in (None, x.shape[0])
            todo = "add the axis of the batch: x[None]" if one else "change the input, or the number of channels"
            raise ShapeError(got, expected, todo, where=self.label())
        return x if self.scale is None else x.astype(self.scale.dtype)

    def _channels(self) -> int | None:
        return channels_of(self.channels, self.scale, self.mean and self.mean.value)

    def label(self) -> str:
        """Write the layer in a few words.

        Example:
            >>> from argflux import nn
            >>> nn.BatchNorm(32, nn.relu).label()
            'BatchNorm(32, relu)'
        """
        activation = "" if self.activation is identity else f", {label(self.activation)}"
        options = ("" if self.scale is not None else ", affine=False") + ("" if self.mean else ", track=False")
        return f"BatchNorm({self._channels() or '?'}{activation}{options})"

    def __repr__(self) -> str:
        return self.label()

    def __str__(self) -> str:
        return summary(self)
