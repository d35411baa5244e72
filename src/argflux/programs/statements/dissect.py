"""Which part of a CVXPY problem keeps it from being a linear or quadratic program with parameters."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from argflux.errors import ArgumentError, DtypeError

REDUCED = ("symmetric", "diag", "PSD", "NSD", "hermitian", "sparsity")
POLYHEDRAL = ("Equality", "Inequality", "NonNeg", "NonPos", "Zero")
WHERE = "Program.from_cvxpy"


def read_leaves(leaves: Any, kind: type, what: str) -> list:
    """Read what a user listed as parameters or as variables; one alone needs no list.

    Raises:
        DtypeError: for anything else, by name.
    """
    name = kind.__name__
    listed = [leaves] if hasattr(leaves, "is_dcp") or not hasattr(leaves, "__iter__") else list(leaves)
    for leaf in listed:
        if not isinstance(leaf, kind):
            expression = hasattr(leaf, "is_dcp")
            got = f"`{leaf}`, an expression" if expression else f"a {type(leaf).__name__}"
            parts = ", ".join(part.name() for part in getattr(leaf, what, list)()) if expression else ""
            todo = (
                f"list {parts} itself, and compute with what the program returns" if parts else f"list {name} objects"
            )
            raise DtypeError(f"{got} among the {what}", f"objects of class cvxpy.{name}", todo, where=WHERE)
    return listed


def check_problem(problem: Any, parameters: Any, variables: Any) -> None:
    """Refuse, by name, what cannot be solved or differentiated.

    Raises:
        ArgumentError: naming the variables, parameters or expressions at fault.
    """
    _check_leaves(problem, parameters, variables)
    if not problem.is_dcp():
        bad = next(_offenders(problem, lambda e: e.is_dcp(), lambda e: e.is_dcp()))
        raise ArgumentError(f"`{bad}`", "a convex problem", "rewrite it with convex atoms (CVXPY's DCP)", where=WHERE)
    if not _is_dpp(problem):
        bad = next(_offenders(problem, _is_dpp, _is_dpp))
        raise ArgumentError(
            f"`{bad}`, in which parameters are multiplied",
            "expressions linear in the parameters (CVXPY's DPP)",
            "make the product one parameter, or state the program with functions: `af.Program`",
            where=WHERE,
        )


def _check_leaves(problem: Any, parameters: Any, variables: Any) -> None:
    _refuse(
        [v for v in problem.variables() if v.attributes["integer"] or v.attributes["boolean"]],
        "integer variables {}",
        "continuous variables",
        "relax them, as the solution of integers has no derivative",
    )
    names = [parameter.name() for parameter in parameters]
    _refuse(
        [parameter for k, parameter in enumerate(parameters) if parameter.name() in names[:k]],
        "two parameters of the name {}",
        "every name once",
        "list each once, and tell them apart with cvxpy.Parameter(…, name=…)",
    )
    _refuse(
        _without(problem.parameters(), parameters),
        "no place for the parameters {}",
        "every parameter of the problem listed",
        "add them to `parameters`",
    )
    _refuse(
        _without(parameters, problem.parameters()),
        "parameters {} that the problem does not hold",
        "parameters of the problem",
        "remove them",
    )
    _refuse(
        _without(variables, problem.variables()),
        "variables {} that the problem does not hold",
        "variables of the problem",
        "remove them",
    )
    if not variables:
        raise ArgumentError("no variables", "at least one to return", "list them in `variables`", where=WHERE)


def _is_dpp(part: Any) -> bool:
    """Whether CVXPY calls a problem or an expression DPP; quadratic forms in a parameter are from CVXPY 1.9."""
    from cvxpy.utilities import scopes

    with getattr(scopes, "quad_form_dpp_scope", contextlib.nullcontext)():
        return part.is_dcp(dpp=True)


def _refuse(leaves: list, got: str, expected: str, todo: str) -> None:
    if leaves:
        names = ", ".join(leaf.name() for leaf in leaves)
        raise ArgumentError(got.format(names), expected, todo, where=WHERE)


def _without(leaves: Any, others: Any) -> list:
    ids = {leaf.id for leaf in others}
    return [leaf for leaf in leaves if leaf.id not in ids]


def _offenders(problem: Any, objective: Callable, constraint: Callable) -> Iterator[Any]:
    """Yield the smallest expressions that break a rule: of the objective, then of the constraints, then the rest."""
    if not objective(problem.objective.args[0]):
        yield _smallest(problem.objective.args[0], objective)
    for candidate in problem.constraints:
        if broken := [argument for argument in candidate.args if not constraint(argument)]:
            yield _smallest(broken[0], constraint)
    yield from (candidate for candidate in problem.constraints if not candidate.is_dcp())
    yield problem.objective


def _smallest(expression: Any, rule: Callable) -> Any:
    """Descend to an expression that breaks the rule while all its arguments keep it."""
    while broken := [argument for argument in expression.args if not rule(argument)]:
        expression = broken[0]
    return expression
