"""MaxPool and MeanPool: one value for each window of the spatial axes."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.nn.arguments import floating_input
from argflux.nn.convolution.window import Sizes, Window, check_fits, sliding
from argflux.nn.layer import Layer
from argflux.nn.precision import widened

MOST_TAPS = 16  # of windows that are compared tap by tap, whose derivative XLA compiles to far faster code on the CPU


@explained
class Pool(Layer):
    """A window that slides over the spatial axes, by default from one to the next without overlap."""

    window: Window = eqx.field(static=True)

    def __init__(self, window: Sequence[int], *, stride: Sizes | None = None, padding: str | int | Sequence[Any] = 0):
        where = f"{type(self).__name__}({window})"
        self.window = sliding(where, window, window if stride is None else stride, padding)
        for size, pair in zip(self.window.size, self.window.padding, strict=True):
            if max(pair) >= size:
                got, todo = f"padding {pair} of a window of size {size}", "pad by less than the size of the window"
                raise ArgumentError(got, "at least one entry of the input in every window", todo, where=where)

    def __call__(self, x: ArrayLike) -> Array:
        """Map (batch, *spatial, channels) to (batch, *fewer, channels)."""
        where = self.label()
        x = floating_input(where, x)
        check_fits(where, self.window, x)
        return self.pooled(x)

    def pooled(self, x: Array) -> Array:
        """Return one value for each window."""
        raise NotImplementedError

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.MaxPool((3, 3), stride=2).label()
            'MaxPool((3, 3), stride=2)'
        """
        shown = self.window
        if shown.stride == shown.size:
            shown = shown._replace(stride=(1,) * len(shown.size))
        return f"{type(self).__name__}({self.window.size}{shown.label()})"


@explained
class MaxPool(Pool):
    """The largest entry of every window, channel by channel.

    Args:
        window: the sizes of the window, one for each spatial axis: (2, 2) for pictures.
        stride: from one window to the next; the size of the window by default.
        padding: of -∞ at both ends: an integer, one for each spatial axis, pairs, or "same".

    Calling it:
        x of shape (batch, *spatial, channels) gives (batch, *fewer, channels). Among equal entries the first gets
        the derivative.

    Raises:
        ShapeError: for an input too small for the window.
        ArgumentError: for a window that could lie in the padding.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.MaxPool((2,))(jnp.array([[[1.0], [3.0], [2.0], [0.0], [9.0]]]))[0, :, 0].tolist()
        [3.0, 2.0]
    """

    def __init__(self, window: Sequence[int], *, stride: Sizes | None = None, padding: str | int | Sequence[Any] = 0):
        super().__init__(window, stride=stride, padding=padding)

    def pooled(self, x: Array) -> Array:
        """Return the largest entry of each window.

        Example:
            >>> import jax.numpy as jnp
            >>> from argflux import nn
            >>> nn.MaxPool((2,)).pooled(jnp.array([[1.0], [3.0]])).tolist()
            [[3.0]]
        """
        if math.prod(self.window.size) <= MOST_TAPS:
            return _largest_tap(x, self.window)
        return _over_windows(x, self.window, lax.max, -np.inf)


@explained
class MeanPool(Pool):
    """The mean of every window, channel by channel.

    Args:
        window: the sizes of the window, one for each spatial axis: (2, 2) for pictures.
        stride: from one window to the next; the size of the window by default.
        padding: of zeros, which count, at both ends: an integer, one for each spatial axis, pairs, or "same".

    Calling it:
        x of shape (batch, *spatial, channels) gives (batch, *fewer, channels).

    Raises:
        ShapeError: for an input too small for the window.
        ArgumentError: for a window that could lie in the padding.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.MeanPool((2,))(jnp.array([[[1.0], [3.0], [2.0], [0.0]]]))[0, :, 0].tolist()
        [2.0, 1.0]
    """

    def __init__(self, window: Sequence[int], *, stride: Sizes | None = None, padding: str | int | Sequence[Any] = 0):
        super().__init__(window, stride=stride, padding=padding)

    def pooled(self, x: Array) -> Array:
        """Return the mean of each window.

        Example:
            >>> import jax.numpy as jnp
            >>> from argflux import nn
            >>> nn.MeanPool((2,)).pooled(jnp.array([[1.0], [3.0]])).tolist()
            [[2.0]]
        """
        total = _over_windows(widened(x), self.window, lax.add, 0.0)
        return (total / math.prod(self.window.size)).astype(x.dtype)


def _largest_tap(x: Array, window: Window) -> Array:
    """Compare the entries of all windows tap by tap; the first of equal ones stays, and NaN does."""
    before = x.ndim - 1 - len(window.size)
    lowest = np.asarray(-np.inf, x.dtype)
    padded = lax.pad(x, lowest, [(0, 0, 0)] * before + [(*pair, 0) for pair in window.padding] + [(0, 0, 0)])
    counts = window.outputs(x.shape[before:-1])
    entries = []
    for tap in itertools.product(*map(range, window.size)):
        stops = [a + (n - 1) * s + 1 for a, n, s in zip(tap, counts, window.stride, strict=True)]
        slices = [slice(*bounds) for bounds in zip(tap, stops, window.stride, strict=True)]
        entries.append(padded[(..., *slices, slice(None))])
    return functools.reduce(lambda first, y: jnp.where((y > first) | jnp.isnan(y), y, first), entries)


def _over_windows(x: Array, window: Window, combine: Callable, start: float) -> Array:
    before = x.ndim - 1 - len(window.size)
    return lax.reduce_window(
        x,
        np.asarray(start, x.dtype),
        combine,
        (1,) * before + window.size + (1,),
        (1,) * before + window.stride + (1,),
        ((0, 0),) * before + window.padding + ((0, 0),),
    )
