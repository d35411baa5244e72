"""Reading the blocks of a program: shapes, dtypes and values, with errors that name the block."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError
from argflux.jaxpr import Tracer
from argflux.kinds import Number, fits, shortened
from argflux.programs.forms.arrays import known, lies_here, namespace
from argflux.programs.forms.form import Blocks, Form
from argflux.programs.forms.pattern import Sparse
from argflux.programs.solvers import Settings
from argflux.programs.solvers.choose import METHODS
from argflux.programs.solvers.interior import is_convex
from argflux.programs.solvers.separable import is_separable
from argflux.programs.statements.sparseblocks import read_sparse, shared_patterns

FAILURES = ("zero", "nan", "closest")
ROUNDING = 16
ENDLESS = {"h": -np.inf, "lower": np.inf, "upper": -np.inf}


def read_blocks(P, q, A, b, G, h, lower, upper, *, where: str) -> tuple[Form, Blocks]:
    """Check one instance's blocks against each other and fill in absent ones with empty arrays.

    Raises:
        ShapeError: naming the block.
        DtypeError: for blocks that are not real floating arrays.
        ArgumentError: for `A` without `b`, or `G` without `h`, or the reverse.
    """
    q = read_block("q", q, None, where)
    if q.ndim != 1 or q.shape[0] == 0:
        raise ShapeError(
            f"q of shape {q.shape}",
            "shape (n,) with n at least 1",
            "pass one instance; use jax.vmap for a batch",
            where=where,
        )
    n, dtype = q.shape[0], q.dtype
    P, A, G = (read_sparse(name, M, where) for name, M in (("P", P), ("A", A), ("G", G)))
    P, curvature = _curvature(P, n, dtype, where)
    A, b = _rows("A", "b", A, b, n, dtype, where)
    G, h = _rows("G", "h", G, h, n, dtype, where)
    (p, m), (patterns, P, A, G) = (A.shape[0], G.shape[0]), shared_patterns(P, A, G)
    if curvature in ("dense", "sparse"):
        curvature = "sparse" if patterns and patterns.P else "diagonal" if P.ndim == 1 else "dense"
    form = Form(n, p, m, curvature, lower is not None, upper is not None, patterns)
    return form, Blocks(
        P, q, A, b, G, h, _bound("lower", lower, n, dtype, where), _bound("upper", upper, n, dtype, where)
    )


def read_array(name: str, value: Any, dtype: Any, where: str) -> jax.Array:
    """Read what may be an array of real numbers, in a floating dtype of at least 32 bits.

    Raises:
        DtypeError: for anything else, naming it.
    """
    try:
        if isinstance(value, str | bytes):
            raise TypeError("text")
        array = value if _is_ready(value) else jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise DtypeError(
            f"{name} of type {type(value).__name__}",
            "an array of real numbers",
            f"pass {name} as an array",
            where=where,
        ) from error
    if jnp.issubdtype(array.dtype, jnp.complexfloating) or array.dtype == jnp.bool_:
        raise DtypeError(
            f"{name} of dtype {array.dtype}", "real numbers", f"convert {name} to float32 or float64", where=where
        )
    if jnp.issubdtype(array.dtype, jnp.integer):
        array = array.astype(jnp.result_type(float))
    if dtype is None and jnp.finfo(array.dtype).bits < 32:
        array = array.astype(jnp.float32)
    return array if dtype is None or dtype == array.dtype else array.astype(dtype)


def _is_ready(value: Any) -> bool:
    return isinstance(value, jax.Array) and value.dtype == jax.dtypes.canonicalize_dtype(value.dtype)


def read_matrix(name: str, value: Any, dtype: Any, where: str) -> Any:
    """A matrix, dense or on a pattern."""
    if isinstance(value, Sparse):
        return Sparse(read_block(name, value.values, dtype, where), value.pattern)
    return read_block(name, value, dtype, where)


def read_block(name: str, value: Any, dtype: Any, where: str) -> Any:
    """The same, as NumPy's where the values lie here."""
    if lies_here(value) and np.issubdtype(value.dtype, np.floating) and value.dtype.itemsize >= 4:
        return np.asarray(value, dtype or jax.dtypes.canonicalize_dtype(value.dtype))
    return known([read_array(name, value, dtype, where)])[0]


