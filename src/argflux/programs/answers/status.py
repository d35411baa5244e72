"""How a solve ended, and which regularity conditions its solution fails."""

import enum


class Status(enum.IntEnum):
    """How one instance of a program ended; only `SOLVED` instances carry derivatives.

    `PRIMAL_INFEASIBLE`: no point meets the constraints, whether or not the objective also falls without bound in
    some direction. `DUAL_INFEASIBLE`: there are such points, and the objective falls without bound among them.
    `LOCALLY_INFEASIBLE`: a nonlinear program ended at a point around which none violates the constraints less.
    `BAD_DATA`: numbers that are not finite, `lower > upper`, a P that is not positive semidefinite, or functions of a
    nonlinear program that are not finite at the start.

    Example:
        >>> from argflux.programs import Status
        >>> Status(1).name
        'PRIMAL_INFEASIBLE'
    """

    SOLVED = 0
    PRIMAL_INFEASIBLE = 1
    DUAL_INFEASIBLE = 2
    ITERATION_LIMIT = 3
    NUMERICAL_ERROR = 4
    BAD_DATA = 5
    LOCALLY_INFEASIBLE = 6

    @property
    def reason(self) -> str:
        """What this status means, in words."""
        return _REASONS[self]


_REASONS = {
    Status.SOLVED: "solved",
    Status.PRIMAL_INFEASIBLE: "no point meets all constraints",
    Status.DUAL_INFEASIBLE: "the objective falls without bound",
    Status.ITERATION_LIMIT: "the iteration limit was reached",
    Status.NUMERICAL_ERROR: "the linear algebra broke down",
    Status.BAD_DATA: "the data are not finite, contradict themselves or are not convex",
    Status.LOCALLY_INFEASIBLE: "no point nearby violates the constraints less",
}


WORSE = (
    Status.SOLVED,
    Status.DUAL_INFEASIBLE,
    Status.ITERATION_LIMIT,
    Status.NUMERICAL_ERROR,
    Status.LOCALLY_INFEASIBLE,
    Status.PRIMAL_INFEASIBLE,
    Status.BAD_DATA,
)
"""What is said of a program whose parts ended so: the last of these, as only points of all parts are points."""


class Regularity(enum.IntFlag):
    """Conditions that a solution fails; `REGULAR` (0) means that its derivative is unique.

    `LICQ`: active constraints are linearly dependent, so the duals are not unique. `STRICT_COMPLEMENTARITY`: an
    active constraint has a zero dual, so the derivative jumps there. `NON_UNIQUE`: the primal solution is not
    unique. `SECOND_ORDER`, of nonlinear programs: the Hessian of the Lagrangian is not positive along the active
    constraints, so the point need not be a strict local minimiser: it may be a saddle, or one of many solutions. At
    points that fail one, the derivatives are those of least norm. `LICQ` and `NON_UNIQUE` are looked for in sparse
    programs of any size, and in dense ones of at most 600 unknowns and rows.

    Example:
        >>> from argflux.programs import Regularity
        >>> Regularity.LICQ in Regularity(3)
        True
    """

    REGULAR = 0
    LICQ = 1
    STRICT_COMPLEMENTARITY = 2
    NON_UNIQUE = 4
    SECOND_ORDER = 8
