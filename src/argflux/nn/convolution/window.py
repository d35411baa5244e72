"""Window: the sizes, strides, paddings and dilations of what slides over the spatial axes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jax import Array

from argflux.errors import ArgumentError, ShapeError
from argflux.nn.arguments import checked_size

Sizes = int | Sequence[int]


class Window(NamedTuple):
    """One entry for each spatial axis: of `y[o] = Σ_k x'[o·stride + k·dilation] w[k]`, x' being x padded.

    Example:
        >>> from argflux.nn.convolution.window import sliding
        >>> sliding("Conv", (3, 3), stride=2, padding="same").outputs((28, 28))
        (14, 14)
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """The distance from the first tap to the last, along each axis."""
        return tuple((size - 1) * dilation for size, dilation in zip(self.size, self.dilation, strict=True))

    def outputs(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Return how many windows fit along axes of the given sizes; 0 or less where none does."""
        return tuple(
            (size + low + high - reach - 1) // stride + 1
            for size, (low, high), reach, stride in zip(sizes, self.padding, self.reach, self.stride, strict=True)
        )

    def label(self) -> str:
        """Write the settings that are not the default of a convolution: `, stride=2, padding=1`."""
        padding = tuple(low if low == high else (low, high) for low, high in self.padding)
        settings = {"stride": (self.stride, 1), "padding": (padding, 0), "dilation": (self.dilation, 1)}
        return "".join(
            f", {name}={_short(value)}" for name, (value, usual) in settings.items() if set(value) != {usual}
        )


def sliding(where: str, size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, same: str = "input") -> Window:
    """Return a window from arguments of which each is one number, or one for each spatial axis.

    Args:
        where: the layer that asks.
        size: the tuple of sizes, whose length is the number of spatial axes.
        stride: from one window to the next.
        padding: zeros put at both ends, pairs (before, after), or "same" for as many outputs as inputs, over the
            stride.
        dilation: from one tap to the next.
        same: "input" if "same" speaks of a convolution, "output" if of a transposed one.

    Example:
        >>> from argflux.nn.convolution.window import sliding
        >>> sliding("Conv", (2, 3), padding="same").padding
        ((0, 1), (1, 1))
    """
    if not isinstance(size, tuple | list) or not size:
        got, todo = f"window {size!r}", "call it with a tuple, such as (3, 3) for pictures or (3,) for sequences"
        raise ArgumentError(got, "one size for each spatial axis", todo, where=where)
    sizes = each(where, "window", size, len(size))
    strides = each(where, "stride", stride, len(size))
    dilations = each(where, "dilation", dilation, len(size))
    bare = Window(sizes, strides, ((0, 0),) * len(size), dilations)
    return bare._replace(padding=_padding(where, padding, bare, same))


def each(where: str, name: str, value: Any, count: int, least: int = 1) -> tuple[int, ...]:
    """Return a number for each spatial axis, from those or from one for all.

    Example:
        >>> from argflux.nn.convolution.window import each
        >>> each("Conv", "stride", 2, 3)
        (2, 2, 2)
    """
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * count
    todo = f"pass {name} as one integer or as a tuple of {count}"
    if len(values) != count:
        raise ArgumentError(f"{name}={value!r}", f"{count} integers, one for each spatial axis", todo, where=where)
    return tuple(checked_size(where, name, v, todo, least) for v in values)


def split_axes(where: str, x: Array, axes: int, channels: int | None = None) -> tuple[int, ...]:
    """Return the sizes of the spatial axes of an array (..., *spatial, channels), after checking that it has them.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.convolution.window import split_axes
        >>> split_axes("MaxPool((2, 2))", jnp.ones((5, 28, 26, 1)), 2)
        (28, 26)
    """
    expected = f"(batch, {', '.join(['size'] * axes)}, {'channels' if channels is None else channels})"
    if x.ndim < axes + 1:
        todo = "add the axis of channels: x[..., None]" if x.ndim == axes else "pass all axes, channels last"
        raise ShapeError(f"an input of shape {x.shape}", expected, todo, where=where)
    if channels is not None and x.shape[-1] != channels:
        if x.ndim > axes + 1 and x.shape[-1 - axes] == channels:
            todo = "move the channels to the end: jnp.moveaxis(x, 1, -1)"
        elif x.ndim == axes + 1 and channels == 1:
            todo = "add the axis of channels: x[..., None]"
        else:
            todo = "change the input, or the channels of the layer"
        raise ShapeError(f"an input of shape {x.shape}, last dimension {x.shape[-1]}", expected, todo, where=where)
    return tuple(x.shape[-1 - axes : -1])


def check_fits(where: str, window: Window, x: Array) -> None:
    """Raise if no window fits into an input.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.convolution.window import check_fits, sliding
        >>> check_fits("MaxPool((2, 2))", sliding("MaxPool((2, 2))", (2, 2)), jnp.ones((5, 28, 28, 1)))
    """
    sizes = split_axes(where, x, len(window.size))
    if min(window.outputs(sizes)) < 1:
        needed = tuple(
            max(1, reach + 1 - low - high) for reach, (low, high) in zip(window.reach, window.padding, strict=True)
        )
        got, todo = f"spatial axes of sizes {sizes}", "pass larger inputs, or use a smaller window or more padding"
        raise ShapeError(got, f"at least {needed}", todo, where=where)


def _padding(where: str, padding: Any, window: Window, same: str) -> tuple[tuple[int, int], ...]:
    if isinstance(padding, str):
        return _named_padding(where, padding, window, same)
    count = len(window.size)
    values = tuple(padding) if isinstance(padding, tuple | list) else (padding,) * count
    if len(values) != count:
        expected, todo = f"{count} values, one for each spatial axis", "pass an integer, or (before, after) for each"
        raise ArgumentError(f"padding={padding!r}", expected, todo, where=where)
    pairs = [value if isinstance(value, tuple | list) else (value, value) for value in values]
    return tuple(_pair(where, pair) for pair in pairs)


def _named_padding(where: str, padding: str, window: Window, same: str) -> tuple[tuple[int, int], ...]:
    if padding.lower() == "valid":
        return window.padding
    if padding.lower() != "same":
        raise ArgumentError(f"padding={padding!r}", "'same', 'valid' or numbers", "use one of these", where=where)
    extra = window.stride if same == "output" else (1,) * len(window.size)
    totals = [reach + 1 - step for reach, step in zip(window.reach, extra, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def _pair(where: str, pair: Sequence[Any]) -> tuple[int, int]:
    todo = "pass an integer, or (before, after) for each"
    if len(pair) != 2:
        raise ArgumentError(f"padding {pair!r}", "(before, after)", todo, where=where)
    before, after = (checked_size(where, "padding", value, todo, 0) for value in pair)
    return before, after


def _short(values: Sequence[Any]) -> str:
    return str(values[0] if len(set(values)) == 1 else tuple(values))
