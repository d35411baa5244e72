"""Which part of a CVXPY problem keeps it from being a linear or quadratic program with parameters."""

from collections.abc import Callable, Iterator
from typing import Any

from argflux.errors import ArgumentError

REDUCED = ("symmetric", "diag", "PSD", "NSD", "hermitian", "sparsity")
WHERE = "Program.from_cvxpy"


def check_problem(problem: Any, parameters: Any, variables: Any) -> None:
    """Refuse, by name, what cannot be solved or differentiated.

    Raises:
        ArgumentError: naming the variables, parameters or expressions at fault.
    """
    _check_leaves(problem, parameters, variables)
    if not problem.is_dcp():
        bad = next(_offenders(problem, lambda e: e.is_dcp(), lambda e: e.is_dcp()))
        raise ArgumentError(f"`{bad}`", "a convex problem", "rewrite it with convex atoms (CVXPY's DCP)", where=WHERE)
    if not problem.is_dcp(dpp=True):
        bad = next(_offenders(problem, lambda e: e.is_dcp(dpp=True), lambda e: e.is_dcp(dpp=True)))
        raise ArgumentError(
            f"`{bad}`, in which parameters are multiplied",
            "expressions linear in the parameters (CVXPY's DPP)",
            "make the product one parameter, or state the program with functions: `af.Program`",
            where=WHERE,
        )
    if not problem.is_qp():
        bad = next(_offenders(problem, lambda e: e.is_qpwa(), lambda e: e.is_pwl()))
        raise ArgumentError(
            f"`{bad}`, which needs a cone that is not polyhedral",
            "a linear or quadratic program",
            "replace it by linear or piecewise linear expressions",
            where=WHERE,
        )


def _check_leaves(problem: Any, parameters: Any, variables: Any) -> None:
    _refuse(
        [v for v in problem.variables() if v.attributes["integer"] or v.attributes["boolean"]],
        "integer variables {}",
        "continuous variables",
        "relax them, as the solution of integers has no derivative",
    )
    _refuse(
        [leaf for leaf in [*variables, *parameters] if any(leaf.attributes[name] for name in REDUCED)],
        "{} with a matrix attribute",
        "plain variables and parameters",
        "state the attribute as constraints",
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
