"""What a rule remembers between steps: Optax's state, full copies of half precision weights, and the steps made."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.errors import ArgumentError
from argflux.training.chain import Part, describe, numbers_at, transformation
from argflux.training.rule import Hyper


class Memory(NamedTuple):
    """What a rule remembers between steps.

    Attributes:
        masters: for each trainable array None, or a float32 copy of one of lower precision, in which small steps
            add up.
        inner: the state of the Optax transformation, made for arrays of at least float32.
        count: how many steps were made, int32.
    """

    masters: tuple[Any, ...]
    inner: Any
    count: jax.Array


def first_memory(parts: tuple[Part, ...], hyper: tuple[Hyper, ...], params: Any) -> Memory:
    """Return what rules remember before their first step on a tree of arrays.

    Raises:
        ArgumentError: when an Optax transformation does not start from the arrays of a model.
    """
    leaves, structure = jax.tree.flatten(params)
    masters = tuple(widened(leaf) if is_half(leaf) else None for leaf in leaves)
    wide = structure.unflatten([x if kept is None else kept for x, kept in zip(leaves, masters, strict=True)])
    count = jnp.zeros((), jnp.int32)
    with jax.numpy_dtype_promotion("standard"):
        try:
            inner = transformation(parts, numbers_at(parts, hyper, count)).init(wide)
        except (AttributeError, TypeError, ValueError) as error:
            names = ", ".join(map(describe, parts))
            got, todo = f"{names}, which fails at its start ({error})", "use another transformation"
            raise ArgumentError(got, "one that starts from a model's arrays alone", todo, where="setup") from error
    return Memory(masters, jax.tree.map(_strong, inner), count)


def is_half(array: Any) -> bool:
    """Say whether an array has a lower precision than float32."""
    return array.dtype.itemsize < 4


def widened(array: Any) -> jax.Array:
    """Return an array in float32 if its precision is lower."""
    return jnp.asarray(array, jnp.float32) if is_half(array) else jnp.asarray(array)


def master_of(array: jax.Array, master: Any) -> jax.Array:
    """Return the array in full: its master, and where that rounds to something else (as it was replaced), itself."""
    if master is None:
        return array
    return jnp.where(master.astype(array.dtype) == array, master, widened(array))


def _strong(leaf: Any) -> Any:
    """Return a leaf of Optax's state as an array whose dtype is its own."""
    is_key = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.extended)
    return leaf if is_key or not hasattr(leaf, "dtype") else jnp.asarray(leaf, leaf.dtype)
