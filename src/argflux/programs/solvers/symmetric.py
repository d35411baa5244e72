"""Products of symmetric cones: equal ones side by side, and the scaling of all of them."""

import functools
from typing import Any, NamedTuple

import numpy as np

from argflux.programs.cones import NonNegative, SecondOrder, Semidefinite, Zero
from argflux.programs.cones.product import Product
from argflux.programs.forms.arrays import namespace
from argflux.programs.solvers.scalings import Lorentz, Matrices, Rays, Scaling

KINDS: dict[type, type[Scaling]] = {NonNegative: Rays, SecondOrder: Lorentz, Semidefinite: Matrices}


class Part(NamedTuple):
    """Equal cones, `count` of them with `rows` each, from row `start` on."""

    kind: type[Scaling]
    start: int
    count: int
    rows: int

    def of(self, v: Any) -> Any:
        """Their rows, `(batch, count, rows, …)`."""
        rows = v[:, self.start : self.start + self.count * self.rows]
        return rows.reshape(len(v), self.count, self.rows, *v.shape[2:])


class Layout(NamedTuple):
    """Our number of each row, equal cones together and rows of equations last; the unit of all cones."""

    order: np.ndarray
    parts: tuple[Part, ...]
    unit: np.ndarray
    degree: int

    @classmethod
    def of(cls, product: Product) -> "Layout":
        """Lay out a product of cones that are symmetric."""
        return _laid_out(product)

    @property
    def rows(self) -> int:
        """Number of rows that are not equations."""
        return len(self.unit)

    def low(self, v: Any) -> Any:
        """The least eigenvalue of points, `(batch,)`."""
        lowest = [namespace(v).min(part.kind.low(part.of(v)), 1) for part in self.parts]
        return functools.reduce(namespace(v).minimum, lowest)

    def largest(self, v: Any) -> Any:
        """The largest entry in the rows of each cone, in all of them, `(batch, rows)`."""
        xp, blocks = namespace(v), [part.of(v) for part in self.parts]
        most = [xp.broadcast_to(xp.max(block, 2, keepdims=True), block.shape) for block in blocks]
        return _joined(most)


@functools.lru_cache(maxsize=64)
def _laid_out(product: Product) -> Layout:
    order, parts, units, degree, last = [], [], [np.zeros(0)], 0, [np.zeros(0, int)]
    for cone, rows, _ in product.groups:
        if isinstance(cone, Zero):
            last.append(rows.ravel())
            continue
        kind, count = KINDS[type(cone)], rows.shape[1]
        parts.append(Part(kind, sum(map(len, order)), len(rows), count))
        order.append(rows.ravel())
        units += [kind.unit(count)] * len(rows)
        degree += len(rows) * (cone.k if isinstance(cone, Semidefinite) else 1)
    return Layout(np.concatenate([*order, *last]), tuple(parts), np.concatenate(units), degree)


def is_symmetric(product: Product, side: int) -> bool:
    """Whether all cones have scalings, matrices at most `side` rows, and not all rows are equations."""
    kinds = {type(cone) for cone in product.cones}
    small = all(cone.k <= side for cone in product.cones if isinstance(cone, Semidefinite))
    return small and kinds <= {Zero, *KINDS} and not kinds <= {Zero}


class Scaled(NamedTuple):
    """The scaling of all cones at a point; vectors are `(batch, rows)`."""

    layout: Layout
    scalings: list[Scaling]
    point: Any

    @classmethod
    def of(cls, layout: Layout, s: Any, z: Any) -> "Scaled":
        """The scaling at a point inside of the cones."""
        scalings = [part.kind.of(part.of(s), part.of(z)) for part in layout.parts]
        return cls(layout, scalings, _joined([scaling.point for scaling in scalings]))

    def each(self, name: str, *vectors: Any) -> Any:
        """What the scalings make of the parts of vectors, by the name of a method."""
        pairs = zip(self.layout.parts, self.scalings, strict=True)
        return _joined([getattr(scaling, name)(*map(part.of, vectors)) for part, scaling in pairs])

    def rate(self, v: Any) -> Any:
        """How soon a step along v leaves the cones: one over its largest length, `(batch,)`."""
        rates = [scaling.rate(part.of(v)) for part, scaling in zip(self.layout.parts, self.scalings, strict=True)]
        return functools.reduce(namespace(v).maximum, rates)


def _joined(parts: list) -> Any:
    flat = [part.reshape(len(part), -1, *part.shape[3:]) for part in parts]
    return flat[0] if len(flat) == 1 else namespace(*flat).concatenate(flat, 1)
