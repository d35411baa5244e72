"""What is fixed about a program once the shapes of its parameters are known."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import equinox as eqx

from argflux.programs.cones import Cone
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.statements.layout import Layout
from argflux.programs.statements.sparsity import Group


class ProgramKind(str):
    """The class of a program: "LP", "QP", "cone" or "nonlinear"; `why` says what makes it that.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import Program
        >>> kind = Program(lambda x: jnp.sum(x * x), 2).kind()
        >>> kind == "QP", kind.why.startswith("the objective is quadratic in the variable, by `mul` at")
        (True, True)
    """

    __slots__ = ("why",)

    def __new__(cls, name: str, why: str = "") -> Self:
        """Make a text that says why, too."""
        made = super().__new__(cls, name)
        made.why = why
        return made


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
        nonlinear: the form of a nonlinear program, for which `extract` returns its `NonlinearBlocks`; else `None`.
        cause: what makes the program one of its class, in words.
        kink: an operation on the variable that has no derivative somewhere, and its line; empty if there is none.
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
    nonlinear: NonlinearForm | None = None
    cause: str = ""
    kink: str = ""

    @property
    def kind(self) -> ProgramKind:
        """The class of the program, and why."""
        quadratic = "LP" if self.curvature == "none" else "QP"
        return ProgramKind("nonlinear" if self.nonlinear else "cone" if self.cones else quadratic, self.cause)

    def compiled(self) -> Self:
        """The same formulation, extracting its matrices in compiled code."""
        return dataclasses.replace(self, extract=eqx.filter_jit(self.extract))