def _curvature(P, n: int, dtype, where: str) -> tuple[Any, str]:
    if P is None:
        return np.zeros(0, dtype), "none"
    P = read_matrix("P", P, dtype, where)
    if P.shape == (n,):
        return P, "diagonal"
    if P.shape == (n, n):
        return P, "dense"
    raise ShapeError(f"P of shape {P.shape}", f"({n}, {n}), or ({n},) for a diagonal", "match P to q", where=where)


def _rows(matrix: str, right: str, M, v, n: int, dtype, where: str) -> tuple[Any, Any]:
    if (M is None) != (v is None):
        given, missing = (matrix, right) if v is None else (right, matrix)
        raise ArgumentError(f"{given} without {missing}", "both or neither", f"pass {missing} too", where=where)
    if M is None:
        return np.zeros((0, n), dtype), np.zeros(0, dtype)
    M, v = read_matrix(matrix, M, dtype, where), read_block(right, v, dtype, where)
    if M.ndim != 2 or M.shape[1] != n:
        todo = f"give {matrix} one column per entry of q"
        if M.shape == (n,):
            todo = f"pass {matrix}[None] for one row"
        elif M.ndim == 2 and M.shape[0] == n:
            todo = f"pass {matrix}.T: rows are constraints, columns unknowns"
        raise ShapeError(f"{matrix} of shape {M.shape}", f"(rows, {n})", todo, where=where)
    if v.shape != (M.shape[0],):
        raise ShapeError(
            f"{right} of shape {v.shape}",
            f"({M.shape[0]},)",
            f"give {right} one entry per row of {matrix}",
            where=where,
        )
    return M, v


def _bound(name: str, value, n: int, dtype, where: str) -> Any:
    if value is None:
        return np.zeros(0, dtype)
    value = read_block(name, value, dtype, where)
    if value.shape not in ((), (n,)):
        raise ShapeError(f"{name} of shape {value.shape}", f"({n},) or a number", f"match {name} to q", where=where)
    return namespace(value).broadcast_to(value, (n,))


def check_options(form: Form, solver, tolerance, max_iterations, on_failure, *, dtype: Any, where: str) -> Settings:
    """Check the options of a solve.

    Raises:
        ArgumentError: naming the option and what it may be.
    """
    solver = "auto" if solver is None else solver
    _one_of("solver", solver, METHODS, where)
    if solver == "separable" and not is_separable(form):
        raise ArgumentError(
            f"solver='separable' for P {form.curvature} and {form.p + form.m} rows",
            "a P of shape (n,) and at most one row in A and G",
            "leave solver out",
            where=where,
        )
    if solver == "pivoting" and form.curvature == "none":
        raise ArgumentError(
            "solver='pivoting' for a linear program", "a positive definite P", "leave solver out", where=where
        )
    if solver == "highs" and form.curvature != "none":
        raise ArgumentError(
            f"solver='highs' for P {form.curvature}", "a linear program, P=None", "leave solver out", where=where
        )
    if form.patterns is not None and solver not in ("auto", "highs", "piqp", "clarabel"):
        raise ArgumentError(
            f"solver={solver!r} for sparse matrices", "'highs', 'piqp' or 'clarabel'", "leave solver out", where=where
        )
    check_limits(tolerance, max_iterations, on_failure, FAILURES, where=where)
    failure = "zero" if on_failure == "closest" else on_failure
    slack = np.inf if on_failure == "closest" else max(float(tolerance), ROUNDING * float(jnp.finfo(dtype).eps))
    return Settings(solver, float(tolerance), int(max_iterations), failure, slack)


