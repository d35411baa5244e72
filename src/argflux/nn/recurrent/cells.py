"""RNNCell, LSTMCell and GRUCell: one step of a recurrent layer, the state passed in and out."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ShapeError
from argflux.keywords import explained
from argflux.nn.activation import tanh
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
from argflux.nn.lastaxes import biased, scaled
from argflux.nn.layer import Layer
from argflux.nn.precision import widened
from argflux.nn.random import next_key
from argflux.nn.show import label
from argflux.nn.widths import filled, for_width

State = ArrayLike | tuple[ArrayLike, ...] | None


@explained
class Cell(Layer):
    """A step in two parts: what depends on the input alone, which a sequence does at once, and the rest.

    Args:
        inputs: the width of the input; None to have it inferred (`infer`).
        hidden: the width of the state and of the output.
        bias: True for one that starts at 0, False for none, or the vector itself.
        init: of the weight of the input, `(key, shape, dtype) -> array`.
        state_init: of the weight of the state.
        key: a random key; without one, the next of the default stream (`seed`).
        dtype: of the parameters; float32 by default.
    """

    input_weight: Array
    state_weight: Array
    bias: Array | None
    GATES: ClassVar[int]

    def __init__(
        self,
        inputs: int | None,
        hidden: int,
        *,
        bias: bool | ArrayLike = True,
        init: Callable = glorot_uniform,
        state_init: Callable = glorot_uniform,
        key: Array | None = None,
        dtype: DTypeLike | None = None,
    ):
        name = type(self).__name__
        where = f"{name}({'?' if inputs is None else label(inputs)} => {label(hidden)})"
        todo = f"call {name.removesuffix('Cell')}(10, 5)"
        rows, dtype = self.GATES * checked_size(where, "hidden", hidden, todo), checked_dtype(where, dtype)
        width = open_size(where, "inputs", inputs, todo)
        of_input, of_state = jax.random.split(next_key(key))
        make = lambda width: drawn(where, init, of_input, (rows, width), dtype)
        self.input_weight = for_width(width, (rows, None), make)
        self.state_weight = drawn(where, state_init, of_state, (rows, rows // self.GATES), dtype)
        self.bias = given_bias(where, bias, (rows,), dtype)

    def __call__(self, x: ArrayLike, state: State = None) -> tuple[Array, Any]:
        """Take a step: (..., inputs) and a state give the output (..., hidden) and the next state."""
        read = self.read(x)
        return self.step(read, self.initial_state(*read.shape[:-1]) if state is None else self.checked_state(state))

    @property
    def hidden(self) -> int:
        """The width of the state and of the output."""
        return self.state_weight.shape[1]

    def read(self, x: ArrayLike) -> Array:
        """Return the part of a step that depends on the input alone, for any number of inputs.

        Example:
            >>> import jax.numpy as jnp
            >>> from argflux import nn
            >>> nn.LSTMCell(3, 5).read(jnp.ones((2, 100, 3))).shape
            (2, 100, 20)
        """
        where = self.label()
        weight = filled(self.input_weight, x, where)
        x = floating_input(where, x, weight.dtype)
        x = checked_width(where, x, weight.shape[1], "change the input, or the width of the layer")
        y = x @ weight.T
        return biased(y, self.bias)

    @abstractmethod
    def step(self, read: Array, state: Any) -> tuple[Array, Any]:
        """Return the output and the next state, from what `read` made of the input."""

    def initial_state(self, *batch: int) -> Any:
        """Return the state that a sequence starts from, zeros, for a batch of the given sizes.

        Example:
            >>> from argflux import nn
            >>> nn.GRUCell(3, 5).initial_state(2).shape
            (2, 5)
        """
        return jnp.zeros((*batch, self.hidden), self.state_weight.dtype)

    def checked_state(self, state: Any) -> Any:
        """Return a state of the right width.

        Example:
            >>> import jax.numpy as jnp
            >>> from argflux import nn
            >>> nn.GRUCell(3, 5).checked_state(jnp.ones((2, 5))).shape
            (2, 5)
        """
        where = self.label()
        state = floating_input(where, state, self.state_weight.dtype)
        return checked_width(where, state, self.hidden, "pass the state of this layer, or none", "a state")

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.LSTMCell(3, 5).label()
            'LSTMCell(3 => 5)'
        """
        return f"{type(self).__name__}({self.settings()})"

    def settings(self) -> str:
        """Write the widths and what is not the default.

        Example:
            >>> from argflux import nn
            >>> nn.RNNCell(3, 5, nn.relu, bias=False).settings()
            '3 => 5, relu, bias=False'
        """
        inputs = getattr(self.input_weight, "shape", (None, None))[1]
        hidden = getattr(self.state_weight, "shape", ("?", "?"))[1]
        activation = getattr(self, "activation", tanh)
        shown = "" if activation is tanh else f", {label(activation)}"
        return f"{'?' if inputs is None else inputs} => {hidden}{shown}{', bias=False' if self.bias is None else ''}"


