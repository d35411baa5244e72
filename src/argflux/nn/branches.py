"""Layers side by side: Parallel, PairwiseFusion and Maxout."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array

from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.module import Module
from argflux.nn.arguments import checked_size
from argflux.nn.chain import Layers, checked_layers
from argflux.nn.connection import held, joined
from argflux.nn.show import label, summary


class Branches(Module):
    """Layers side by side, with names or without: what Parallel, PairwiseFusion and Maxout have in common."""

    layers: Layers

    def __getitem__(self, index: int | str) -> Any:
        return self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def children(self) -> list[tuple[str, Any]]:
        """Return the connection, where there is one, and the layers, as `summary` lists them.

        Example:
            >>> from argflux import nn
            >>> [name for name, _ in nn.Parallel(nn.cat, a=nn.relu, b=nn.tanh).children()]
            ['', 'a', 'b']
        """
        joint = [("", part) for part in [getattr(self, "connection", None)] if part is not None]
        return joint + list(zip(self.layers.names or [""] * len(self), self.layers, strict=True))

    def label(self) -> str:
        """Write the layers in a few words.

        Example:
            >>> from argflux import nn
            >>> nn.Maxout(nn.Dense(3, 2), nn.Dense(3, 2)).label()
            'Maxout(Dense(3 => 2), Dense(3 => 2))'
        """
        return f"{type(self).__name__}({', '.join(label(part) for _, part in self.children())})"

    def __repr__(self) -> str:
        return summary(self)


@explained
class Parallel(Branches):
    """Layers side by side, their outputs joined: connection(f(x), g(x), …).

    Args:
        connection: a function of all the outputs. An elementwise function of two, such as `jnp.add`, goes through
            them from left to right; `cat` concatenates; `tuple` keeps them apart.
        *layers: the layers.
        **named: or else the layers by name.

    Calling it:
        One input goes to every layer; as many inputs as layers, as arguments or as one tuple, go to one each.

    Raises:
        ArgumentError: for another number of inputs.
        ShapeError: if an elementwise connection meets unequal shapes.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> m = nn.Parallel(nn.cat, nn.Dense(3, 2), nn.Dense(5, 4))
        >>> m(jnp.ones((7, 3)), jnp.ones((7, 5))).shape
        (7, 6)
        >>> nn.Parallel(jnp.add, a=nn.tanh, b=nn.relu, c=nn.identity)(jnp.ones(1)).round().tolist()
        [3.0]
    """

    layers: Layers
    connection: Any

    def __init__(self, connection: Callable, *layers: Callable, **named: Callable):
        self.connection = held("Parallel", "connection", connection)
        self.layers = _some_layers("Parallel", layers, named)

    def __call__(self, *inputs: Any) -> Any:
        """Return the layers' outputs joined."""
        where = self.label()
        each = _one_each(where, inputs, len(self)) or inputs * len(self)
        outputs = [self.layers.call(i, x) for i, x in enumerate(each)]
        return joined(where, self.connection, *outputs)


@explained
class PairwiseFusion(Branches):
    """Layers that each join a new input to what the layer before gave: yᵢ = fᵢ(connection(yᵢ₋₁, xᵢ)), y₁ = f₁(x₁).

    Args:
        connection: a function of the previous output and the next input, such as `jnp.add` or `cat`.
        *layers: the layers in order.
        **named: or else the layers by name, in order.

    Calling it:
        As many inputs as layers, as arguments or as one tuple, or a single input that every layer gets, give the
        tuple of all outputs.

    Raises:
        ArgumentError: for another number of inputs.
        ShapeError: if an elementwise connection meets unequal shapes.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> m = nn.PairwiseFusion(nn.cat, nn.Dense(3, 2), nn.Dense(6, 1))
        >>> [y.shape for y in m(jnp.ones((7, 3)), jnp.ones((7, 4)))]
        [(7, 2), (7, 1)]
    """

    layers: Layers
    connection: Any

    def __init__(self, connection: Callable, *layers: Callable, **named: Callable):
        self.connection = held("PairwiseFusion", "connection", connection)
        self.layers = _some_layers("PairwiseFusion", layers, named)

    def __call__(self, *inputs: Any) -> tuple:
        """Return the outputs of all layers."""
        where = self.label()
        first, *rest = _one_each(where, inputs, len(self)) or inputs * len(self)
        outputs = [self.layers.call(0, first)]
        for i, x in enumerate(rest, start=1):
            outputs.append(self.layers.call(i, joined(where, self.connection, outputs[-1], x)))
        return tuple(outputs)


@explained
class Maxout(Branches):
    """The largest output of several layers, entry by entry: max(f(x), g(x), …).

    Args:
        *layers: the layers, of outputs of one shape; or a function that makes a layer, and how many to make.

    Raises:
        ShapeError: for outputs of unequal shapes.

    Reference:
        Goodfellow et al., Maxout Networks, 2013.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.Maxout(lambda x: x, lambda x: -x)(jnp.array([-2.0, 1.0])).tolist()
        [2.0, 1.0]
        >>> len(nn.Maxout(lambda: nn.Dense(5, 7), 3))
        3
    """

    layers: Layers

    def __init__(self, *layers: Callable | int):
        if len(layers) == 2 and isinstance(layers[1], int):
            make, count = layers
            todo = "call Maxout(lambda: Dense(5, 7), 3)"
            layers = tuple(make() for _ in range(checked_size("Maxout", "count", count, todo)))  # type: ignore
        self.layers = _some_layers("Maxout", layers, {})

    def __call__(self, x: Any) -> Array:
        """Return the maximum of the layers' outputs."""
        return joined(self.label(), jnp.maximum, *(self.layers.call(i, x) for i in range(len(self))))


def _some_layers(container: str, layers: Sequence[Any], named: Mapping[str, Any]) -> Layers:
    checked = checked_layers(container, layers, named)
    if not checked:
        raise ArgumentError("no layer", "at least one", f"call {container} with layers", where=container)
    return checked


def _one_each(where: str, inputs: Sequence[Any], count: int) -> Sequence[Any] | None:
    """Return one input for each layer, or None if there is one for all of them."""
    if len(inputs) == 1 and isinstance(inputs[0], tuple | list):
        inputs = inputs[0]
    elif len(inputs) == 1:
        return None
    if len(inputs) != count:
        got, expected = f"{len(inputs)} inputs", f"1 input, or {count}, one for each layer"
        raise ArgumentError(got, expected, "pass one for each", where=where)
    return inputs
