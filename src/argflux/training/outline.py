"""Which arrays of a model training moves: their paths, shapes and dtypes, and the tree that they stand in."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from argflux.errors import ArgumentError
from argflux.training.alignment import shortened
from argflux.training.split import trainable, trainable_names


@dataclass(frozen=True)
class Outline:
    """The trainable arrays of a model without their values; hashable.

    Attributes:
        names: their paths.
        kinds: their shapes and dtypes.
        structure: the tree, with everything in it that is no array.
    """

    names: tuple[str, ...]
    kinds: tuple[tuple[tuple[int, ...], str], ...]
    structure: Any

    @staticmethod
    def of(model: Any) -> "Outline":
        """Return the outline of a model; complex arrays are an error."""
        names = trainable_names(model)
        leaves, structure = jax.tree.flatten(trainable(model))
        kinds = tuple((jnp.shape(x), jax.dtypes.canonicalize_dtype(x.dtype).name) for x in leaves)
        return Outline(names, kinds, structure)

    def check(self, other: "Outline", where: str) -> None:
        """Raise ArgumentError if a model of another outline has other arrays than the one a state was set up for."""
        todo = "call setup on this model"
        if self.names != other.names:
            got, expected = f"a state for {shortened(self.names)}", f"one for {shortened(other.names)}"
            raise ArgumentError(got, expected, todo, where=where)
        for name, own, theirs in zip(self.names, self.kinds, other.kinds, strict=True):
            if own != theirs:
                got, expected = (f"{dtype} of shape {shape}" for shape, dtype in (own, theirs))
                path = name or "the array"
                raise ArgumentError(f"a state for {path}, {got}", f"one for {expected}", todo, where=where)
