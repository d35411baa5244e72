"""The canonical form of nonlinear programs: an objective, equalities and inequalities as functions of one instance."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class NonlinearForm:
    """Minimise `objective(x)` subject to `equality(x) = 0`, `inequality(x) <= 0` and bounds.

    Attributes:
        n: how many unknowns.
        p: how many equalities.
        m: how many inequalities.
        objective: `(x (n,), *operands) -> scalar`, one instance, in float64.
        equality: `(x, *operands) -> (p,)`, or None where p is 0.
        inequality: `(x, *operands) -> (m,)`, or None where m is 0.
    """

    n: int
    p: int
    m: int
    objective: Callable
    equality: Callable | None = None
    inequality: Callable | None = None
