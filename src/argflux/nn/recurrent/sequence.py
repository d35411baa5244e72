"""Recurrence, RNN, LSTM and GRU: cells taken along a whole sequence."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from argflux.errors import DtypeError, ShapeError
from argflux.keywords import explained
from argflux.nn.activation import tanh
from argflux.nn.layer import Layer
from argflux.nn.recurrent.cells import Cell, GRUCell, LSTMCell, RNNCell, State
from argflux.nn.show import label


@explained
class Recurrence(Layer):
    """A cell taken along the second axis of the input, which is time; the first is the batch.

    Args:
        cell: any layer with `cell(x, state) -> (output, state)` and `cell.initial_state(batch) -> state`.
        return_state: whether to return the last state too, which a Chain has no use for.

    Calling it:
        x of shape (batch, length, inputs), and a state or none, give the outputs (batch, length, hidden); with
        `return_state`, the pair of them and the last state. `lambda y: y[:, -1]` takes the last output.

    Raises:
        ShapeError: for an input without a time axis.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.Recurrence(nn.GRUCell(3, 5))(jnp.ones((2, 100, 3))).shape
        (2, 100, 5)
    """

    cell: Any
    return_state: bool = eqx.field(static=True)

    def __init__(self, cell: Any, *, return_state: bool = False):
        if not callable(cell) or not hasattr(cell, "initial_state"):
            got, expected = f"cell {label(cell)}", "a layer with cell(x, state) and cell.initial_state(batch)"
            raise DtypeError(got, expected, "pass one, such as LSTMCell(3, 5)", where=type(self).__name__)
        self.cell, self.return_state = cell, bool(return_state)

    def __call__(self, x: ArrayLike, state: State = None) -> Any:
        """Map (batch, length, inputs) to (batch, length, hidden)."""
        x = jnp.asarray(x)
        if x.ndim != 3:
            got = f"an input of shape {x.shape}"
            raise ShapeError(got, "(batch, length, inputs)", self._missing_axis(x), where=self.label())
        read, step, state = self._parts(x, state)
        state, outputs = lax.scan(lambda state, r: step(r, state)[::-1], state, jnp.swapaxes(read, 0, 1))
        outputs = jnp.swapaxes(outputs, 0, 1)
        return (outputs, state) if self.return_state else outputs

    def _parts(self, x: Array, state: Any) -> tuple[Array, Callable, Any]:
        """Return what the steps read, the step and the first state."""
        start = self.cell.initial_state(x.shape[0]) if state is None else state
        if not isinstance(self.cell, Cell):
            return x, self.cell, start
        start = self.cell.checked_state(start)
        self._check_batch(x, start)
        return self.cell.read(x), self.cell.step, start

    def _missing_axis(self, x: Array) -> str:
        """Say which axis to add to an input of another number of axes than three."""
        if x.ndim != 2:
            return "pass sequences, batch first"
        width = getattr(getattr(self.cell, "input_weight", None), "shape", (None, None))[1]
        if width == 1 != x.shape[1]:
            return "add the axis of the inputs: x[..., None]"
        return "add the axis of the batch, for one sequence: x[None]"

    def _check_batch(self, x: Array, state: Any) -> None:
        for part in jax.tree.leaves(state):
            if part.shape[:-1] != x.shape[:1]:
                got, expected = f"a state of shape {part.shape}", f"{(x.shape[0], part.shape[-1])}, one row an example"
                raise ShapeError(got, expected, "pass the state of this batch, or none", where=self.label())

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.LSTM(3, 5).label(), nn.Recurrence(nn.GRUCell(3, 5)).label()
            ('LSTM(3 => 5)', 'Recurrence(GRUCell(3 => 5))')
        """
        inside = label(self.cell) if type(self) is Recurrence else self.cell.settings()
        return f"{type(self).__name__}({inside}{', return_state=True' if self.return_state else ''})"

    def children(self) -> list[tuple[str, Any]]:
        """Return the cell, as `summary` lists it, unless the layer's own label says it all.

        Example:
            >>> from argflux import nn
            >>> nn.LSTM(3, 5).children()
            []
        """
        return [("", self.cell)] if type(self) is Recurrence else []


@explained(options="bias init state_init key dtype")
class RNN(Recurrence):
    """The simple recurrent layer along a sequence: h_t = activation(W x_t + V h_{t-1} + b).

    Args:
        inputs: the width of the input; None to have it inferred (`infer`).
        hidden: the width of the state and of the output.
        activation: tanh by default.
        return_state: whether to return the last state too.
        **options: bias, init, state_init, key and dtype, as for `RNNCell`.

    Calling it:
        x of shape (batch, length, inputs), and a state or none, give (batch, length, hidden).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.RNN(3, 5)(jnp.ones((2, 100, 3))).shape
        (2, 100, 5)
    """

    def __init__(
        self,
        inputs: int | None,
        hidden: int,
        activation: Callable = tanh,
        *,
        return_state: bool = False,
        **options: Any,
    ):
        super().__init__(RNNCell(inputs, hidden, activation, **options), return_state=return_state)


@explained(options="bias init state_init key dtype")
class LSTM(Recurrence):
    """The long short-term memory along a sequence; see `LSTMCell`.

    Args:
        inputs: the width of the input; None to have it inferred (`infer`).
        hidden: the width of the state and of the output.
        return_state: whether to return the last state (h, c) too.
        **options: bias, init, state_init, key and dtype, as for `LSTMCell`.

    Calling it:
        x of shape (batch, length, inputs), and a state (h, c) or none, give (batch, length, hidden).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> m = nn.Chain(nn.LSTM(3, 5), lambda y: y[:, -1], nn.Dense(5, 2))
        >>> m(jnp.ones((7, 100, 3))).shape
        (7, 2)
    """

    def __init__(self, inputs: int | None, hidden: int, *, return_state: bool = False, **options: Any):
        super().__init__(LSTMCell(inputs, hidden, **options), return_state=return_state)


@explained(options="bias init state_init key dtype")
class GRU(Recurrence):
    """The gated recurrent unit along a sequence; see `GRUCell`.

    Args:
        inputs: the width of the input; None to have it inferred (`infer`).
        hidden: the width of the state and of the output.
        return_state: whether to return the last state too.
        **options: bias, init, state_init, key and dtype, as for `GRUCell`.

    Calling it:
        x of shape (batch, length, inputs), and a state or none, give (batch, length, hidden).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> y, state = nn.GRU(3, 5, return_state=True)(jnp.ones((2, 100, 3)))
        >>> y.shape, state.shape
        ((2, 100, 5), (2, 5))
    """

    def __init__(self, inputs: int | None, hidden: int, *, return_state: bool = False, **options: Any):
        super().__init__(GRUCell(inputs, hidden, **options), return_state=return_state)
