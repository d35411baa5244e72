"""`solve_cone`: programs over cones given by their matrices."""

from typing import Any

import jax

from argflux.keywords import explained
from argflux.programs.answers.ledger import leaves_its_status
from argflux.programs.answers.solution import ConeSolution, Residuals
from argflux.programs.cones.form import ConeForm
from argflux.programs.conic import cone_p
from argflux.programs.forms.arrays import known, on_host, placed
from argflux.programs.solvers import Settings
from argflux.programs.solvers.conichosted import ConeJudged
from argflux.programs.statements.blocks import check_limits
from argflux.programs.statements.conic import check_cone_values, read_cone_blocks

TOLERANCE = 1e-8
MAX_ITERATIONS = 200


@explained
@leaves_its_status
def solve_cone(
    P: Any,
    q: Any,
    A: Any,
    b: Any,
    cones: Any,
    *,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    on_failure: str = "zero",
) -> ConeSolution:
    """Solve a convex program over cones; every floating field of the solution is differentiable in every block.

    Minimises `x' P x / 2 + q' x` subject to `A x + s = b` with the slacks s in a product of cones. It solves in float64
    whatever the dtype of `q` and the x64 setting, under `jit`, `vmap` and derivatives of any mode and order. An
    instance that is not solved says so in `status`, and leaves the others of its batch alone.

    Args:
        P: `(n, n)`, symmetric and positive semidefinite; `(n,)` for a diagonal; `None` for none. P and A may be JAX
            sparse matrices, BCOO or BCSR, which stay sparse where they are large.
        q: `(n,)`, float32 or float64; the solution has its dtype.
        A: `(m, n)`.
        b: `(m,)`.
        cones: which cone the slacks of each row are in: a list of `Zero(k)`, `NonNegative(k)`, `SecondOrder(k)`,
            `Semidefinite(k)`, `Exponential()`, `Power(a)` in the order of the rows, or a dict in SCS's words, such as
            `{"z": 1, "l": 2, "q": [3], "s": [2], "ep": 1, "p": [0.3]}`, whose rows come in this order.
        tolerance: largest relative residual of a solved instance.
        max_iterations: limit on the solver's steps.
        on_failure: "zero" gives instances that fail zeros and zero derivatives, "nan" NaN for both.

    Returns:
        A `ConeSolution`.

    Raises:
        ShapeError: for blocks that do not fit together, by name, or cones that do not add up to the rows.
        DtypeError: for blocks that are not real numbers, or what is no list of cones.
        ArgumentError: for unknown options or cones, and, outside `jit`, a P that is not symmetric or not convex.
        DataError: outside `jit`, for NaN or infinite entries.

    Source:
        Agrawal, Barratt, Boyd, Busseti and Moursi, "Differentiating through a cone program" (2019); Alizadeh, Haeberly
        and Overton, "Primal-dual interior-point methods for semidefinite programming" (1998), for the equations of
        complementarity.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from argflux.programs import cones, solve_cone
        >>> def longest(radius):  # of the vectors of this length, the one that points most to (3, 4)
        ...     A, b = jnp.array([[0.0, 0.0], [-1.0, 0.0], [0.0, -1.0]]), jnp.array([1.0, 0.0, 0.0]) * radius
        ...     return solve_cone(None, -jnp.array([3.0, 4.0]), A, b, [cones.SecondOrder(3)]).x
        >>> print(longest(1.0).round(3), jax.jacobian(longest)(1.0).round(3))
        [0.6 0.8] [0.6 0.8]
    """
    form, blocks = read_cone_blocks(P, q, A, b, cones)
    check_limits(tolerance, max_iterations, on_failure, ("zero", "nan"), where="solve_cone")
    settings = Settings("auto", float(tolerance), int(max_iterations), on_failure)
    check_cone_values(form, blocks)
    operands = known(blocks)
    best = cone_p.bind(*[operand[None] for operand in operands], form=form, settings=settings)
    return placed(_first(form, best)) if on_host(*operands) else _only(form, best)


def _first(form: ConeForm, batch: list) -> ConeSolution:
    """The solution of the first of a batch."""
    best = ConeJudged(*[y[0] for y in batch])
    residuals = [best.residuals[i] for i in range(3)]
    still = residuals if on_host(best.x) else map(jax.lax.stop_gradient, residuals)
    told = best.status, best.iterations, Residuals(*still), best.regularity
    return ConeSolution(best.x, best.s, best.z, best.objective, *told)


_only = jax.jit(_first, static_argnums=0, inline=True)
