"""Linear and quadratic programs as differentiable functions, of matrices or of JAX functions.

Front ends build blocks and call `solve_qp(P, q, A, b, G, h, lower, upper)` on one instance; `jax.vmap` makes
batches. A `P` of shape `(n,)` is a diagonal, `P=None` a linear program, any absent block `None`; bounds may be
numbers. It returns a `Solution` in the dtype of `q`.
"""

from argflux.programs.matrices import solve_lp, solve_qp
from argflux.programs.solution import ProgramError, Residuals, Solution
from argflux.programs.status import Regularity, Status

__all__ = ["ProgramError", "Regularity", "Residuals", "Solution", "Status", "solve_lp", "solve_qp"]
