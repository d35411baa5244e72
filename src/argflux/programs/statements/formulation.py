"""What is fixed about a program once the shapes of its parameters are known."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import equinox as eqx

from argflux.programs.cones import Cone
from argflux.programs.statements.layout import Layout
from argflux.programs.statements.sparsity import Group


@dataclass(frozen=True, eq=False)
class Formulation:
    """How to make the matrices of a program, and how its solution is laid out.

    Attributes:
        curvature: of the objective: "none", "diagonal", "dense" or "sparse".
        variable: layout of the variable.
        equality: layout of the values of the equality constraints, or `None`.
        inequality: layout of the values of the inequality constraints, or `None`.
        groups: independent parts, empty for a single program.
        extract: from the parameters to the constant of the objective and a tuple of `Blocks`.
        lasting: whether it may serve again, as it captured nothing that is being traced.
        sign: -1 where the user maximises.
        cones: of the rows of G; empty if they are inequalities.
        canonical: whether the rows and bounds are those of a canonical program, which the user did not state.
    """

    curvature: str
    variable: Layout
    equality: Layout | None
    inequality: Layout | None
    groups: tuple[Group, ...]
    extract: Callable[[tuple], tuple]
    lasting: bool = True
    sign: int = 1
    canonical: bool = False
    cones: tuple[Cone, ...] = ()

    def compiled(self) -> Self:
        """The same formulation, extracting its matrices in compiled code."""
        return dataclasses.replace(self, extract=eqx.filter_jit(self.extract))
