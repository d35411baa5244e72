"""`solve_qp` and `solve_lp`: programs given by their matrices."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError
from argflux.jaxpr import Tracer, vary_together
from argflux.keywords import explained
from argflux.programs.answers.ledger import leaves_its_status
from argflux.programs.answers.solution import Residuals, Solution, check_start
from argflux.programs.forms.arrays import known, namespace, on_host, placed
from argflux.programs.forms.form import Blocks, Form, Patterns
from argflux.programs.parts import independent_parts, solve_parts
from argflux.programs.solve import Optimum, solve_p
from argflux.programs.solvers import Settings
from argflux.programs.statements.blocks import check_options, check_values, read_blocks

TOLERANCE = 1e-8
MAX_ITERATIONS = 100_000
SLIGHT = 1e-6


@explained
@leaves_its_status
def solve_qp(
    P: Any,
    q: Any,
    A: Any = None,
    b: Any = None,
    G: Any = None,
    h: Any = None,
    lower: Any = None,
    upper: Any = None,
    *,
    start: Solution | None = None,
    solver: str | None = None,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    on_failure: str = "zero",
) -> Solution:
    """Solve a convex quadratic program; every floating field of the solution is differentiable in every block.

    Minimises `x' P x / 2 + q' x` subject to `A x = b`, `G x <= h` and `lower <= x <= upper`. It solves in float64
    whatever the dtype of `q` and the x64 setting, under `jit`, `vmap` and derivatives of any mode and order. Only
    the symmetric part of P counts. An instance that is not solved says so in `status`, and leaves the others of
    its batch alone.

    Args:
        P: `(n, n)`, positive semidefinite; `(n,)` for a diagonal; `None` for a linear program. P, A and G may be
            JAX sparse matrices, BCOO or BCSR, which stay sparse where they are large.
        q: `(n,)`, float32 or float64; the solution has its dtype.
        A: `(p, n)`, or `None`.
        b: `(p,)`, given with `A`.
        G: `(m, n)`, or `None`.
        h: `(m,)`, given with `G`; may hold `inf`.
        lower: `(n,)` or a number, `-inf` where there is none, or `None`.
        upper: likewise.
        start: a solution of a similar program, whose active set is tried first.
        solver: "daqp", "pivoting", "piqp", "clarabel", "separable" or "highs" (linear programs);
            chosen by structure, size and device if `None`.
        tolerance: largest relative residual of a solved instance, and how far right sides that contradict each other
            may be moved, beside their size; at least 16 roundings of the dtype of q for the latter.
        max_iterations: limit on the solver's steps.
        on_failure: "zero" gives instances that fail their last iterate and zero derivatives, "nan" NaN for both,
            "closest" the solution and derivatives of the program with the constraints moved as little as possible.

    Returns:
        A `Solution`.

    Raises:
        ShapeError: for blocks that do not fit together, by name, or a start of another program.
        DtypeError: for blocks that are not real numbers, or a start that is no solution.
        ArgumentError: for unknown options, a lone `A` or `b`, and, outside `jit`, an indefinite P or `lower > upper`.
        DataError: outside `jit`, for NaN or infinite entries.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from argflux.programs import solve_qp
        >>> def nearest(y):
        ...     return solve_qp(jnp.ones(3), -y, A=jnp.ones((1, 3)), b=jnp.ones(1), lower=0.0).x
        >>> nearest(jnp.array([1.0, 0.5, -1.0])).tolist()
        [0.75, 0.25, 0.0]
        >>> jax.jacobian(nearest)(jnp.array([1.0, 0.5, -1.0]))[0, :2].tolist()
        [0.5, -0.5]

    Source:
        Amos and Kolter, "OptNet: differentiable optimization as a layer in neural networks" (2017).
    """
    form, blocks = read_blocks(P, q, A, b, G, h, lower, upper, where="solve_qp")
    settings = check_options(
        form, solver, tolerance, max_iterations, on_failure, dtype=blocks.q.dtype, where="solve_qp"
    )
    _check_start(form, start, where="solve_qp")
    check_values(form, blocks, where="solve_qp")
    return _solve_found(form, settings, blocks, start, on_failure)


@explained
@leaves_its_status
def solve_lp(
    c: Any,
    A: Any = None,
    b: Any = None,
    G: Any = None,
    h: Any = None,
    lower: Any = None,
    upper: Any = None,
    *,
    smoothing: float | None = None,
    start: Solution | None = None,
    solver: str | None = None,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    on_failure: str = "zero",
) -> Solution:
    """Solve a linear program: minimise `c' x` subject to `A x = b`, `G x <= h` and `lower <= x <= upper`.

    The derivative of a vertex with respect to `c` is zero wherever it exists; with `smoothing` the objective gains
    `smoothing * x' x / 2`, which makes the solution move with `c`.

    Args:
        c: `(n,)`, float32 or float64; the solution has its dtype.
        A: see `solve_qp`, like all further blocks and options.
        b: see `solve_qp`.
        G: see `solve_qp`.
        h: see `solve_qp`.
        lower: see `solve_qp`.
        upper: see `solve_qp`.
        smoothing: weight of the quadratic term, positive, or `None`.
        start: see `solve_qp`.
        solver: see `solve_qp`.
        tolerance: see `solve_qp`.
        max_iterations: see `solve_qp`.
        on_failure: see `solve_qp`.

    Returns:
        A `Solution`; with `smoothing` its objective includes the quadratic term.

    Raises:
        ShapeError: as `solve_qp`.
        DtypeError: as `solve_qp`.
        ArgumentError: as `solve_qp`, and for a smoothing that is not positive.
        DataError: as `solve_qp`.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import solve_lp
        >>> s = solve_lp(jnp.array([-1.0, -2.0]), G=jnp.ones((1, 2)), h=jnp.ones(1), lower=0.0)
        >>> [abs(v) for v in s.x.round(6).tolist()]
        [0.0, 1.0]
    """
    P = None
    if smoothing is not None:
        if not isinstance(smoothing, Tracer) and not smoothing > 0:
            raise ArgumentError(
                f"smoothing={smoothing}", "a positive number", "pass e.g. smoothing=0.1, or None", where="solve_lp"
            )
        P = jnp.broadcast_to(jnp.asarray(smoothing, jnp.asarray(c).dtype), jnp.shape(c))
    form, blocks = read_blocks(P, c, A, b, G, h, lower, upper, where="solve_lp")
    settings = check_options(
        form, solver, tolerance, max_iterations, on_failure, dtype=blocks.q.dtype, where="solve_lp"
    )
    _check_start(form, start, where="solve_lp")
    check_values(form, blocks, where="solve_lp")
    return _solve_found(form, settings, blocks, start, on_failure)


def _solve_found(form: Form, settings: Settings, blocks: Blocks, start: Any, on_failure: str) -> Solution:
    """Solve the program in independent parts where it falls apart, or whole."""
    groups = independent_parts(form, blocks) if settings.solver == "auto" else ()
    if groups:
        solve = lambda form, blocks, start: _solve_found(form, settings, blocks, start, on_failure)
        return solve_parts(form, blocks, groups, start, solve, on_failure)
    if on_failure == "closest":
        blocks = _closest(form, blocks)
    return _solve(form, settings, blocks, start)


def _solve(form: Form, settings: Settings, blocks: Blocks, start: Solution | None) -> Solution:
    operands = known([*blocks, _sides(form, start)])
    if on_host(*operands):
        best = solve_p.bind(*[operand[None] for operand in operands], form=form, settings=settings)
        return placed(_first(form, best))
    alone = [_alone(operand) for operand in operands]
    return _only(form, solve_p.bind(*vary_together(alone), form=form, settings=settings))


def _alone(operand: Any) -> Any:
    """A batch of one."""
    return operand[None] if on_host(operand) else jax.lax.expand_dims(operand, (0,))


def _first(form: Form, batch: list) -> Solution:
    """The solution of the first of a batch."""
    best = Optimum(*[y[0] for y in batch])
    xp = namespace(best.x)
    zero, residuals = xp.zeros((), best.x.dtype), [best.residuals[i] for i in range(3)]
    return Solution(
        x=best.x,
        y=best.dual[: form.p],
        z=best.dual[form.p :],
        z_lower=xp.where(best.fixed < 0, -best.bound, zero),
        z_upper=xp.where(best.fixed > 0, best.bound, zero),
        objective=best.objective,
        status=best.status,
        iterations=best.iterations,
        residuals=Residuals(*residuals if xp is np else map(jax.lax.stop_gradient, residuals)),
        regularity=best.regularity,
    )


_only = jax.jit(_first, static_argnums=0, inline=True)


def _check_start(form: Form, start: Any, where: str) -> None:
    if start is not None:
        sizes = {"x": form.n, "y": form.p, "z": form.m, "z_lower": form.n, "z_upper": form.n}
        check_start(start, where, **{name: np.zeros(size) for name, size in sizes.items()})


def _sides(form: Form, start: Solution | None) -> Any:
    """Sides of all rows that the duals of a former solution point at, `(p + m + n,)`."""
    if start is None:
        return np.zeros(form.p + form.m + form.n, np.int32)
    bound = (start.z_upper > 0).astype(jnp.int32) - (start.z_lower > 0).astype(jnp.int32)
    sides = [jnp.ones(form.p, jnp.int32), (start.z > 0).astype(jnp.int32), bound]
    return jnp.concatenate(sides)


def _closest(form: Form, blocks: Blocks) -> Blocks:
    """Move `b` and `h` to the nearest values, in the Euclidean norm, that some x within its bounds meets."""
    n, rows = form.n, form.p + form.m
    if rows == 0:
        return blocks
    patterns = form.patterns
    if patterns is not None:
        patterns = Patterns(None, patterns.A.beside(n, rows), patterns.G.beside(n + form.p, rows))
    wide = Form(n + rows, form.p, form.m, "diagonal", form.lower, form.upper, patterns)
    settings = Settings(solver="auto" if patterns else "pivoting")
    moving = _with_moves(form, blocks)
    near = jax.lax.stop_gradient(_solve(wide, settings, moving, None).x)
    return _moved(form, blocks, _solve(wide, settings, _pulled(form, moving, near), None).x)


@functools.partial(jax.jit, static_argnums=0, inline=True)
def _with_moves(form: Form, blocks: Blocks) -> Blocks:
    """The program whose unknowns are x and moves of the right sides, and whose objective is the size of the moves."""
    n, rows, dtype = form.n, form.p + form.m, blocks.q.dtype
    if form.patterns is None:
        A = jnp.concatenate([blocks.A, -jnp.eye(form.p, rows, dtype=dtype)], 1)
        G = jnp.concatenate([blocks.G, -jnp.eye(form.m, rows, form.p, dtype=dtype)], 1)
    else:
        given = ((blocks.A, form.p), (blocks.G, form.m))
        A, G = (jnp.concatenate([M, jnp.full(size, -1.0, dtype)]) for M, size in given)
    squares = _squares(form, blocks.A, 0) + _squares(form, blocks.G, 1)  # of x, in its own units
    P = jnp.concatenate([SLIGHT * jnp.where(squares > 0, squares, 1.0).astype(dtype), jnp.ones(rows, dtype)])
    free = jnp.full(rows, jnp.inf, dtype)
    lower = jnp.concatenate([blocks.lower, -free]) if form.lower else blocks.lower
    upper = jnp.concatenate([blocks.upper, free]) if form.upper else blocks.upper
    return Blocks(P, jnp.zeros(n + rows, dtype), A, blocks.b, G, blocks.h, lower, upper)


@functools.partial(jax.jit, static_argnums=0, inline=True)
def _pulled(form: Form, moving: Blocks, near: jax.Array) -> Blocks:
    """The same with the slight pull towards a point that it has led to, where it moves nothing."""
    free = jnp.arange(len(near)) < form.n
    return moving._replace(q=jnp.where(free, -moving.P * near, jnp.zeros_like(near)))


def _squares(form: Form, M: jax.Array, which: int) -> jax.Array:
    """The sum of squares of each column of A or G; a constant for derivatives."""
    M = jax.lax.stop_gradient(M)
    if form.patterns is None:
        return jnp.sum(M**2, 0)
    pattern = (form.patterns.A, form.patterns.G)[which]
    return jnp.zeros(form.n, M.dtype).at[pattern.columns].add(M**2)


@functools.partial(jax.jit, static_argnums=0, inline=True)
def _moved(form: Form, blocks: Blocks, x: jax.Array) -> Blocks:
    """The program with right sides moved, unless that is rounding."""
    shift = x[form.n :]
    size = jnp.max(jnp.abs(shift), initial=0.0)
    shift = jnp.where(size > np.asarray(1e-8, x.dtype), shift, jnp.zeros_like(shift))
    return blocks._replace(b=blocks.b + shift[: form.p], h=blocks.h + shift[form.p :])
