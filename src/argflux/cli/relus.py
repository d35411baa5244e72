"""The kinds of ReLU that `--relu` names: the plain one, and the one that is the solution of a quadratic program."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from argflux import nn
from argflux.programs import Program


def make_relu(kind: str) -> Callable:
    """Make the layer that an entry of `RELUS` names.

    `program` is the point nearest to its input among those without negative entries: argmin over x ≥ 0 of
    x·x - 2 y·x.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.cli.relus import make_relu
        >>> make_relu("program")(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return nn.relu if kind == "plain" else Program(_relu, variable=lambda y: y, lower=0.0)


def _relu(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.sum(x * x) - 2 * jnp.vdot(y, x)


_relu.__name__ = "relu"  # what the program is called where the network is shown
