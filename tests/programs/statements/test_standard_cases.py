"""CVXPY's own standard cases for its solvers, which come with it: objectives, solutions, duals, statuses."""

import inspect

import cvxpy as cp
import jax
import numpy as np
import pytest
from cvxpy.tests import solver_test_helpers as helpers

from argflux.programs import Program, Status

KINDS = ("lp", "qp", "socp", "sdp", "expcone", "pcp")
ARGUMENTS = {"sdp_1": ("min", "max"), "socp_3": (0, 1)}
CASES = [
    (name, *given)
    for name, f in inspect.getmembers(helpers, inspect.isfunction)
    if name.split("_")[0] in KINDS
    for given in ([(a,) for a in ARGUMENTS[name]] if name in ARGUMENTS else [()])
]
PLACES = 5
ROUNDED = {"sdp_1": 2}  # the expected objective has two digits
LOOSE = {"pcp_2": 3}  # the expected values have an error of 2e-4: SCS at 1e-10 agrees with us to 1e-8
NOT_UNIQUE = ("lp_5",)
AT_A_KINK = ("lp_7",)
WITHOUT_DUALS = ("sdp_2",)  # the primal stands in the place of a dual: findings/cvxpy_sdp_2_dual.sh


def solved(case):
    variables = case.prob.variables()
    solution = Program.from_cvxpy(case.prob, [], variables).solve()
    return variables, solution


def take(case, variables, solution):
    """Write our solution into CVXPY's objects, as if it had solved the problem."""
    values = (solution.x,) if len(variables) == 1 else solution.x
    for variable, value in zip(variables, values, strict=True):
        variable.save_value(np.asarray(value))
    for constraint, y, z in zip(case.prob.constraints, solution.y, solution.z, strict=True):
        duals = y if z is None else z
        if duals is not None:
            for dual, value in zip(constraint.dual_variables, jax.tree.leaves(duals), strict=True):
                dual.save_value(np.asarray(value))


@pytest.mark.filterwarnings("ignore:The problem has an expression with dimension greater than 2")
@pytest.mark.parametrize(("name", "given"), [(name, given) for name, *given in CASES])
def test_standard_case(name, given, x64):
    case = getattr(helpers, name)(*given)
    variables, solution = solved(case)
    status = Status(int(solution.status))
    if not np.isfinite(case.expect_val):
        falls = (case.expect_val < 0) == isinstance(case.objective, cp.Minimize)
        assert status == (Status.DUAL_INFEASIBLE if falls else Status.PRIMAL_INFEASIBLE)
        return
    assert status == Status.SOLVED
    tolerance = 10.0 ** -ROUNDED.get(name, PLACES)
    np.testing.assert_allclose(solution.objective, case.expect_val, atol=tolerance, rtol=tolerance)
    take(case, variables, solution)
    case.check_primal_feasibility(PLACES)
    if name not in NOT_UNIQUE:
        case.verify_primal_values(LOOSE.get(name, 4))
    with np.errstate(all="ignore"):  # CVXPY divides by the lengths of duals that are zero
        case.check_dual_domains(PLACES)
    case.check_complementarity(PLACES)
    if name not in WITHOUT_DUALS:
        case.verify_dual_values(3)
    if name not in AT_A_KINK and all(not any(v.attributes.values()) for v in variables):
        case.check_stationary_lagrangian(PLACES)
