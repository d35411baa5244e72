"""SkipConnection: a layer whose output meets its own input."""

import operator
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from argflux.errors import DtypeError, ShapeError
from argflux.nn.show import label, summary
from argflux.tree import is_differentiable
from argflux.userlayer import is_function, register_layers


def cat(y: Array, x: Array) -> Array:
    """Concatenate along the last axis, the features.

    Args:
        y: shape (..., m).
        x: shape (..., n), the axes before the last as in y.

    Returns:
        shape (..., m + n).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import cat
        >>> cat(jnp.ones((2, 3)), jnp.zeros((2, 1))).shape
        (2, 4)
    """
    if y.ndim == 0 or y.shape[:-1] != x.shape[:-1]:
        got, todo = f"shapes {y.shape} and {x.shape}", "make all axes but the last agree"
        raise ShapeError(got, "the same axes before the last", todo, where="cat")
    return jnp.concatenate([y, x], axis=-1)


class SkipConnection(eqx.Module):
    """A layer and what joins its output to its input: connection(layer(x), x).

    Args:
        layer: anything callable on one argument; a Chain skips several layers.
        connection: any function of (layer(x), x), such as `jnp.add` or `cat`; a layer with arrays may be one.

    Reference:
        He et al., Identity Mappings in Deep Residual Networks, 2016 (add); Huang et al., Densely Connected
        Convolutional Networks, 2017 (cat).

    Raises:
        ShapeError: if the connection is elementwise, such as `jnp.add` or `operator.add`, and output and input
            differ in shape, which would broadcast silently.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.SkipConnection(nn.Dense(3, 2), nn.cat)(jnp.ones((7, 3))).shape
        (7, 5)
    """

    layer: Any
    connection: Any

    def __init__(self, layer: Callable, connection: Callable):
        for name, part in (("layer", layer), ("connection", connection)):
            if not callable(part) or isinstance(part, type):
                todo = "pass a layer or a function"
                raise DtypeError(f"{name} {label(part)}", "something callable", todo, where="SkipConnection")
        self.layer = _held(layer)
        self.connection = _held(connection)

    def __call__(self, x: Array) -> Array:
        """Return connection(layer(x), x)."""
        y = self.layer(x)
        if is_differentiable(x) and is_differentiable(y):
            x = jnp.asarray(x, y.dtype)
        if self._is_elementwise() and jnp.shape(y) != jnp.shape(x):
            got = f"an output of shape {jnp.shape(y)} for an input of shape {jnp.shape(x)}"
            todo = "give the layer as many outputs as inputs, or join with cat"
            raise ShapeError(got, "equal shapes", todo, where=self.label())
        return self.connection(y, x)

    def _is_elementwise(self) -> bool:
        function = getattr(self.connection, "func", None)
        return isinstance(function, jnp.ufunc) or function in (operator.add, operator.sub, operator.mul)

    def label(self) -> str:
        """Write the layer in a few words.

        Example:
            >>> from argflux import nn
            >>> nn.SkipConnection(nn.Dense(3, 3), nn.cat).label()
            'SkipConnection(Dense(3 => 3), cat)'
        """
        return f"SkipConnection({', '.join(label(part) for _, part in self.children())})"

    def children(self) -> list[tuple[str, Any]]:
        """Return the two parts, as `summary` lists them.

        Example:
            >>> from argflux import nn
            >>> len(nn.SkipConnection(nn.Dense(3, 3), nn.cat).children())
            2
        """
        return [("", self.layer), ("", self.connection)]

    def __repr__(self) -> str:
        return summary(self)


def _held(part: Callable) -> Callable:
    """Keep a plain function in the structure of the tree, out of its leaves."""
    return jax.tree_util.Partial(part) if is_function(register_layers(part)) else part
