"""Module: an Equinox module that JAX's own transformations take as a function: `jax.jit(model)`. Imports only JAX."""

from typing import Any

import equinox as eqx
import jax

from argflux.tree import is_array


class Module(eqx.Module):
    """An Equinox module with a hash, so that `jax.jit`, `jax.checkpoint` and `jax.lax.cond` take it as a function.

    Arrays have no hash, so that of a module is made of which arrays it holds, not of their values. `==` compares
    values, as Equinox does. A jitted model keeps the arrays that it had, as a jitted function keeps what it captured.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from argflux import nn
        >>> model = nn.Dense(jnp.eye(2))
        >>> jax.jit(model)(jnp.ones(2)).tolist()
        [1.0, 1.0]
        >>> bool(model == nn.Dense(jnp.eye(2))), model in {model}
        (True, True)
    """

    def __hash__(self) -> int:
        return hash((type(self), *map(_identity, jax.tree.leaves(self))))

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        if type(self) is not type(other):
            return False
        (leaves, structure), (others, another) = jax.tree.flatten(self), jax.tree.flatten(other)
        if structure == another and all(a is b for a, b in zip(leaves, others, strict=True)):
            return True
        return eqx.tree_equal(self, other)


def _identity(leaf: Any) -> int:
    try:
        return id(leaf) if is_array(leaf) else hash(leaf)
    except TypeError:
        return id(leaf)