def check_limits(tolerance: Any, max_iterations: Any, on_failure: Any, failures: tuple, *, where: str) -> None:
    """Check the options that all classes of programs have.

    Raises:
        ArgumentError: naming the option and what it may be.
        DtypeError: for what is no number.
    """
    _one_of("on_failure", on_failure, failures, where)
    for name, value in (("tolerance", tolerance), ("max_iterations", max_iterations)):
        if isinstance(value, Tracer):
            got, todo = f"a {name} that is being traced", "pass it as a Python number, or mark it static in `jit`"
            raise ArgumentError(got, "a number that is known", todo, where=where)
        if not fits(value, Number):
            raise DtypeError(f"{name}={shortened(value)}", "a number", f"pass {name} as a number", where=where)
    if not tolerance > 0 or not 1 <= max_iterations < np.inf:
        raise ArgumentError(
            f"tolerance={tolerance}, max_iterations={max_iterations}",
            "a positive tolerance and at least one iteration",
            "leave them out for the defaults",
            where=where,
        )


def _one_of(name: str, value, allowed: tuple, where: str) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ArgumentError(f"{name}={value!r}", f"one of {', '.join(map(repr, allowed))}", "pick one", where=where)


def check_values(form: Form, blocks: Blocks, *, where: str) -> None:
    """Hold values that are known, outside `jit` and derivatives, to what a program may contain.

    Raises:
        DataError: naming the block, for NaN, and for infinite entries but those of limits that are not there.
        ArgumentError: for `lower > upper`, and for a P that is not positive semidefinite.
    """
    if any(isinstance(block, Tracer) for block in blocks):
        return
    for name, block in zip(Blocks._fields, blocks, strict=True):
        values = np.asarray(block)
        if has_wrong_numbers(name, values):
            wrong = ~np.isfinite(values) & (values != -ENDLESS.get(name, np.nan))
            index = np.argwhere(wrong)[0].tolist()
            raise DataError(
                f"{name}{_place(form, name, index)} = {values[tuple(index)]}",
                "finite numbers",
                f"clean {name} first",
                where=where,
            )
    if form.lower and form.upper:
        gap = np.asarray(blocks.lower) - np.asarray(blocks.upper)
        if (gap > 0).any():
            i = int(np.argmax(gap))
            raise ArgumentError(
                f"lower[{i}] = {blocks.lower[i]} above upper[{i}] = {blocks.upper[i]}",
                "lower <= upper",
                "swap or widen the bounds",
                where=where,
            )
    _check_convex(form, blocks, where)


def has_wrong_numbers(name: str, values: np.ndarray) -> bool:
    """Whether a block has entries that are NaN, or infinite other than those of limits that are not there."""
    return bool((~np.isfinite(values) & (values != -ENDLESS.get(name, np.nan))).any())


def _place(form: Form, name: str, index: list[int]) -> list[int]:
    """Row and column of an entry of a sparse matrix; the index itself for anything else."""
    pattern = getattr(form.patterns, name, None) if form.patterns else None
    return index if pattern is None else [int(pattern.rows[index[0]]), int(pattern.columns[index[0]])]


def _check_convex(form: Form, blocks: Blocks, where: str) -> None:
    if form.curvature == "none":
        return
    P, slack = np.asarray(blocks.P, np.float64), 1e-6 if blocks.q.dtype == jnp.float32 else 1e-9
    if form.curvature == "sparse":
        if not is_convex(form, P, slack):
            raise ArgumentError(
                "P with a negative eigenvalue",
                "a positive semidefinite P, for a convex program",
                "add to its diagonal, or check its sign",
                where=where,
            )
        return
    values = P if form.curvature == "diagonal" else np.linalg.eigvalsh((P + P.T) / 2)
    if values.min() < -slack * np.abs(values).max():
        raise ArgumentError(
            f"P with smallest eigenvalue {values.min():.6g}",
            "a positive semidefinite P, for a convex program",
            f"add at least {-values.min():.6g} to its diagonal, or check its sign",
            where=where,
        )
