"""Cross-correlations of batches with kernels, as convolutional layers compute them."""

from jax import Array, lax

from argflux.compilation import convolve
from argflux.nn.convolution.window import Window


def correlate(x: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """Slide a kernel over the spatial axes, channels last.

    Args:
        x: shape (batch, *spatial, inputs).
        weight: shape (outputs, inputs / groups, *window).
        window: how it slides.
        groups: that channels are split into, each with kernels of its own.

    Returns:
        shape (batch, *fewer, outputs).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.convolution.correlate import correlate
        >>> from argflux.nn.convolution.window import sliding
        >>> x = jnp.arange(5.0).reshape(1, 5, 1)
        >>> correlate(x, jnp.array([[[-1.0, 1.0]]]), sliding("Conv", (2,)))[0, :, 0].tolist()
        [1.0, 1.0, 1.0, 1.0]
    """
    return convolve(
        x,
        weight,
        _dimensions(len(window.size)),
        window_strides=window.stride,
        padding=window.padding,
        rhs_dilation=window.dilation,
        feature_group_count=groups,
    )


def transposed(x: Array, weight: Array, window: Window, extra: tuple[int, ...], groups: int = 1) -> Array:
    """Do what pulls `correlate` back: put a kernel, times the entry, down at every stride, and add up.

    Args:
        x: shape (batch, *spatial, inputs).
        weight: shape (inputs, outputs / groups, *window).
        window: of the correlation that this is the transpose of.
        extra: entries more at the end of each spatial axis.
        groups: that channels are split into.

    Returns:
        shape (batch, *more, outputs).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.convolution.correlate import transposed
        >>> from argflux.nn.convolution.window import sliding
        >>> x = jnp.arange(3.0).reshape(1, 3, 1)
        >>> transposed(x, jnp.array([[[1.0, 10.0]]]), sliding("Conv", (2,), 2), (0,))[0, :, 0].tolist()
        [0.0, 0.0, 1.0, 10.0, 2.0, 20.0]
    """
    axes = range(2, weight.ndim)
    padding = [
        (reach - low, reach - high + more)
        for reach, (low, high), more in zip(window.reach, window.padding, extra, strict=True)
    ]
    return convolve(
        x,
        lax.rev(_swapped(weight, groups), tuple(axes)),
        _dimensions(len(axes)),
        window_strides=(1,) * len(axes),
        padding=padding,
        lhs_dilation=window.stride,
        rhs_dilation=window.dilation,
        feature_group_count=groups,
    )


def _dimensions(axes: int) -> lax.ConvDimensionNumbers:
    channels_last = (0, axes + 1, *range(1, axes + 1))
    return lax.ConvDimensionNumbers(channels_last, tuple(range(axes + 2)), channels_last)


def _swapped(weight: Array, groups: int) -> Array:
    """Return (outputs, inputs / groups, *window) from (inputs, outputs / groups, *window)."""
    inputs, outputs, *window = weight.shape
    grouped = weight.reshape(groups, inputs // groups, outputs, *window)
    return grouped.swapaxes(1, 2).reshape(groups * outputs, inputs // groups, *window)
