"""Products of cones: what each says of its own rows, equal cones at once."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from argflux.programs.cones.cone import Cone
from argflux.programs.forms.arrays import namespace
from argflux.programs.forms.pattern import Pattern


class Group(NamedTuple):
    """Equal cones: the rows of each, `(count, rows)`, and where their entries lie among those of the product."""

    cone: Cone
    rows: np.ndarray
    entries: np.ndarray


class Complementarity(NamedTuple):
    """The equations of all cones, an instance a row, and the values of their derivatives on `Product.pattern`."""

    residual: Any
    by_s: Any
    by_z: Any


@dataclass(frozen=True)
class Product:
    """Cones one below the other, in the order of their rows."""

    cones: tuple[Cone, ...]

    @classmethod
    def of(cls, cones: Iterable[Cone]) -> Self:
        """Leave out cones without rows."""
        return cls(tuple(cone for cone in cones if cone.rows))

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(cone.rows for cone in self.cones)

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """First row of each cone, and the number of rows."""
        return np.concatenate([[0], np.cumsum([cone.rows for cone in self.cones])]).astype(int)

    @functools.cached_property
    def blocks(self) -> np.ndarray:
        """Number of the block of each row: the rows of a cone have units in common, independent rows their own."""
        counts = [np.arange(c.rows) if c.copies else np.zeros(c.rows, int) for c in self.cones]
        sizes = [c.rows if c.copies else 1 for c in self.cones]
        first = np.concatenate([[0], np.cumsum(sizes)])
        return np.concatenate([f + count for f, count in zip(first, counts, strict=False)] or [np.zeros(0, int)])

    @functools.cached_property
    def groups(self) -> tuple[Group, ...]:
        """Equal cones together."""
        found: dict[tuple, list] = {}
        entry = 0
        for cone, start in zip(self.cones, self.starts, strict=False):
            rows = start + np.arange(cone.rows).reshape(-1, 1 if cone.copies else cone.rows)
            count = len(cone.places()[0])
            entries = entry + np.arange(len(rows) * count).reshape(len(rows), count)
            entry += entries.size
            key = (type(cone),) if cone.copies else (cone,)
            found.setdefault(key, []).append((cone, rows, entries))
        join = lambda parts, i: np.concatenate([part[i] for part in parts])
        return tuple(Group(parts[0][0], join(parts, 1), join(parts, 2)) for parts in found.values())

    @functools.cached_property
    def pattern(self) -> Pattern:
        """Where the derivatives of complementarity by s and z may differ from zero."""
        count = sum(group.entries.size for group in self.groups)
        rows, columns = np.zeros(count, int), np.zeros(count, int)
        for cone, own, entries in self.groups:
            i, j = cone.places()
            rows[entries], columns[entries] = own[:, i], own[:, j]
        return Pattern.of(rows, columns, (self.rows, self.rows))

    def each(self, name: str, *arrays: np.ndarray) -> np.ndarray:
        """What a method of the cones says of their parts, in all rows of each cone, `(batch, rows)`."""
        kind = np.int32 if name == "faces" else np.float64
        found = np.zeros((len(arrays[0]), self.rows), kind)
        for cone, rows, _ in self.groups:
            found[:, rows] = getattr(cone, name)(*[a[:, rows] for a in arrays])[..., None]
        return found

    def complementarity(self, s: Any, z: Any, faces: Any) -> Complementarity:
        """The equations on the faces, `(batch, rows)` each."""
        parts = [
            group.cone.equations(s[:, g], z[:, g], faces[:, g[:, 0]]) for group in self.groups for g in [group.rows]
        ]
        flat = lambda a: a.reshape(len(a), -1)
        rows = np.concatenate([group.rows.ravel() for group in self.groups] or [np.zeros(0, int)])
        entries = np.concatenate([group.entries.ravel() for group in self.groups] or [np.zeros(0, int)])
        values = lambda i: [flat(part[i]) for part in parts]
        return Complementarity(
            _placed(values(0), rows, s), _placed(values(1), entries, s), _placed(values(2), entries, s)
        )

    def spread(self, values: np.ndarray, combine: Callable = np.maximum) -> np.ndarray:
        """The largest of the rows of each block, in all of them."""
        if not self.rows:
            return values
        first = np.flatnonzero(np.diff(self.blocks, prepend=-1))
        return combine.reduceat(values, first, 1)[:, self.blocks]  # type: ignore[attr-defined]


def _placed(parts: list, places: np.ndarray, like: Any) -> Any:
    """Parts side by side, in their places."""
    xp = namespace(like)
    if not parts:
        return xp.zeros((len(like), 0))
    return xp.concatenate(parts, 1)[:, np.argsort(places)]
