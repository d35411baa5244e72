"""Linear and quadratic programs as differentiable functions, of matrices, of JAX functions or of CVXPY problems.

`Program` states a program as functions, `ProgramLayer` learns its parameters. `solve_qp(P, q, A, b, G, h, lower,
upper)` solves one instance given by its matrices; `jax.vmap` makes batches. A `P` of shape `(n,)` is a diagonal,
`P=None` a linear program, any absent block `None`; bounds may be numbers. The `Solution` has the dtype of `q`.
"""

from argflux.programs import cones
from argflux.programs.answers.solution import ConeSolution, ProgramError, Residuals, Solution
from argflux.programs.answers.status import Regularity, Status
from argflux.programs.conicmatrices import solve_cone
from argflux.programs.decisions import fenchel_young_loss, perturbed_loss, regret, spo_plus_loss
from argflux.programs.layer import ProgramLayer
from argflux.programs.matrices import solve_lp, solve_qp
from argflux.programs.program import Program
from argflux.programs.read import read_program
from argflux.programs.sensitivities import Coefficients, Directions, Sensitivities
from argflux.programs.sets.balls import NormBall, nearest_correlation
from argflux.programs.sets.families import birkhoff, box_section, transport
from argflux.programs.sets.polyhedron import Polyhedron, affine, box, halfspace, increasing, simplex
from argflux.programs.sets.projection import project
from argflux.programs.sets.ranking import soft_rank, soft_sort
from argflux.programs.statements.formulation import ProgramKind
from argflux.programs.statements.wellformed import NonlinearError

__all__ = [
    "Coefficients",
    "ConeSolution",
    "Directions",
    "NonlinearError",
    "NormBall",
    "Polyhedron",
    "Program",
    "ProgramError",
    "ProgramKind",
    "ProgramLayer",
    "Regularity",
    "Residuals",
    "Sensitivities",
    "Solution",
    "Status",
    "affine",
    "birkhoff",
    "box",
    "box_section",
    "cones",
    "fenchel_young_loss",
    "halfspace",
    "increasing",
    "nearest_correlation",
    "perturbed_loss",
    "project",
    "read_program",
    "regret",
    "simplex",
    "soft_rank",
    "soft_sort",
    "solve_cone",
    "solve_lp",
    "solve_qp",
    "spo_plus_loss",
    "transport",
]
