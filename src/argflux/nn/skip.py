"""SkipConnection: a layer whose output meets its own input."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from argflux.keywords import explained
from argflux.module import Module
from argflux.nn.activation import identity
from argflux.nn.arguments import checked_activation
from argflux.nn.connection import held, joined
from argflux.nn.show import label, summary
from argflux.tree import is_differentiable


@explained
class SkipConnection(Module):
    """A layer and what joins its output to its input: activation(connection(layer(x), x)).

    Args:
        layer: anything callable on one argument; a Chain skips several layers.
        connection: any function of (layer(x), x), such as `jnp.add` or `cat`; a layer with arrays may be one.
        activation: a function of an array, applied last.

    Reference:
        He et al., Deep Residual Learning for Image Recognition, 2015 (an activation after) and Identity Mappings
        in Deep Residual Networks, 2016 (none); Huang et al., Densely Connected Convolutional Networks, 2017 (cat).

    Raises:
        ShapeError: if the connection is elementwise, such as `jnp.add` or `operator.add`, and output and input
            differ in shape, which would broadcast silently.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.SkipConnection(nn.Dense(3, 2), nn.cat)(jnp.ones((7, 3))).shape
        (7, 5)
        >>> nn.SkipConnection(nn.Dense(3, 3), jnp.add, nn.relu)
        SkipConnection(
          Dense(3 => 3),  # 12 parameters
          add,
          relu,
        )  # Total: 2 arrays, 12 parameters, 48 bytes.
    """

    layer: Any
    connection: Any
    activation: Callable = eqx.field(static=True)

    def __init__(self, layer: Callable, connection: Callable, activation: Callable = identity):
        self.layer = held("SkipConnection", "layer", layer)
        self.connection = held("SkipConnection", "connection", connection)
        self.activation = checked_activation("SkipConnection", activation)

    def __call__(self, x: Array) -> Array:
        """Return activation(connection(layer(x), x))."""
        y = self.layer(x)
        if is_differentiable(x) and is_differentiable(y):
            x = jnp.asarray(x, y.dtype)
        got = "an output of shape {} for an input of shape {}"
        return self.activation(joined(self.label(), self.connection, y, x, got=got))

    def label(self) -> str:
        """Write the layer in a few words.

        Example:
            >>> from argflux import nn
            >>> nn.SkipConnection(nn.Dense(3, 3), nn.cat).label()
            'SkipConnection(Dense(3 => 3), cat)'
        """
        return f"SkipConnection({', '.join(label(part) for _, part in self.children())})"

    def children(self) -> list[tuple[str, Any]]:
        """Return the parts, as `summary` lists them.

        Example:
            >>> from argflux import nn
            >>> len(nn.SkipConnection(nn.Dense(3, 3), nn.cat).children())
            2
        """
        parts = [("", self.layer), ("", self.connection)]
        return parts if self.activation is identity else [*parts, ("", self.activation)]

    def __repr__(self) -> str:
        return summary(self)
