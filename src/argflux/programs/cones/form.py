"""The canonical form of programs over cones."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from argflux.programs.cones.product import Product
from argflux.programs.forms.pattern import Pattern, Sparse

LARGE, MOST = 700, 1500


@dataclass(frozen=True)
class ConeForm:
    """What is static about `min x'Px/2 + q'x` subject to `A x + s = b` with s in a product of cones.

    `curvature` is "none", "diagonal" (P is a vector), "dense" or "sparse". With `A_pattern`, A is given by its values
    on it, and a sparse P by those on `P_pattern`.
    """

    n: int
    product: Product
    curvature: str
    P_pattern: Pattern | None = field(default=None)
    A_pattern: Pattern | None = field(default=None)

    @property
    def m(self) -> int:
        """Number of rows."""
        return self.product.rows

    def matrices(self, P: Any, A: Any) -> tuple[Any, Any]:
        """Dress values on patterns as matrices; dense ones stay as they are."""
        P = P if self.P_pattern is None else Sparse(P, self.P_pattern)
        return P, A if self.A_pattern is None else Sparse(A, self.A_pattern)


class ConeBlocks(NamedTuple):
    """The arrays of a program over cones, each with a leading axis 1 or batch."""

    P: Any
    q: Any
    A: Any
    b: Any


def is_large(form: ConeForm) -> bool:
    """Whether systems are factorised sparse, one by one."""
    return form.n + form.m > (MOST if form.A_pattern is None else LARGE)
