"""Directional derivatives of a program's solution by name, forward and reverse, as DiffOpt.jl offers them."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from argflux.autodiff import pullback
from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.kinds import shortened
from argflux.programs.forms.pattern import Sparse
from argflux.programs.nudges import along_functions, coefficients
from argflux.programs.plan import Plan
from argflux.programs.statements.extract import Blocks
from argflux.tree import is_complex, is_differentiable

FIELDS = ("x", "y", "z", "z_lower", "z_upper", "objective")


class Directions(eqx.Module):
    """How the fields of a solution move, each a tree like the field."""

    x: Any
    y: Any
    z: Any
    z_lower: Any
    z_upper: Any
    objective: jax.Array


class Coefficients(eqx.Module):
    """Derivatives of a loss with respect to the coefficients of a function of x.

    Attributes:
        constant: with respect to the constant terms, a tree like the function's value.
        linear: with respect to the factors of x: a tree like x for the objective, a matrix with a row for every
            value and a column for every unknown for constraints (zero where independent parts have no entry, and
            a BCOO matrix of the same entries for constraints that are kept sparse).
        quadratic: for the objective, with respect to P in `x'Px / 2`: `(n, n)`, BCOO where it is kept sparse, `(n,)`
            where it was found to be diagonal, `None` for a linear program and for nonlinear ones, whose constant and
            linear coefficients are those of terms that the functions may gain.
    """

    constant: Any
    linear: Any
    quadratic: jax.Array | None = None


class Sensitivities(eqx.Module):
    """Derivatives of a loss with respect to everything that states a program.

    For a CVXPY problem these are the parameters and the constant and linear terms of its objective; the rest is `None`.

    Attributes:
        parameters: by name, trees like the parameters.
        objective: coefficients of the objective.
        equality: coefficients of the function that is to be zero, or `None`.
        inequality: coefficients of the function that is not to be positive, or `None`.
        lower: with respect to the lower bound of every unknown, or `None`.
        upper: with respect to the upper bound of every unknown, or `None`.
    """

    parameters: dict[str, Any]
    objective: Coefficients
    equality: Coefficients | None
    inequality: Coefficients | None
    lower: Any
    upper: Any


def forward(
    plan: Plan, source: Any, params: tuple, tangents: dict[str, Any], directions: dict[str, Callable], begin: Any = None
) -> Directions:
    """Differentiate along `params + t tangents` and `functions + t directions` with respect to t at 0, from a start."""
    _check_names(tangents, source.names, "tangents")
    if directions and plan.nonlinear is None:
        return _along(source, plan.options, params, tangents, directions, begin)
    functions = source.directions(directions) if directions else {}
    found = _along(source, plan.options, params, tangents, {}, begin, plan) if tangents or not functions else None
    if not functions:
        assert found is not None
        return found
    moved = along_functions(plan, params, begin, functions)
    if found is None:
        return Directions(**moved)
    return jax.tree.map(jnp.add, found, Directions(**moved))


def _along(
    source: Any,
    options: dict,
    params: tuple,
    tangents: dict[str, Any],
    directions: dict[str, Callable],
    begin: Any,
    plan: Plan | None = None,
) -> Directions:
    """Solve the program of moved parameters and functions, by its plan if that is known."""
    nudged = source if plan is not None else source.nudged(directions)
    start = {name: params[source.names.index(name)] for name in tangents}
    moving = {name: _match(start[name], tangent, f"tangents of {name!r}") for name, tangent in tangents.items()}
    time = jnp.zeros(())

    def run(t: jax.Array, moved: dict[str, Any]) -> dict[str, Any]:
        time = (t,) if nudged is not source else ()
        values = (*time, *(moved.get(name, value) for name, value in zip(source.names, params, strict=True)))
        used = plan or Plan.of(nudged.formulate(values), options)
        constant, parts = used.extract(values)
        solution = used.solve(constant, parts, begin)
        return {name: getattr(solution, name) for name in FIELDS}

    return Directions(**jax.jvp(run, (time, start), (jnp.ones_like(time), moving))[1])


def reverse(
    plan: Plan, names: tuple[str, ...], params: tuple, cotangents: dict[str, Any], begin: Any = None
) -> Sensitivities:
    """Pull cotangents of a solution's fields back to the coefficients, and from these to the parameters."""
    _check_names(cotangents, FIELDS, "cotangents")
    for name, value in zip(names, params, strict=True):
        if any(is_complex(leaf) for leaf in jax.tree.leaves(value)):
            todo = "take `jax.vjp` of `program.solve`"
            raise DtypeError(f"a complex parameter {name}", "real ones", todo, where="reverse_differentiate")
    (constant, parts), to_params = pullback(lambda *params: plan.extract(params), *params)

    def run(constant: jax.Array, parts: tuple) -> dict[str, Any]:
        solution = plan.solve(constant, parts, begin)
        return {name: getattr(solution, name) for name in FIELDS}

    fields, to_parts = pullback(run, constant, parts)
    given = lambda name, value: _match(value, cotangents[name], f"cotangents of {name!r}")
    dfields = {
        name: given(name, value) if name in cotangents else jax.tree.map(jnp.zeros_like, value)
        for name, value in fields.items()
    }
    _, dconstant, dparts = to_parts(dfields)
    dparams = dict(zip(names, to_params((dconstant, dparts))[1:], strict=True))
    if plan.nonlinear is not None:
        return _of_functions(plan, dparams, coefficients(plan, params, begin, dfields), dparts[0])
    return _sort(plan, dparams, dconstant, dparts)


