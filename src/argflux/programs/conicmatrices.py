"""`solve_cone`: programs over cones given by their matrices."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.jaxpr import Tracer
from argflux.keywords import explained
from argflux.programs.answers.ledger import leaves_its_status
from argflux.programs.answers.solution import ConeSolution, Residuals, check_start
from argflux.programs.cones.form import ConeBlocks, ConeForm
from argflux.programs.conic import cone_p
from argflux.programs.conicclosest import is_unmet, solve_closest
from argflux.programs.forms.arrays import either, known, on_host, placed
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
    start: ConeSolution | None = None,
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
        start: a solution of a similar program. Where it is near, Newton's method alone leads to the new one.
        tolerance: largest relative residual of a solved instance.
        max_iterations: limit on the solver's steps.
        on_failure: "zero" gives instances that fail zeros and zero derivatives, "nan" NaN for both, "closest" the
            solution and derivatives of the program with b moved as little as possible.

    Returns:
        A `ConeSolution`.

    Raises:
        ShapeError: for blocks that do not fit together, by name, cones that do not add up to the rows, or a start of
            another program.
        DtypeError: for blocks that are not real numbers, what is no list of cones, or a start that is no solution.
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
    point = ()
    if start is not None:
        check_start(start, "solve_cone", ConeSolution, x=np.zeros(jnp.shape(q)), z=np.zeros(jnp.shape(b)))
        point = start.x, start.z
    options = {"tolerance": tolerance, "max_iterations": max_iterations, "on_failure": on_failure}
    return solve_rows(P, q, A, b, cones, point, **options)


def solve_rows(
    P: Any,
    q: Any,
    A: Any,
    b: Any,
    cones: Any,
    point: tuple = (),
    *,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    on_failure: str = "zero",
    movable: int | None = None,
) -> ConeSolution:
    """`solve_cone` from the x and z of a point, of whose right sides the first `movable` may move."""
    form, blocks = read_cone_blocks(P, q, A, b, cones)
    check_limits(tolerance, max_iterations, on_failure, ("zero", "nan", "closest"), where="solve_cone")
    check_cone_values(form, blocks)
    point = tuple(jnp.asarray(part).astype(blocks.q.dtype) for part in point)
    settings = Settings("auto", float(tolerance), int(max_iterations), "nan" if on_failure == "nan" else "zero")
    found = _solve(settings, form, blocks, point)
    if on_failure != "closest":
        return found
    rows = np.arange(form.m if movable is None else movable)
    closest = lambda: solve_closest(form, blocks, rows, functools.partial(_solve, settings))
    unmet = is_unmet(found.status)
    return either(unmet if isinstance(unmet, Tracer) else np.bool_(unmet), closest, found)


def _solve(settings: Settings, form: ConeForm, blocks: ConeBlocks, point: tuple) -> ConeSolution:
    operands = known([*blocks, *point])
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
