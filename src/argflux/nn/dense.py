"""Dense: the fully connected layer."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ShapeError
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
    open_size,
)
from argflux.nn.initialisers import glorot_uniform
from argflux.nn.lastaxes import biased
from argflux.nn.layer import Layer
from argflux.nn.random import next_key
from argflux.nn.show import label
from argflux.nn.widths import filled, for_width
from argflux.tree import is_array

TODO = "call Dense(10, 5, relu), or Dense(matrix, relu)"


@explained
class Dense(Layer):
    """Fully connected layer, activation(x Wᵀ + b), on the last axis of x; any axes may come before it.

    Args:
        inputs: the width of the input, None to have it inferred (`infer`), or the weight itself, a matrix of shape
            (outputs, inputs).
        outputs: the width of the output; after a weight matrix, the activation.
        activation: a function of an array, applied last. One that has arrays of its own is a layer: put it
            into a Chain after this one.
        bias: True for one that starts at 0, False for none, or the vector itself, of shape (outputs,).
        init: `(key, shape, dtype) -> array`, see `argflux.nn.initialisers`.
        key: a random key; without one, the next of the default stream (`seed`).
        dtype: of the parameters; float32, or that of the given matrix.

    Attributes:
        weight: shape (outputs, inputs).
        bias: shape (outputs,), or None.
        activation: the function.

    Calling it:
        x of shape (..., inputs) gives (..., outputs). Floating inputs of another dtype, such as NumPy's
        float64, are cast to that of the weight.

    Raises:
        ShapeError: for an input of another width, naming the layer.
        DtypeError: for an input that is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> layer = nn.Dense(10, 5, nn.relu)
        >>> layer
        Dense(10 => 5, relu)
        >>> layer(jnp.ones((32, 10))).shape
        (32, 5)
        >>> nn.Dense(jnp.eye(2), bias=jnp.ones(2))(jnp.zeros(2)).tolist()
        [1.0, 1.0]
    """

    weight: Array
    bias: Array | None
    activation: Callable = eqx.field(static=True)

    def __init__(
        self,
        inputs: int | ArrayLike | None,
        outputs: int | Callable | None = None,
        activation: Callable = identity,
        *,
        bias: bool | ArrayLike = True,
        init: Callable = glorot_uniform,
        key: Array | None = None,
        dtype: DTypeLike | None = None,
    ):
        if inputs is not None and is_array(inputs) and jnp.ndim(inputs) > 0:
            activation = activation if outputs is None else outputs  # type: ignore[assignment]
            self.weight = weight = _given_weight(inputs, dtype)
            where, outputs, dtype = f"Dense({weight.shape[1]} => {weight.shape[0]})", weight.shape[0], weight.dtype
        else:
            where = f"Dense({_width(inputs)} => {label(outputs)})"
            outputs, dtype = checked_size(where, "outputs", outputs, TODO), checked_dtype(where, dtype)
            self.weight = _new_weight(where, inputs, outputs, init, key, dtype)
        self.bias = given_bias(where, bias, (outputs,), dtype)
        self.activation = checked_activation("Dense", activation)

    def __call__(self, x: ArrayLike) -> Array:
        """Map (..., inputs) to (..., outputs)."""
        where = self.label()
        weight = filled(self.weight, x, where)
        x = floating_input(where, x, weight.dtype)
        x = checked_width(where, x, weight.shape[1], _advice(x.shape, weight.shape))
        y = x @ weight.T
        return self.activation(biased(y, self.bias))

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.Dense(3, 2, bias=False).label()
            'Dense(3 => 2, bias=False)'
        """
        shape = getattr(self.weight, "shape", ())
        widths = f"{_width(shape[-1])} => {shape[-2]}" if len(shape) >= 2 else f"weight={self.weight!r}"
        activation = "" if self.activation is identity else f", {label(self.activation)}"
        return f"Dense({widths}{activation}{', bias=False' if self.bias is None else ''})"


def _width(inputs: Any) -> str:
    return "?" if inputs is None else label(inputs)


def _new_weight(where: str, inputs: Any, outputs: int, init: Callable, key: Array | None, dtype: DTypeLike) -> Any:
    inputs = open_size(where, "inputs", inputs, TODO)
    key = next_key(key)
    return for_width(inputs, (outputs, None), lambda width: drawn(where, init, key, (outputs, width), dtype))


def _given_weight(weight: Any, dtype: DTypeLike | None) -> Array:
    matrix = jnp.asarray(weight)
    if matrix.ndim != 2:
        todo = "pass the weight as (outputs, inputs)"
        raise ShapeError(f"a weight of shape {matrix.shape}", "a matrix", todo, where="Dense")
    return matrix.astype(checked_dtype("Dense", matrix.dtype if dtype is None else dtype))


def _advice(shape: tuple[int, ...], weight: tuple[int, ...]) -> str:
    outputs, inputs = weight
    if len(shape) == 2 and shape[0] == inputs:
        return "pass x.T: the batch comes first"
    if shape:
        return f"change the input, or the layer to Dense({shape[-1]}, {outputs})"
    return "pass an array, such as x[None]" if inputs == 1 else f"pass an array of shape (..., {inputs})"
