"""The primitive `nonlinear_p`: local solutions of a batch of nonlinear programs, and their derivatives."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.errors import ArgumentError, MissingDependencyError
from argflux.jaxpr import vary_together
from argflux.programs.answers.solution import Residuals, Solution, spoiled
from argflux.programs.derivatives.conditions import Point
from argflux.programs.derivatives.nonlinear import forward_function, reverse_function
from argflux.programs.forms.double import double_primitive
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.linearised import fold, linearised, zeros
from argflux.programs.solvers.nonlinear import SOLVERS, NonlinearJudged, solve_nonlinear_points
from argflux.programs.solvers.pounce import is_there
from argflux.programs.statements.blocks import check_limits
from argflux.programs.statements.nonlinear import NonlinearBlocks
from argflux.programs.statements.starts import Start

KNOWN = ("solver", "tolerance", "max_iterations", "on_failure")
TOLERANCE, MAX_ITERATIONS = 1e-8, 3000


class Settings(NamedTuple):
    """How a program is solved; `warm` says that duals come with the start."""

    solver: str
    tolerance: float
    max_iterations: int
    on_failure: str
    warm: bool


def _taken_apart(operands: Any, settings: Settings) -> tuple[Any, Any, Any]:
    """Bounds and operands, the start, and its duals or `None`."""
    count = len(operands) - (5 if settings.warm else 1)
    return operands[:count], operands[count], tuple(operands[count + 1 :]) or None


def _run(*operands, form: NonlinearForm, settings: Settings) -> list:
    (lower, upper, *given), start, duals = _taken_apart(operands, settings)
    limits = settings.solver, settings.tolerance, settings.max_iterations
    best = solve_nonlinear_points(form, tuple(given), start, lower, upper, duals, *limits)
    if settings.on_failure == "nan":
        failed = best.mode == 0
        fields = [spoiled(a, jnp.broadcast_to(failed.reshape(-1, *[1] * (a.ndim - 1)), a.shape)) for a in best[:4]]
        best = NonlinearJudged._make([*fields, *best[4:-1], jnp.where(failed, jnp.int32(3), best.mode)])
    return list(best)


def _outputs(batch, dtype, *, form: NonlinearForm, settings: Settings):
    n, rows, count = (batch, form.n), (batch, form.rows), jnp.int32
    floats = [(n, dtype), (rows, dtype), (n, dtype), ((batch,), dtype)]
    told = [((batch,), count), ((batch,), count), ((batch, 3), dtype), ((batch,), count)]
    return [*floats, *told, (rows, count), (n, count), ((batch,), count)]


nonlinear_p = double_primitive("argflux_nonlinear", _run, _outputs, lambda *_, **__: False)
"""Operands: the bounds, those of the form, a start, and maybe its duals; outputs: the fields of `NonlinearJudged`."""


def _point(outputs: Any) -> Point:
    best = NonlinearJudged(*outputs)
    return Point(best.x, best.dual, best.bound, best.active, best.fixed, best.mode)


def _tangent(operands, outputs, directions, *, form: NonlinearForm, settings: Settings) -> tuple:
    """Derivative of x, the duals and the objective in the directions of the bounds and operands."""
    given, _, _ = _taken_apart(operands, settings)
    directions = directions[: len(given)]
    moved = tuple(d is not None for d in directions)
    return tuple(forward_function(form, moved)(*given, *_point(outputs), *[d for d in directions if d is not None]))


def _pull(operands, outputs, seeds, wanted, *, form: NonlinearForm, settings: Settings) -> list:
    """One solve of the conditions, then one way back through the Lagrangian."""
    given, _, _ = _taken_apart(operands, settings)
    wanted = tuple(on and jnp.issubdtype(x.dtype, jnp.floating) for on, x in zip(wanted, given, strict=False))
    seeds = [zeros(y) if dy is None else dy for dy, y in zip(seeds, outputs[:4], strict=True)]
    chosen = [x for x, on in zip(given, wanted, strict=True) if on]
    found = reverse_function(form, wanted, tuple(x.shape[1:] for x in chosen))(*given, *_point(outputs), *seeds)
    pulled = iter([fold(x, dx) for x, dx in zip(chosen, found, strict=True)])
    return [next(pulled) if on else None for on in wanted] + [None] * (len(operands) - len(wanted))


linearised(nonlinear_p, None, _tangent, _pull)


def solve_nonlinear(form: NonlinearForm, blocks: NonlinearBlocks, options: dict[str, Any], start: Start) -> Solution:
    """Solve one program from a start, in the fields of all programs, as vectors."""
    return _first(form, _bound(form, blocks, options, start))


def solved_point(form: NonlinearForm, blocks: NonlinearBlocks, options: dict[str, Any], start: Start) -> Point:
    """The solution of one program as a batch of one."""
    return _point(_bound(form, blocks, options, start))


def _bound(form: NonlinearForm, blocks: NonlinearBlocks, options: dict[str, Any], start: Start) -> list:
    if unknown := [name for name, value in options.items() if name not in KNOWN and value is not None]:
        got = f"{unknown[0]}={options[unknown[0]]!r} for a nonlinear program"
        raise ArgumentError(got, f"options among {', '.join(KNOWN)}", f"leave {unknown[0]} out", where="Program")
    given = {"solver": "auto", "tolerance": TOLERANCE, "max_iterations": MAX_ITERATIONS, "on_failure": "zero"}
    given |= {name: value for name, value in options.items() if value is not None}
    solver, tolerance, limit, on_failure = (given[name] for name in KNOWN)
    check_limits(tolerance, limit, on_failure, ("zero", "nan"), where="Program")
    settings = Settings(_solver(solver), float(tolerance), int(limit), on_failure, start.duals is not None)
    point = [jax.lax.stop_gradient(part) for part in (start.x, *(start.duals or ()))]
    operands = vary_together(
        [jax.lax.expand_dims(x, (0,)) for x in (blocks.lower, blocks.upper, *blocks.operands, *point)]
    )
    return nonlinear_p.bind(*operands, form=form, settings=settings)


def _solver(name: Any) -> str:
    """One of `SOLVERS`, which is installed."""
    if name not in ("auto", *SOLVERS):
        got, todo = f"solver={name!r} for a nonlinear program", "leave solver out, or name one of these"
        raise ArgumentError(got, f"one of {', '.join(map(repr, ('auto', *SOLVERS)))}", todo, where="Program")
    if name == "pounce" and not is_there():
        todo = "pip install 'argflux[pounce]'"
        raise MissingDependencyError("a Python without POUNCE", "the package pounce-solver", todo, where="Program")
    return "barrier" if name == "auto" else name


def _first(form: NonlinearForm, batch: list) -> Solution:
    best = NonlinearJudged(*[y[0] for y in batch])
    none = jnp.zeros_like(best.bound)
    return Solution(
        x=best.x,
        y=best.dual[: form.p],
        z=best.dual[form.p :],
        z_lower=jnp.where(best.fixed < 0, -best.bound, none),
        z_upper=jnp.where(best.fixed > 0, best.bound, none),
        objective=best.objective,
        status=best.status,
        iterations=best.iterations,
        residuals=Residuals(*map(jax.lax.stop_gradient, best.residuals)),
        regularity=best.regularity,
    )
