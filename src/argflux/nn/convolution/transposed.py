"""ConvTranspose: the transpose of a convolution, which makes the spatial axes larger."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ShapeError
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
from argflux.nn.convolution.conv import check_groups
from argflux.nn.convolution.correlate import transposed
from argflux.nn.convolution.window import Sizes, Window, each, sliding, split_axes
from argflux.nn.initialisers import glorot_uniform
from argflux.nn.lastaxes import biased
from argflux.nn.layer import Layer
from argflux.nn.random import next_key
from argflux.nn.show import label
from argflux.nn.widths import filled, for_width

TODO = "call ConvTranspose((3, 3), 32, 1, relu): the window, the channels in, the channels out"


@explained
class ConvTranspose(Layer):
    """Transposed convolution, channels last: every entry of the input puts down the kernel, times itself.

    As a linear map it is the transpose of `Conv` from `outputs` to `inputs` channels with the same weight and
    settings: along an axis it makes (size - 1) · stride + window - 2 · padding entries, for a dilation of 1.

    Args:
        window: the sizes of the kernel, one for each spatial axis.
        inputs: the channels of the input; None to have them inferred (`infer`).
        outputs: the channels of the output.
        activation: a function of an array, applied last.
        stride: between the places where two neighbours put the kernel.
        padding: entries cut off at both ends, as the padding of `Conv` adds them; "same" for size · stride outputs.
        output_padding: entries more at the end of each spatial axis, less than the stride.
        dilation: from one tap of the kernel to the next.
        groups: that the channels are split into.
        bias: True for one that starts at 0, False for none, or the vector itself, of shape (outputs,).
        init: `(key, shape, dtype) -> array`, see `argflux.nn.initialisers`.
        key: a random key; without one, the next of the default stream (`seed`).
        dtype: of the parameters; float32 by default.

    Attributes:
        weight: shape (inputs, outputs / groups, *window).
        bias: shape (outputs,), or None.

    Calling it:
        x of shape (batch, *spatial, inputs) gives (batch, *more, outputs).

    Raises:
        ShapeError: for an input of other channels, or if the padding cuts everything off.

    Reference:
        Zeiler et al., Deconvolutional networks, 2010.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.ConvTranspose((2, 2), 8, 3, stride=2)(jnp.ones((5, 7, 7, 8))).shape
        (5, 14, 14, 3)
    """

    weight: Array
    bias: Array | None
    activation: Callable = eqx.field(static=True)
    window: Window = eqx.field(static=True)
    output_padding: tuple[int, ...] = eqx.field(static=True)
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
        output_padding: Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool | ArrayLike = True,
        init: Callable = glorot_uniform,
        key: Array | None = None,
        dtype: DTypeLike | None = None,
    ):
        where = f"ConvTranspose({window}, {'?' if inputs is None else label(inputs)} => {label(outputs)})"
        self.window = slides = sliding(where, window, stride, padding, dilation, same="output")
        self.output_padding = each(where, "output_padding", output_padding, len(slides.size), least=0)
        self.groups = groups = checked_size(where, "groups", groups, "call it with groups=1")
        outputs, dtype, key = checked_size(where, "outputs", outputs, TODO), checked_dtype(where, dtype), next_key(key)

        def make(width: int) -> Array:
            check_groups(where, groups, width, outputs)
            return drawn(where, init, key, (width, outputs // groups, *slides.size), dtype)

        width = open_size(where, "inputs", inputs, TODO)
        self.weight = for_width(width, (None, outputs // groups, *slides.size), make)
        self.bias = given_bias(where, bias, (outputs,), dtype)
        self.activation = checked_activation(where, activation)

    def __call__(self, x: ArrayLike) -> Array:
        """Map (batch, *spatial, inputs) to (batch, *more, outputs)."""
        where = self.label()
        weight = filled(self.weight, x, where)
        x = floating_input(where, x, weight.dtype)
        sizes = split_axes(where, x, len(self.window.size), weight.shape[0])
        if min(self._outputs(sizes)) < 1:
            got, todo = f"spatial axes of sizes {sizes}", "pass larger inputs, or cut off less"
            raise ShapeError(got, "sizes of which the padding leaves something", todo, where=where)
        batch = x.shape[: -1 - len(sizes)]
        flat = x.reshape(math.prod(batch), *sizes, x.shape[-1])
        y = transposed(flat, weight, self.window, self.output_padding, self.groups)
        y = y.reshape(*batch, *y.shape[1:])
        return self.activation(biased(y, self.bias))

    def _outputs(self, sizes: tuple[int, ...]) -> list[int]:
        axes = zip(sizes, self.window.stride, self.window.reach, self.window.padding, self.output_padding, strict=True)
        return [(size - 1) * stride + reach + 1 - low - high + more for size, stride, reach, (low, high), more in axes]

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.ConvTranspose((2, 2), 8, 3, stride=2).label()
            'ConvTranspose((2, 2), 8 => 3, stride=2)'
        """
        inputs, per_group = getattr(self.weight, "shape", (None, None))[:2]
        channels = f"{'?' if inputs is None else inputs} => {'?' if per_group is None else per_group * self.groups}"
        activation = "" if self.activation is identity else f", {label(self.activation)}"
        extra = f", output_padding={self.output_padding}" if any(self.output_padding) else ""
        groups = f", groups={self.groups}" if self.groups > 1 else ""
        bias = ", bias=False" if self.bias is None else ""
        return f"ConvTranspose({self.window.size}, {channels}{activation}{self.window.label()}{extra}{groups}{bias})"
