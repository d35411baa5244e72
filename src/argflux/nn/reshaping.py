"""Layers that only move entries: Flatten, Upsample and PixelShuffle."""

import math
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from argflux.errors import ArgumentError, ShapeError
from argflux.keywords import explained
from argflux.nn.arguments import checked_size, floating_input
from argflux.nn.layer import Layer

MODES = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "trilinear": "linear"}


@explained
class Flatten(Layer):
    """All axes but the first, the batch, in one.

    Args:
        channels_first: whether to move the last axis, the channels, before the spatial ones first, as the entries lie
            in PyTorch; for a Dense whose weights come from there (`loadmodel`).

    Calling it:
        x of shape (batch, a, b, …) gives (batch, a · b · …).

    Raises:
        ShapeError: for a single number.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.Flatten()(jnp.ones((32, 5, 5, 16))).shape
        (32, 400)
    """

    channels_first: bool = eqx.field(static=True, default=False)

    def __call__(self, x: ArrayLike) -> Array:
        """Map (batch, a, b, …) to (batch, a · b · …)."""
        array = jnp.asarray(x)
        if array.ndim == 0:
            raise ShapeError("a single number", "(batch, …)", "pass an array, batch first", where=self.label())
        if self.channels_first and array.ndim > 2:
            array = jnp.moveaxis(array, -1, 1)
        return array.reshape(array.shape[0], math.prod(array.shape[1:]))

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.Flatten(channels_first=True).label()
            'Flatten(channels_first=True)'
        """
        return f"Flatten({'channels_first=True' if self.channels_first else ''})"


@explained
class Upsample(Layer):
    """Larger spatial axes, by repeating entries or by interpolating between them.

    Args:
        scale: how many times larger, for all spatial axes or for each.
        mode: "nearest" or "linear", which is also called bilinear and trilinear.
        size: the sizes of the spatial axes, in place of a scale.
        align_corners: of linear interpolation: whether the first and last entries stay where they are, as in Flux
            (True), or entries are taken as cells whose outer edges stay, as PyTorch does by default (False).

    Calling it:
        x of shape (batch, *spatial, channels) gives (batch, *larger, channels).

    Raises:
        ArgumentError: for an unknown mode, or for both or neither of scale and size.
        ShapeError: for an input with another number of spatial axes than scale or size has.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> x = jnp.array([[[0.0], [3.0]]])
        >>> nn.Upsample(2)(x)[0, :, 0].tolist(), nn.Upsample(2, "linear")(x)[0, :, 0].tolist()
        ([0.0, 0.0, 3.0, 3.0], [0.0, 1.0, 2.0, 3.0])
    """

    scale: int | tuple[int, ...] | None = eqx.field(static=True)
    mode: str = eqx.field(static=True)
    size: tuple[int, ...] | None = eqx.field(static=True)
    align_corners: bool = eqx.field(static=True)

    def __init__(
        self,
        scale: int | Sequence[int] | None = None,
        mode: str = "nearest",
        *,
        size: Sequence[int] | None = None,
        align_corners: bool = True,
    ):
        if mode not in MODES:
            raise ArgumentError(f"mode={mode!r}", f"one of {', '.join(MODES)}", "use one of these", where="Upsample")
        if (scale is None) == (size is None):
            got = "neither scale nor size" if scale is None else "scale and size"
            raise ArgumentError(got, "one of the two", "call Upsample(2) or Upsample(size=(32, 32))", where="Upsample")
        check = lambda name, value: checked_size("Upsample", name, value, "pass integers")
        is_each = isinstance(scale, tuple | list) or np.ndim(scale) > 0  # type: ignore[arg-type]
        each = lambda scale: tuple(check("scale", s) for s in scale) if is_each else check("scale", scale)
        self.scale = None if scale is None else each(scale)
        self.size = None if size is None else tuple(check("size", s) for s in size)
        self.mode, self.align_corners = MODES[mode], bool(align_corners)

    def __call__(self, x: ArrayLike) -> Array:
        """Map (batch, *spatial, channels) to (batch, *larger, channels)."""
        x = floating_input(self.label(), x)
        for axis, size in enumerate(self._sizes(x.shape), start=1):
            x = self._stretched(x, axis, size)
        return x

    def _sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        spatial = shape[1:-1]
        given = self.size if self.scale is None else self.scale
        axes = len(given) if isinstance(given, tuple) else max(1, len(spatial))
        if len(spatial) != axes or 0 in spatial:
            got, expected = f"an input of shape {shape}", f"(batch, {axes} spatial axes, channels)"
            one = len(spatial) == axes - 1 and isinstance(given, tuple)
            todo = "for a single example, add the axis of the batch: x[None]" if one else "pass all axes, channels last"
            raise ShapeError(got, expected, todo, where=self.label())
        if self.scale is None:
            return self.size or ()
        scales = self.scale if isinstance(self.scale, tuple) else (self.scale,) * axes
        return tuple(n * s for n, s in zip(spatial, scales, strict=True))

    def _stretched(self, x: Array, axis: int, size: int) -> Array:
        before = x.shape[axis]
        if self.mode == "nearest" and size % before == 0:
            return jnp.repeat(x, size // before, axis)
        if self.mode == "nearest":
            return jnp.take(x, np.arange(size) * before // size, axis)
        weights = jnp.asarray(_interpolation(before, size, self.align_corners), x.dtype)
        return jnp.moveaxis(jnp.tensordot(x, weights, axes=(axis, 1)), -1, axis)

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.Upsample(2, "bilinear").label()
            "Upsample(2, 'linear')"
        """
        sizes = f"size={self.size}" if self.scale is None else str(self.scale)
        corners = "" if self.align_corners else ", align_corners=False"
        return f"Upsample({sizes}, {self.mode!r}{corners})"


