"""A model taken apart into its trainable arrays, its other arrays and everything that is no array."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from argflux.errors import DtypeError
from argflux.tree import buffer_flags, is_array, is_complex, named_leaves, trainable_flags

MOVING, FIXED, STATIC = "moving", "fixed", "static"


def trainable(model: Any) -> Any:
    """Return the same tree with None in place of everything that training does not move."""
    leaves, treedef = jax.tree.flatten(model)
    flags = trainable_flags(model)
    return treedef.unflatten([leaf if moves else None for leaf, moves in zip(leaves, flags, strict=True)])


def trainable_names(model: Any) -> tuple[str, ...]:
    """Return the paths of the arrays that training moves; complex ones are an error."""
    for name, leaf in named_leaves(model):
        if is_array(leaf) and is_complex(leaf):
            got, todo = f"{leaf.dtype} at {name or 'the model'}", "keep real and imaginary parts apart"
            raise DtypeError(got, "real floating arrays", todo, where="setup")
    return tuple(name for (name, _), moves in zip(named_leaves(model), trainable_flags(model), strict=True) if moves)


def strong(array: Any) -> jax.Array:
    """Return an array of JAX whose dtype is its own, so that a program compiled for it fits its successors."""
    is_strong = isinstance(array, jax.Array) and not getattr(array, "weak_type", False)
    return array if is_strong else jnp.asarray(array, array.dtype)


@dataclass(frozen=True)
class Split:
    """How the leaves of a model fall into moving arrays, fixed arrays and static values; hashable.

    Two models with equal splits run the same program. `buffers` are the places, among the fixed arrays, of those
    that training carries along.
    """

    treedef: Any
    kinds: tuple[str, ...]
    static: tuple[tuple[type, Any], ...]
    buffers: tuple[int, ...] = ()

    @staticmethod
    def of(model: Any, frozen: Collection[str] = ()) -> "tuple[Split, list, list]":
        """Return the split of a model with its moving and its fixed arrays; frozen paths are fixed."""
        leaves, treedef = jax.tree.flatten(model)
        names = [name for name, _ in named_leaves(model)]
        flags = trainable_flags(model)
        kinds = tuple(_kind(*row) for row in zip(leaves, flags, [name in frozen for name in names], strict=True))
        parts: dict[str, list] = {MOVING: [], FIXED: [], STATIC: []}
        for kind, leaf in zip(kinds, leaves, strict=True):
            parts[kind].append(leaf)
        static = tuple((type(leaf), leaf) for leaf in parts[STATIC])
        held = [flag for flag, kind in zip(buffer_flags(model), kinds, strict=True) if kind == FIXED]
        buffers = tuple(place for place, flag in enumerate(held) if flag)
        return Split(treedef, kinds, static, buffers), [*map(strong, parts[MOVING])], parts[FIXED]

    def take(self, model: Any) -> tuple[list, list]:
        """Return the moving and the fixed arrays of a model like the one that was split."""
        leaves = self.treedef.flatten_up_to(model)
        fixed = [leaf for leaf, kind in zip(leaves, self.kinds, strict=True) if kind == FIXED]
        return [*map(strong, self.pick(leaves))], fixed

    def join(self, moving: Sequence, fixed: Sequence) -> Any:
        """Return the model with these arrays in their places."""
        sources = {MOVING: iter(moving), FIXED: iter(fixed), STATIC: iter(leaf for _, leaf in self.static)}
        return self.treedef.unflatten([next(sources[kind]) for kind in self.kinds])

    def held(self, fixed: Sequence) -> list:
        """Return the buffers among the fixed arrays."""
        return [fixed[place] for place in self.buffers]

    def holding(self, fixed: Sequence, held: Sequence) -> list:
        """Return the fixed arrays with these in the places of the buffers."""
        fresh = dict(zip(self.buffers, held, strict=True))
        return [fresh.get(place, array) for place, array in enumerate(fixed)]

    def spread(self, moving: Sequence) -> Any:
        """Return a tree like the model with these values for the moving arrays and None elsewhere."""
        values = iter(moving)
        return self.treedef.unflatten([next(values) if kind == MOVING else None for kind in self.kinds])

    def collect(self, tree: Any) -> list:
        """Return what stands at the places of the moving arrays in a tree like the model."""
        return self.pick(self.treedef.flatten_up_to(tree))

    def collect_like(self, tree: Any, moving: Sequence) -> list:
        """Return what `collect` does, with the dtypes of these moving arrays."""
        return [array.astype(old.dtype) for array, old in zip(self.collect(tree), moving, strict=True)]

    def pick(self, leaves: Sequence) -> list:
        """Return what stands at the places of the moving arrays in a list with one entry for each leaf."""
        return [leaf for leaf, kind in zip(leaves, self.kinds, strict=True) if kind == MOVING]


def _kind(leaf: Any, trainable: bool, frozen: bool) -> str:
    if trainable:
        return FIXED if frozen else MOVING
    return FIXED if is_array(leaf) else STATIC
