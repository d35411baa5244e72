"""Dense: the fully connected layer."""

from collections.abc import Callable, Hashable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.nn.activations import identity
from argflux.nn.initialisers import glorot_uniform
from argflux.nn.random import next_key
from argflux.nn.show import label, summary
from argflux.tree import is_array


class Dense(eqx.Module):
    """Fully connected layer, activation(x Wᵀ + b), on the last axis of x; any axes may come before it.

    Args:
        inputs: the width of the input, or the weight itself, a matrix of shape (outputs, inputs).
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
        inputs: int | ArrayLike,
        outputs: int | Callable | None = None,
        activation: Callable = identity,
        *,
        bias: bool | ArrayLike = True,
        init: Callable = glorot_uniform,
        key: Array | None = None,
        dtype: DTypeLike | None = None,
    ):
        if is_array(inputs) and jnp.ndim(inputs) > 0:
            activation = activation if outputs is None else outputs  # type: ignore[assignment]
            self.weight = _given_weight(inputs, dtype)
        else:
            self.weight = _new_weight(inputs, outputs, init, key, jnp.float32 if dtype is None else dtype)
        self.bias = _bias(bias, self.weight)
        self.activation = _checked_activation(activation)

    def __call__(self, x: ArrayLike) -> Array:
        """Map (..., inputs) to (..., outputs)."""
        x = self._checked_input(x)
        y = x @ self.weight.T
        return self.activation(y if self.bias is None else y + self.bias)

    def _checked_input(self, x: ArrayLike) -> Array:
        array = jnp.asarray(x)
        inputs = self.weight.shape[1]
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise DtypeError(
                f"an input of dtype {array.dtype}",
                f"floating values, to be used as {self.weight.dtype}",
                f"convert it first: jnp.asarray(x, jnp.{self.weight.dtype})",
                where=self.label(),
            )
        if array.ndim == 0 or array.shape[-1] != inputs:
            raise self._wrong_width(array.shape)
        return array.astype(self.weight.dtype)

    def _wrong_width(self, shape: tuple[int, ...]) -> ShapeError:
        outputs, inputs = self.weight.shape
        got = f"an input of shape {shape}, last dimension {shape[-1]}" if shape else "a single number"
        if len(shape) == 2 and shape[0] == inputs:
            todo = "pass x.T: the batch comes first"
        elif shape:
            todo = f"change the input, or the layer to Dense({shape[-1]}, {outputs})"
        else:
            todo = "pass an array, such as x[None]"
        return ShapeError(got, f"(..., {inputs}), a last dimension of {inputs}", todo, where=self.label())

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.Dense(3, 2, bias=False).label()
            'Dense(3 => 2, bias=False)'
        """
        shape = getattr(self.weight, "shape", ())
        widths = f"{shape[-1]} => {shape[-2]}" if len(shape) >= 2 else f"weight={self.weight!r}"
        activation = "" if self.activation is identity else f", {label(self.activation)}"
        return f"Dense({widths}{activation}{', bias=False' if self.bias is None else ''})"

    def __repr__(self) -> str:
        return self.label()

    def __str__(self) -> str:
        return summary(self)


def _new_weight(inputs: Any, outputs: Any, init: Callable, key: Array | None, dtype: DTypeLike) -> Array:
    where = f"Dense({inputs} => {label(outputs)})"
    for name, width in (("inputs", inputs), ("outputs", outputs)):
        _check_width(where, name, width)
    _check_dtype(where, dtype)
    shape = (int(outputs), int(inputs))
    weight = jnp.asarray(init(next_key(key), shape, dtype))
    if weight.shape != shape:
        raise ShapeError(f"an array of shape {weight.shape} from init", f"{shape}", "return that shape", where=where)
    return weight.astype(dtype)


def _check_width(where: str, name: str, width: Any) -> None:
    try:
        fits = not isinstance(width, bool) and width.__index__() >= 1
    except (AttributeError, TypeError):
        fits = False
    if not fits:
        todo = "call Dense(10, 5, relu), or Dense(matrix, relu)"
        raise ArgumentError(f"{name}={label(width)}", "an integer of at least 1", todo, where=where)


def _check_dtype(where: str, dtype: DTypeLike) -> None:
    if not jnp.issubdtype(dtype, jnp.floating):
        raise DtypeError(f"dtype {jnp.dtype(dtype)}", "a floating dtype", "use jnp.float32", where=where)
    if jax.dtypes.canonicalize_dtype(dtype) != jnp.dtype(dtype):
        todo = "call jax.config.update('jax_enable_x64', True) first"
        raise DtypeError(f"dtype {jnp.dtype(dtype)}", "a dtype that is switched on", todo, where=where)


def _given_weight(weight: Any, dtype: DTypeLike | None) -> Array:
    matrix = jnp.asarray(weight)
    if matrix.ndim != 2:
        todo = "pass the weight as (outputs, inputs)"
        raise ShapeError(f"a weight of shape {matrix.shape}", "a matrix", todo, where="Dense")
    _check_dtype("Dense", matrix.dtype if dtype is None else dtype)
    return matrix if dtype is None else matrix.astype(dtype)


def _bias(bias: bool | ArrayLike, weight: Array) -> Array | None:
    if bias is False or bias is None:
        return None
    if bias is True:
        return jnp.zeros(weight.shape[:1], weight.dtype)
    vector = jnp.asarray(bias)
    if vector.shape != weight.shape[:1]:
        where = f"Dense({weight.shape[1]} => {weight.shape[0]})"
        todo = "pass one value for each output, True or False"
        raise ShapeError(f"a bias of shape {vector.shape}", f"{weight.shape[:1]}", todo, where=where)
    return vector.astype(weight.dtype)


def _checked_activation(activation: Any) -> Callable:
    if not callable(activation) or isinstance(activation, type):
        todo = "pass a function such as relu"
        raise DtypeError(f"activation {label(activation)}", "a function of an array", todo, where="Dense")
    if not isinstance(activation, Hashable) or any(map(is_array, jax.tree.leaves(activation))):
        todo = "put it into the Chain as a layer of its own, after this Dense"
        got = f"activation {type(activation).__name__}, which holds arrays or cannot be hashed"
        raise ArgumentError(got, "a plain function", todo, where="Dense")
    return activation
