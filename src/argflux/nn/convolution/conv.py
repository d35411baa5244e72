"""Conv and DepthwiseConv: kernels that slide over the spatial axes."""

import math
from collections.abc import Callable, Sequence
from typing import Any

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
    drawn,
    floating_input,
    given_bias,
    open_size,
)
from argflux.nn.convolution.correlate import correlate
from argflux.nn.convolution.window import Sizes, Window, check_fits, sliding, split_axes
from argflux.nn.initialisers import glorot_uniform
from argflux.nn.lastaxes import biased
from argflux.nn.layer import Layer
from argflux.nn.random import next_key
from argflux.nn.show import label
from argflux.nn.widths import filled, for_width

TODO = "call Conv((3, 3), 1, 32, relu): the window, the channels in, the channels out"


@explained
class Conv(Layer):
    """Convolution over any number of spatial axes, channels last: activation(w ⋆ x + b).

    It is the cross-correlation that JAX, PyTorch and Flux's CrossCor compute, `y[o] = Σ_k w[k] x[o·stride +
    k·dilation]`: the kernel is not flipped, as that of Flux's own Conv is.

    Args:
        window: the sizes of the kernel, one for each spatial axis: (3, 3) for pictures, (3,) for sequences.
        inputs: the channels of the input; None to have them inferred (`infer`).
        outputs: the channels of the output.
        activation: a function of an array, applied last.
        stride: from one window to the next; an integer, or one for each spatial axis.
        padding: zeros put at both ends; an integer, one for each spatial axis, pairs (before, after), or "same" for
            ⌈size / stride⌉ outputs along an axis (an odd number of zeros has one more after).
        dilation: from one tap of the kernel to the next.
        groups: that the channels are split into; a kernel sees those of its group alone.
        bias: True for one that starts at 0, False for none, or the vector itself, of shape (outputs,).
        init: `(key, shape, dtype) -> array`, see `argflux.nn.initialisers`.
        key: a random key; without one, the next of the default stream (`seed`).
        dtype: of the parameters; float32 by default.

    Attributes:
        weight: shape (outputs, inputs / groups, *window).
        bias: shape (outputs,), or None.

    Calling it:
        x of shape (batch, *spatial, inputs) gives (batch, *fewer, outputs); floating inputs are cast to the dtype of
        the weight. Any number of axes may stand for the batch, or none.

    Raises:
        ShapeError: for an input of other channels, or too small for the window.
        DtypeError: for an input that is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> layer = nn.Conv((3, 3), 1, 32, nn.relu, padding="same")
        >>> layer
        Conv((3, 3), 1 => 32, relu, padding=1)
        >>> layer(jnp.ones((8, 28, 28, 1))).shape
        (8, 28, 28, 32)
    """

    weight: Array
    bias: Array | None
    activation: Callable = eqx.field(static=True)
    window: Window = eqx.field(static=True)
    groups: int = eqx.field(static=True)

    def __init__(
        self,
        window: Sequence[int],
        inputs: int | None,
        outputs: int,
        activation: Callable = identity,
        *,
        stride: Sizes = 1,
        padding: str | int | Sequence[Any] = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool | ArrayLike = True,
        init: Callable = glorot_uniform,
        key: Array | None = None,
        dtype: DTypeLike | None = None,
    ):
        where = f"{type(self).__name__}({window}, {'?' if inputs is None else label(inputs)} => {label(outputs)})"
        self.window = sliding(where, window, stride, padding, dilation)
        self.groups = checked_size(where, "groups", groups, "call it with groups=1")
        outputs, dtype, key = checked_size(where, "outputs", outputs, TODO), checked_dtype(where, dtype), next_key(key)

        def make(width: int) -> Array:
            check_groups(where, self.groups, width, outputs)
            return drawn(where, init, key, (outputs, width // self.groups, *self.window.size), dtype)

        width = open_size(where, "inputs", inputs, TODO)
        self.weight = for_width(width, (outputs, None, *self.window.size), make)
        self.bias = given_bias(where, bias, (outputs,), dtype)
        self.activation = checked_activation(where, activation)

    def __call__(self, x: ArrayLike) -> Array:
        """Map (batch, *spatial, inputs) to (batch, *fewer, outputs)."""
        where = self.label()
        weight = filled(self.weight, x, where)
        x = floating_input(where, x, weight.dtype)
        sizes = split_axes(where, x, len(self.window.size), weight.shape[1] * self.groups)
        check_fits(where, self.window, x)
        batch = x.shape[: -1 - len(sizes)]
        y = correlate(x.reshape(math.prod(batch), *sizes, x.shape[-1]), weight, self.window, self.groups)
        y = y.reshape(*batch, *y.shape[1:])
        return self.activation(biased(y, self.bias))

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.Conv((2, 2), 4, 6, stride=2, groups=2, bias=False).label()
            'Conv((2, 2), 4 => 6, stride=2, groups=2, bias=False)'
        """
        outputs, per_group = getattr(self.weight, "shape", (None, None))[:2]
        inputs = "?" if per_group is None else per_group * self.groups
        activation = "" if self.activation is identity else f", {label(self.activation)}"
        groups = f", groups={self.groups}" if self._shows_groups() else ""
        bias = ", bias=False" if self.bias is None else ""
        channels = f"{inputs} => {'?' if outputs is None else outputs}"
        return f"{type(self).__name__}({self.window.size}, {channels}{activation}{self.window.label()}{groups}{bias})"

    def _shows_groups(self) -> bool:
        return self.groups > 1


@explained(options="stride padding dilation bias init key dtype")
class DepthwiseConv(Conv):
    """Convolution of every channel by itself: a Conv of as many groups as channels.

    Args:
        window: the sizes of the kernel, one for each spatial axis.
        inputs: the channels of the input.
        outputs: the channels of the output, a multiple of `inputs`; as many as inputs by default.
        activation: a function of an array, applied last.
        **options: stride, padding, dilation, bias, init, key and dtype of `Conv`.

    Raises:
        ArgumentError: if `outputs` is no multiple of `inputs`.

    Reference:
        Chollet, Xception: Deep Learning with Depthwise Separable Convolutions, 2017.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> layer = nn.DepthwiseConv((3, 3), 4, 8, padding=1)
        >>> layer.weight.shape, layer(jnp.ones((5, 10, 10, 4))).shape
        ((8, 1, 3, 3), (5, 10, 10, 8))
    """

    def __init__(
        self,
        window: Sequence[int],
        inputs: int,
        outputs: int | None = None,
        activation: Callable = identity,
        **options: Any,
    ):
        where = f"DepthwiseConv({window}, {label(inputs)} => {label(outputs)})"
        inputs = checked_size(
            where, "inputs", inputs, "call DepthwiseConv((3, 3), 4, 8): its channels are not inferred"
        )
        if "groups" in options:
            raise ArgumentError(f"groups={options['groups']}", "none given", "use Conv for other groups", where=where)
        outputs = inputs if outputs is None else outputs
        super().__init__(window, inputs, outputs, activation, groups=inputs, **options)

    def _shows_groups(self) -> bool:
        return False


def check_groups(where: str, groups: int, inputs: int, outputs: int) -> None:
    """Raise if channels cannot be split evenly into groups.

    Example:
        >>> from argflux.nn.convolution.conv import check_groups
        >>> check_groups("Conv", 2, 4, 6)
    """
    if inputs % groups or outputs % groups:
        got, expected = f"{groups} groups of {inputs} => {outputs} channels", "channels that groups divide evenly"
        raise ArgumentError(got, expected, "change the channels or the groups", where=where)
