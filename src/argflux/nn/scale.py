"""Scale: a factor and a shift for every feature."""

from collections.abc import Callable, Sequence

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
)
from argflux.nn.initialisers import ones
from argflux.nn.lastaxes import scaled
from argflux.nn.layer import Layer
from argflux.nn.precision import widened
from argflux.nn.show import label


@explained
class Scale(Layer):
    """Elementwise affine map, activation(x · scale + bias): a Dense with a diagonal matrix.

    Args:
        size: the size of the last axis, or the sizes of the last few.
        activation: a function of an array, applied last.
        bias: True for one that starts at 0, False for none, or the array itself.
        init: `(key, shape, dtype) -> array`; ones by default.
        key: a random key; without one, the next of the default stream (`seed`).
        dtype: of the parameters; float32 by default.

    Attributes:
        scale: the given size.
        bias: the given size, or None.

    Calling it:
        x of shape (..., *size) gives the same shape.

    Raises:
        ShapeError: for an input of other sizes.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.Scale(2, bias=jnp.array([1.0, 2.0]))(jnp.ones((1, 2))).tolist()
        [[2.0, 3.0]]
    """

    scale: Array
    bias: Array | None
    activation: Callable = eqx.field(static=True)

    def __init__(
        self,
        size: int | Sequence[int],
        activation: Callable = identity,
        *,
        bias: bool | ArrayLike = True,
        init: Callable = ones,
        key: Array | None = None,
        dtype: DTypeLike | None = None,
    ):
        sizes = tuple(size) if isinstance(size, tuple | list) else (size,)
        shape = tuple(checked_size("Scale", "size", n, "call Scale(64), or Scale((8, 8)) for two axes") for n in sizes)
        dtype = checked_dtype("Scale", dtype)
        self.scale = drawn("Scale", init, key, shape, dtype)
        self.bias = given_bias("Scale", bias, shape, dtype)
        self.activation = checked_activation("Scale", activation)

    def __call__(self, x: ArrayLike) -> Array:
        """Map (..., *size) to the same shape."""
        where, shape = self.label(), self.scale.shape
        x = floating_input(where, x, self.scale.dtype)
        if x.shape[x.ndim - len(shape) :] != shape or x.ndim < len(shape):
            expected = f"(..., {', '.join(map(str, shape))})"
            raise ShapeError(f"an input of shape {x.shape}", expected, "change the input or the layer", where=where)
        return self.activation(scaled(widened(x), self.scale, self.bias).astype(x.dtype))

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.Scale((3, 4), nn.relu).label()
            'Scale(3, 4, relu)'
        """
        sizes = ", ".join(map(str, getattr(self.scale, "shape", "?")))
        activation = "" if self.activation is identity else f", {label(self.activation)}"
        return f"Scale({sizes}{activation}{', bias=False' if self.bias is None else ''})"
