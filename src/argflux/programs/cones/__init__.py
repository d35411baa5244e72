"""Cones in which the slacks of a program may be asked to lie.

A list of cones says in which cone each of the rows of `A x + s = b` has its slack: `Zero(k)`, `NonNegative(k)`,
`SecondOrder(k)`, `Semidefinite(k)`, `Exponential()` and `Power(a)`. The inequalities of a `Program` may say of
expressions that they lie in one: `second_order(t, v)`, `semidefinite(M)`, `exponential(x, y, z)`, `power(x, y, z, a)`.
"""

from argflux.programs.cones.cone import Cone
from argflux.programs.cones.exponential import Exponential
from argflux.programs.cones.members import exponential, power, second_order, semidefinite
from argflux.programs.cones.orthant import NonNegative, Zero
from argflux.programs.cones.power import Power
from argflux.programs.cones.secondorder import SecondOrder
from argflux.programs.cones.semidefinite import Semidefinite

__all__ = [
    "Cone",
    "Exponential",
    "NonNegative",
    "Power",
    "SecondOrder",
    "Semidefinite",
    "Zero",
    "exponential",
    "power",
    "second_order",
    "semidefinite",
]
