"""Bilinear: a layer that is linear in each of two inputs."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ArgumentError, ShapeError
from argflux.keywords import explained
from argflux.nn.activation import identity
from argflux.nn.arguments import (
    checked_activation,
    checked_dtype,
    checked_size,
    checked_width,
    drawn,
    floating_input,
    given_bias,
)
from argflux.nn.initialisers import glorot_uniform
from argflux.nn.lastaxes import scaled
from argflux.nn.layer import Layer
from argflux.nn.precision import widened
from argflux.nn.show import label

TODO = "call Bilinear((5, 7), 3), or Bilinear(5, 3) for two inputs of one width"


@explained
class Bilinear(Layer):
    """Layer of two inputs, linear in each: y_i = activation(xᵀ W_i z + b_i).

    Args:
        inputs: the widths of x and z, or one number for both.
        outputs: the width of the output.
        activation: a function of an array, applied last.
        bias: True for one that starts at 0, False for none, or the vector itself, of shape (outputs,).
        init: `(key, shape, dtype) -> array`, see `argflux.nn.initialisers`.
        key: a random key; without one, the next of the default stream (`seed`).
        dtype: of the parameters; float32 by default.

    Attributes:
        weight: shape (outputs, width of x, width of z).
        bias: shape (outputs,), or None.

    Calling it:
        x of shape (..., m) and z of shape (..., n), as arguments or as a tuple, give (..., outputs). A single x is
        taken twice.

    Raises:
        ShapeError: for inputs of other widths, or whose other axes differ.
        ArgumentError: for more than two inputs.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> layer = nn.Bilinear((5, 7), 3)
        >>> layer(jnp.ones((2, 5)), jnp.ones((2, 7))).shape
        (2, 3)
        >>> nn.Chain(nn.Parallel(tuple, nn.Dense(4, 5), nn.Dense(4, 7)), layer)(jnp.ones((2, 4))).shape
        (2, 3)
    """

    weight: Array
    bias: Array | None
    activation: Callable = eqx.field(static=True)

    def __init__(
        self,
        inputs: int | tuple[int, int],
        outputs: int,
        activation: Callable = identity,
        *,
        bias: bool | ArrayLike = True,
        init: Callable = glorot_uniform,
        key: Array | None = None,
        dtype: DTypeLike | None = None,
    ):
        where = f"Bilinear({inputs} => {label(outputs)})"
        widths = inputs if isinstance(inputs, tuple | list) else (inputs, inputs)
        if len(widths) != 2:
            raise ArgumentError(f"{len(widths)} widths of inputs", "two, or one for both", TODO, where=where)
        m, n = (checked_size(where, "inputs", width, TODO) for width in widths)
        shape, dtype = (checked_size(where, "outputs", outputs, TODO), m, n), checked_dtype(where, dtype)
        self.weight = drawn(where, init, key, shape, dtype)
        self.bias = given_bias(where, bias, shape[:1], dtype)
        self.activation = checked_activation("Bilinear", activation)

    def __call__(self, x: ArrayLike | tuple[ArrayLike, ...], z: ArrayLike | None = None) -> Array:
        """Map (..., m) and (..., n) to (..., outputs)."""
        where = self.label()
        x, z = self._checked(where, *_two(where, x, z))
        y = jnp.einsum("...i,oij,...j->...o", *map(widened, (x, self.weight, z)))
        return self.activation(scaled(y, None, self.bias).astype(x.dtype))

    def _checked(self, where: str, x: ArrayLike, z: ArrayLike) -> tuple[Array, Array]:
        _, m, n = self.weight.shape
        todo = "change the input, or the widths of the layer"
        x = checked_width(where, floating_input(where, x, self.weight.dtype), m, todo, "a first input")
        z = checked_width(where, floating_input(where, z, self.weight.dtype), n, todo, "a second input")
        if x.shape[:-1] != z.shape[:-1]:
            got = f"inputs of shapes {x.shape} and {z.shape}"
            raise ShapeError(got, "the same axes before the last", "make the batches equal", where=where)
        return x, z

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.Bilinear((5, 7), 3).label()
            'Bilinear((5, 7) => 3)'
        """
        outputs, *inputs = getattr(self.weight, "shape", "???")
        activation = "" if self.activation is identity else f", {label(self.activation)}"
        return f"Bilinear({tuple(inputs)} => {outputs}{activation}{', bias=False' if self.bias is None else ''})"


def _two(where: str, x: Any, z: Any) -> tuple[Any, Any]:
    if z is None and isinstance(x, tuple | list):
        if len(x) != 2:
            raise ArgumentError(f"{len(x)} inputs", "two, or one for both", "pass two arrays", where=where)
        return x[0], x[1]
    return x, x if z is None else z
