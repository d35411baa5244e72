"""A model taken apart into its trainable arrays, its other arrays and everything that is no array."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from argflux.errors import DtypeError
from argflux.tree import is_array, is_complex, is_differentiable, named_leaves

MOVING, FIXED, STATIC = "moving", "fixed", "static"


def is_trainable(leaf: Any) -> bool:
    """Say whether training moves a leaf: a floating array (a Python number is a setting, and stays)."""
    return is_array(leaf) and is_differentiable(leaf)


def trainable(model: Any) -> Any:
    """Return the same tree with None in place of everything that training does not move."""
    return jax.tree.map(lambda leaf: leaf if is_trainable(leaf) else None, model)


def trainable_names(model: Any) -> tuple[str, ...]:
    """Return the paths of the arrays that training moves; complex ones are an error."""
    for name, leaf in named_leaves(model):
        if is_array(leaf) and is_complex(leaf):
            got, todo = f"{leaf.dtype} at {name or 'the model'}", "keep real and imaginary parts apart"
            raise DtypeError(got, "real floating arrays", todo, where="setup")
    return tuple(name for name, leaf in named_leaves(model) if is_trainable(leaf))


def strong(array: Any) -> jax.Array:
    """Return an array of JAX whose dtype is its own, so that a program compiled for it fits its successors."""
    is_strong = isinstance(array, jax.Array) and not array.weak_type
    return array if is_strong else jnp.asarray(array, array.dtype)


@dataclass(frozen=True)
class Split:
    """How the leaves of a model fall into moving arrays, fixed arrays and static values; hashable.

    Two models with equal splits run the same program.
    """

    treedef: Any
    kinds: tuple[str, ...]
    static: tuple[tuple[type, Any], ...]

    @staticmethod
    def of(model: Any, frozen: Collection[str] = ()) -> "tuple[Split, list, list]":
        """Return the split of a model with its moving and its fixed arrays; frozen paths are fixed."""
        leaves, treedef = jax.tree.flatten(model)
        names = [name for name, _ in named_leaves(model)]
        kinds = tuple(_kind(leaf, name in frozen) for name, leaf in zip(names, leaves, strict=True))
        parts: dict[str, list] = {MOVING: [], FIXED: [], STATIC: []}
        for kind, leaf in zip(kinds, leaves, strict=True):
            parts[kind].append(leaf)
        static = tuple((type(leaf), leaf) for leaf in parts[STATIC])
        return Split(treedef, kinds, static), [*map(strong, parts[MOVING])], [*map(_as_jax, parts[FIXED])]

    def take(self, model: Any) -> tuple[list, list]:
        """Return the moving and the fixed arrays of a model like the one that was split."""
        leaves = self.treedef.flatten_up_to(model)
        fixed = [_as_jax(leaf) for leaf, kind in zip(leaves, self.kinds, strict=True) if kind == FIXED]
        return [*map(strong, self.pick(leaves))], fixed

    def join(self, moving: Sequence, fixed: Sequence) -> Any:
        """Return the model with these arrays in their places."""
        sources = {MOVING: iter(moving), FIXED: iter(fixed), STATIC: iter(leaf for _, leaf in self.static)}
        return self.treedef.unflatten([next(sources[kind]) for kind in self.kinds])

    def spread(self, moving: Sequence) -> Any:
        """Return a tree like the model with these values for the moving arrays and None elsewhere."""
        values = iter(moving)
        return self.treedef.unflatten([next(values) if kind == MOVING else None for kind in self.kinds])

    def collect(self, tree: Any) -> list:
        """Return what stands at the places of the moving arrays in a tree like the model."""
        return self.pick(self.treedef.flatten_up_to(tree))

    def pick(self, leaves: Sequence) -> list:
        """Return what stands at the places of the moving arrays in a list with one entry for each leaf."""
        return [leaf for leaf, kind in zip(leaves, self.kinds, strict=True) if kind == MOVING]


def _kind(leaf: Any, frozen: bool) -> str:
    if is_trainable(leaf):
        return FIXED if frozen else MOVING
    return FIXED if is_array(leaf) else STATIC


def _as_jax(leaf: Any) -> jax.Array:
    return leaf if isinstance(leaf, jax.Array) else jnp.asarray(leaf)