@explained
class PixelShuffle(Layer):
    """Channels moved into the spatial axes, which grow r times: (batch, *spatial, c · rᵈ) to (batch, *spatial · r, c).

    Args:
        factor: r, how many times each of the d spatial axes grows.

    Raises:
        ShapeError: for channels that are no multiple of rᵈ.

    Reference:
        Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
        Neural Network, 2016. Of the channels, c varies slowest.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.PixelShuffle(2)(jnp.ones((1, 5, 6, 12))).shape
        (1, 10, 12, 3)
        >>> nn.PixelShuffle(2)(jnp.arange(4.0).reshape(1, 2, 2))[0, :, 0].tolist()
        [0.0, 1.0, 2.0, 3.0]
    """

    factor: int = eqx.field(static=True)

    def __init__(self, factor: int):
        self.factor = checked_size("PixelShuffle", "factor", factor, "call PixelShuffle(2)")

    def __call__(self, x: ArrayLike) -> Array:
        """Map (batch, *spatial, c · rᵈ) to (batch, *spatial · r, c)."""
        array, r = jnp.asarray(x), self.factor
        axes = array.ndim - 2
        if axes < 1 or array.shape[-1] % r**axes:
            multiple = f"a multiple of {r}{f' ** {axes}' if axes > 1 else ''}"
            expected, todo = f"(batch, *spatial, channels), channels {multiple}", "change the layer before"
            raise ShapeError(f"an input of shape {array.shape}", expected, todo, where=self.label())
        batch, *spatial, channels = array.shape
        split = array.reshape(batch, *spatial, channels // r**axes, *[r] * axes)
        order = [k for i in range(axes) for k in (1 + i, 2 + axes + i)]
        return split.transpose(0, *order, 1 + axes).reshape(batch, *(n * r for n in spatial), channels // r**axes)

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.PixelShuffle(3).label()
            'PixelShuffle(3)'
        """
        return f"PixelShuffle({self.factor})"


def _interpolation(before: int, size: int, align_corners: bool) -> np.ndarray:
    """Return the matrix (size, before) of linear interpolation."""
    if align_corners:
        places = np.linspace(0, before - 1, size)
    else:
        places = np.clip((np.arange(size) + 0.5) * before / size - 0.5, 0, before - 1)
    low = np.minimum(places.astype(int), max(before - 2, 0))
    matrix = np.zeros((size, before))
    rows = np.arange(size)
    matrix[rows, low] = 1 - (places - low)
    matrix[rows, np.minimum(low + 1, before - 1)] += places - low
    return matrix