@explained(options="bias init state_init key dtype")
class RNNCell(Cell):
    """A step of the simple recurrent layer: h' = activation(W x + V h + b), which is both output and state.

    Args:
        inputs: the width of the input; None to have it inferred (`infer`).
        hidden: the width of the state and of the output.
        activation: tanh by default.
        **options: bias, init, state_init, key and dtype.

    Attributes:
        input_weight: W, shape (hidden, inputs).
        state_weight: V, shape (hidden, hidden).
        bias: shape (hidden,), or None.

    Calling it:
        x of shape (..., inputs), and a state or none, give (output, state), both of shape (..., hidden).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> y, state = nn.RNNCell(3, 5)(jnp.ones((2, 3)))
        >>> y.shape, state.shape
        ((2, 5), (2, 5))
    """

    activation: Callable = eqx.field(static=True)
    GATES = 1

    def __init__(self, inputs: int | None, hidden: int, activation: Callable = tanh, **options: Any):
        super().__init__(inputs, hidden, **options)
        self.activation = checked_activation("RNNCell", activation)

    def step(self, read: Array, state: Array) -> tuple[Array, Array]:
        """Return the output and the next state, which are the same.

        Example:
            >>> import jax.numpy as jnp
            >>> from argflux import nn
            >>> nn.RNNCell(3, 1).step(jnp.zeros((2, 1)), jnp.zeros((2, 1)))[0].tolist()
            [[0.0], [0.0]]
        """
        h = self.activation(read + state @ self.state_weight.T)
        return h, h


