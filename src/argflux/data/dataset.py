"""The noun for labelled data that moons, digits and MNIST share."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jax

from argflux.keywords import explained


@explained
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and labels, one observation a row, with the names of the classes.

    It is a tree whose leaves are `x` and `y`, so `DataLoader`, `splitobs` and `jax.tree.map` take it whole,
    and it unpacks into the two: `x, y = dataset`.

    Args:
        x: inputs, shape (n, features), float32.
        y: labels, shape (n,), int32, each one of `classes`.
        classes: the distinct labels, in the order of a network's outputs.
        name: what the data is called in tables and figures.

    Example:
        >>> from argflux.data import make_moons
        >>> moons = make_moons(6)
        >>> x, y = moons
        >>> x.shape, y.tolist(), moons.classes
        ((6, 2), [0, 0, 0, 1, 1, 1], (0, 1))
    """

    x: Any
    y: Any
    classes: tuple[Hashable, ...] = field(metadata={"static": True})
    name: str = field(metadata={"static": True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))

    def __iter__(self) -> Iterator[Any]:
        return iter((self.x, self.y))

    def __repr__(self) -> str:
        shapes = ", ".join(f"{key}={getattr(leaf, 'shape', leaf)}" for key, leaf in zip("xy", self, strict=True))
        return f"Dataset({self.name}: {shapes}, {len(self.classes)} classes)"