def _of_functions(plan: Plan, dparams: dict, pulled: tuple, dblocks: Any) -> Sensitivities:
    """Lay out the derivatives of terms that the functions of a nonlinear program may gain."""
    objective = Coefficients(pulled[0].constant, plan.variable.tree(pulled[0].linear))
    layouts = plan.equality, plan.inequality
    rows = [at and Coefficients(at.tree(p.constant), p.linear) for at, p in zip(layouts, pulled[1:], strict=True)]
    tree = plan.variable.tree
    return Sensitivities(dparams, objective, rows[0], rows[1], tree(dblocks.lower), tree(dblocks.upper))


def _sort(plan: Plan, dparams: dict, dconstant: jax.Array, dparts: tuple[Blocks, ...]) -> Sensitivities:
    """Lay the derivatives of all blocks out by function."""
    variable, n = plan.variable, plan.variable.size
    vector = lambda name: _spread(plan, dparts, name, ("unknowns",), (n,))
    if plan.canonical:
        objective = Coefficients(dconstant * plan.sign, variable.tree(vector("q") * plan.sign))
        return Sensitivities(dparams, objective, None, None, None, None)
    square = ("unknowns", "unknowns") if plan.curvature == "dense" else ("unknowns",)
    quadratic = None if plan.curvature == "none" else _spread(plan, dparts, "P", square, (n,) * len(square))
    rows = {"equalities": (plan.equality, "A", "b"), "inequalities": (plan.inequality, "G", "h")}
    constraints = [
        layout
        and Coefficients(
            layout.tree(-_spread(plan, dparts, right, (kind,), (layout.size,))),
            _spread(plan, dparts, matrix, (kind, "unknowns"), (layout.size, n)),
        )
        for kind, (layout, matrix, right) in rows.items()
    ]
    bounds = [None if dparts[0][i] is None else variable.tree(vector(Blocks._fields[i])) for i in (6, 7)]
    objective = Coefficients(dconstant * plan.sign, variable.tree(vector("q") * plan.sign), quadratic)
    return Sensitivities(dparams, objective, *constraints, *bounds)


def _spread(plan: Plan, dparts: tuple, name: str, kinds: tuple[str, ...], shape: tuple[int, ...]) -> Any:
    """Put the derivatives of one block of all groups in the places of the whole program."""
    if not plan.groups:
        found = getattr(dparts[0], name)
        return found.bcoo() if isinstance(found, Sparse) else found
    whole = jnp.zeros(shape, plan.variable.dtype)
    for group, part in zip(plan.groups, dparts, strict=True):
        if getattr(part, name) is not None:
            places = [getattr(group, kind) for kind in kinds]
            index = (places[0][:, :, None], places[1][:, None, :]) if len(places) == 2 else tuple(places)
            whole = whole.at[index].set(getattr(part, name))
    return whole


def _match(value: Any, direction: Any, where: str) -> Any:
    """Give a direction the structure, shapes and dtypes of what it belongs to."""
    for leaf in jax.tree.leaves(value):
        if not is_differentiable(leaf):
            todo = "leave it out, or pass the parameter as a floating array"
            raise DtypeError(f"{shortened(leaf)}, which stands still", "floating arrays", todo, where=where)
    like = lambda value, direction: jnp.broadcast_to(jnp.asarray(direction).astype(value.dtype), np.shape(value))
    try:
        return jax.tree.map(like, value, direction)
    except (AttributeError, TypeError, ValueError):
        show = lambda tree: str(jax.tree.map(lambda leaf: list(np.shape(leaf)), tree))
        todo = "give it the structure and the shapes of what it belongs to"
        raise ShapeError(f"shapes {show(direction)}", f"shapes {show(value)}", todo, where=where) from None


def _check_names(given: dict[str, Any], known: tuple[str, ...], what: str) -> None:
    if not isinstance(given, dict):
        todo = f"write {what}={{'{known[0] if known else 'name'}': …}}"
        raise DtypeError(f"a {type(given).__name__}", "a dict by name", todo, where=what)
    if unknown := [name for name in given if name not in known]:
        raise ArgumentError(
            f"{what} of {', '.join(map(repr, unknown))}",
            f"names among {', '.join(known)}",
            "check the name",
            where=what,
        )
