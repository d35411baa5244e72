"""Poolings whose window is made to fit: to a number of outputs, or over everything."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from argflux.errors import ShapeError
from argflux.keywords import explained
from argflux.nn.arguments import floating_input
from argflux.nn.convolution.pooling import MaxPool, MeanPool, Pool
from argflux.nn.convolution.window import each, split_axes
from argflux.nn.layer import Layer
from argflux.nn.precision import in_single


@explained
class AdaptivePool(Layer):
    """A pooling whose window is chosen for a number of outputs."""

    sizes: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, sizes: Sequence[int]):
        where = f"{type(self).__name__}({sizes})"
        given = sizes if isinstance(sizes, tuple | list) else (sizes,)
        self.sizes = each(where, "sizes", given, max(1, len(given)))

    def __call__(self, x: ArrayLike) -> Array:
        """Map (batch, *spatial, channels) to (batch, *sizes, channels)."""
        where = self.label()
        x = floating_input(where, x)
        given = split_axes(where, x, len(self.sizes))
        if any(size < wanted for size, wanted in zip(given, self.sizes, strict=True)):
            todo = "ask for fewer outputs, or use Upsample"
            raise ShapeError(f"spatial axes of sizes {given}", f"at least {self.sizes}", todo, where=where)
        strides = tuple(size // wanted for size, wanted in zip(given, self.sizes, strict=True))
        axes = zip(given, self.sizes, strides, strict=True)
        window = tuple(size - (wanted - 1) * stride for size, wanted, stride in axes)
        return self.pool(window, strides)(x)

    def pool(self, window: tuple[int, ...], stride: tuple[int, ...]) -> Pool:
        """Return the pooling for a window and a stride."""
        raise NotImplementedError

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.AdaptiveMeanPool((7, 7)).label()
            'AdaptiveMeanPool((7, 7))'
        """
        return f"{type(self).__name__}({self.sizes})"


@explained
class AdaptiveMaxPool(AdaptivePool):
    """Max pooling to a given number of outputs: stride ⌊size / outputs⌋, and the window that then covers all.

    Args:
        sizes: the outputs along each spatial axis.

    Raises:
        ShapeError: for an input with fewer entries than outputs along an axis.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.AdaptiveMaxPool((7, 5))(jnp.ones((2, 28, 13, 3))).shape
        (2, 7, 5, 3)
    """

    def __init__(self, sizes: Sequence[int]):
        super().__init__(sizes)

    def pool(self, window: tuple[int, ...], stride: tuple[int, ...]) -> Pool:
        """Return the max pooling for a window and a stride.

        Example:
            >>> from argflux import nn
            >>> nn.AdaptiveMaxPool((2,)).pool((3,), (2,))
            MaxPool((3,), stride=2)
        """
        return MaxPool(window, stride=stride)


@explained
class AdaptiveMeanPool(AdaptivePool):
    """Mean pooling to a given number of outputs: stride ⌊size / outputs⌋, and the window that then covers all.

    Args:
        sizes: the outputs along each spatial axis.

    Raises:
        ShapeError: for an input with fewer entries than outputs along an axis.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.AdaptiveMeanPool((7, 5))(jnp.ones((2, 28, 13, 3))).shape
        (2, 7, 5, 3)
    """

    def __init__(self, sizes: Sequence[int]):
        super().__init__(sizes)

    def pool(self, window: tuple[int, ...], stride: tuple[int, ...]) -> Pool:
        """Return the mean pooling for a window and a stride.

        Example:
            >>> from argflux import nn
            >>> nn.AdaptiveMeanPool((2,)).pool((3,), (2,))
            MeanPool((3,), stride=2)
        """
        return MeanPool(window, stride=stride)


@explained
class GlobalMaxPool(Layer):
    """The largest entry over all spatial axes, which stay as axes of size 1; Flatten removes them.

    Calling it:
        x of shape (batch, *spatial, channels) gives (batch, 1, …, 1, channels).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.GlobalMaxPool()(jnp.ones((2, 28, 28, 3))).shape
        (2, 1, 1, 3)
    """

    def __call__(self, x: ArrayLike) -> Array:
        """Map (batch, *spatial, channels) to (batch, 1, …, 1, channels)."""
        x = _with_spatial_axes(self.label(), x)
        return jnp.max(x, axis=tuple(range(1, x.ndim - 1)), keepdims=True)


@explained
class GlobalMeanPool(Layer):
    """The mean over all spatial axes, which stay as axes of size 1; Flatten removes them.

    Calling it:
        x of shape (batch, *spatial, channels) gives (batch, 1, …, 1, channels).

    Reference:
        Lin et al., Network In Network, 2013.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.GlobalMeanPool()(jnp.ones((2, 28, 28, 3))).shape
        (2, 1, 1, 3)
    """

    def __call__(self, x: ArrayLike) -> Array:
        """Map (batch, *spatial, channels) to (batch, 1, …, 1, channels)."""
        x = _with_spatial_axes(self.label(), x)
        return in_single(jnp.mean, x, axis=tuple(range(1, x.ndim - 1)), keepdims=True)


def _with_spatial_axes(where: str, x: ArrayLike) -> Array:
    x = floating_input(where, x)
    if x.ndim < 3 or 0 in x.shape[1:-1]:
        got, expected = f"an input of shape {x.shape}", "(batch, *spatial, channels)"
        todo = (
            "for a single example, add the axis of the batch: x[None]"
            if x.ndim == 2
            else "pass all axes, channels last"
        )
        raise ShapeError(got, expected, todo, where=where)
    return x