@explained(options="bias init state_init key dtype")
class LSTMCell(Cell):
    """A step of the long short-term memory: c' = σ(f) ⊙ c + σ(i) ⊙ tanh(g), h' = σ(o) ⊙ tanh(c').

    i, f, g and o, the input gate, the forget gate, the candidate and the output gate, are the four parts, in this
    order, of W x + V h + b.

    Args:
        inputs: the width of the input; None to have it inferred (`infer`).
        hidden: the width of the state and of the output.
        **options: bias, init, state_init, key and dtype.

    Attributes:
        input_weight: W, shape (4 · hidden, inputs).
        state_weight: V, shape (4 · hidden, hidden).
        bias: shape (4 · hidden,), or None.

    Calling it:
        x of shape (..., inputs), and a state (h, c) or none, give (h', (h', c')), each of shape (..., hidden).

    Reference:
        Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; the forget gate is of Gers et al., Learning to
        Forget, 2000.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> y, (h, c) = nn.LSTMCell(3, 5)(jnp.ones((2, 3)))
        >>> y.shape, h.shape, c.shape
        ((2, 5), (2, 5), (2, 5))
    """

    GATES = 4

    def __init__(self, inputs: int | None, hidden: int, **options: Any):
        super().__init__(inputs, hidden, **options)

    def step(self, read: Array, state: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        """Return the output and the next state.

        Example:
            >>> import jax.numpy as jnp
            >>> from argflux import nn
            >>> zero = jnp.zeros((2, 1))
            >>> nn.LSTMCell(3, 1).step(jnp.zeros((2, 4)), (zero, zero))[0].tolist()
            [[0.0], [0.0]]
        """
        h, c = state
        gates = widened(read) + widened(h @ self.state_weight.T)
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        kept = jax.nn.sigmoid(f) * widened(c) + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = (jax.nn.sigmoid(o) * jnp.tanh(kept)).astype(read.dtype)
        return h, (h, kept.astype(c.dtype))

    def initial_state(self, *batch: int) -> tuple[Array, Array]:
        """Return the state that a sequence starts from, two arrays of zeros.

        Example:
            >>> from argflux import nn
            >>> [part.shape for part in nn.LSTMCell(3, 5).initial_state(2)]
            [(2, 5), (2, 5)]
        """
        return super().initial_state(*batch), super().initial_state(*batch)

    def checked_state(self, state: Any) -> tuple[Array, Array]:
        """Return a state of two parts of the right width.

        Example:
            >>> from argflux import nn
            >>> cell = nn.LSTMCell(3, 5)
            >>> len(cell.checked_state(cell.initial_state(2)))
            2
        """
        if not isinstance(state, tuple | list) or len(state) != 2:
            todo = "pass the state that an earlier call returned, or none"
            raise ShapeError(f"a state {label(state)}", "a pair (h, c)", todo, where=self.label())
        h, c = state
        return super().checked_state(h), super().checked_state(c)


@explained(options="bias init state_init key dtype")
class GRUCell(Cell):
    """A step of the gated recurrent unit: h' = (1 - σ(z)) ⊙ n + σ(z) ⊙ h with n = tanh(n_x + σ(r) ⊙ (n_h + d)).

    r, z and n, the reset gate, the update gate and the candidate, are the three parts, in this order, of W x + b and
    V h; of the gates the two are added.

    Args:
        inputs: the width of the input; None to have it inferred (`infer`).
        hidden: the width of the state and of the output.
        **options: bias, init, state_init, key and dtype.

    Attributes:
        input_weight: W, shape (3 · hidden, inputs).
        state_weight: V, shape (3 · hidden, hidden).
        bias: b, shape (3 · hidden,), or None.
        candidate_bias: d, shape (hidden,), or None; as in PyTorch, where it lies inside the reset gate. It starts at 0.

    Calling it:
        x of shape (..., inputs), and a state or none, give (output, state), both of shape (..., hidden).

    Reference:
        Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, in the variant that resets after
        the product.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> y, state = nn.GRUCell(3, 5)(jnp.ones((2, 3)))
        >>> y.shape, state.shape
        ((2, 5), (2, 5))
    """

    candidate_bias: Array | None
    GATES = 3

    def __init__(self, inputs: int | None, hidden: int, **options: Any):
        super().__init__(inputs, hidden, **options)
        self.candidate_bias = None if self.bias is None else jnp.zeros(self.hidden, self.bias.dtype)

    def step(self, read: Array, state: Array) -> tuple[Array, Array]:
        """Return the output and the next state, which are the same.

        Example:
            >>> import jax.numpy as jnp
            >>> from argflux import nn
            >>> nn.GRUCell(3, 1).step(jnp.zeros((2, 3)), jnp.zeros((2, 1)))[0].tolist()
            [[0.0], [0.0]]
        """
        size = self.hidden
        read, of_state, dtype = widened(read), widened(state @ self.state_weight.T), read.dtype
        gates = jax.nn.sigmoid(read[..., : 2 * size] + of_state[..., : 2 * size])
        reset, update = gates[..., :size], gates[..., size:]
        candidate = scaled(of_state[..., 2 * size :], None, self.candidate_bias)
        new = jnp.tanh(read[..., 2 * size :] + reset * candidate)
        h = (new + update * (widened(state) - new)).astype(dtype)
        return h, h
