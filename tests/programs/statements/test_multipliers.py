"""Duals of CVXPY problems: those that CVXPY reports, constraint by constraint, and their derivatives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.errors import ShapeError
from argflux.programs import Program

cp = pytest.importorskip("cvxpy")

rng = np.random.default_rng(0)
TARGET, MATRIX = rng.normal(size=3), rng.normal(size=(2, 3))


def plain():
    x = cp.Variable(3)
    return cp.Minimize(cp.sum_squares(x - Y)), [cp.sum(x) == 1, x <= 0.4, x[0] >= 0.1], x


def equality_with_sides_swapped():
    x = cp.Variable(3)
    return cp.Minimize(cp.sum_squares(x - Y)), [cp.sum(x) == 1, Y[0] + 2 * x[1] == 3 * x[2] - 1], x


def bounds_as_constraints():
    x = cp.Variable(3)
    return cp.Minimize(cp.sum_squares(x - 2 * Y)), [x >= -0.1, x <= np.array([0.1, 0.5, 0.2]), 2 * x[0] <= 3], x


def matrix_shaped():
    Z = cp.Variable((2, 3))
    levels = np.arange(6.0).reshape(2, 3) / 3 + 0.1
    cost = cp.sum_squares(Z - MATRIX @ cp.diag(Y))
    return cp.Minimize(cost), [levels <= Z, cp.sum(Z, axis=0) == np.array([3.0, 4.0, 5.0]), Z <= 4], Z


def maximising():
    x = cp.Variable(3)
    return cp.Maximize(Y @ x - cp.sum_squares(x)), [cp.sum(x) == 0.1, x[1] <= 0.2, x[2] <= 0.05], x


def linear_and_maximising():
    x = cp.Variable(3)
    return cp.Maximize((Y + 3) @ x), [MATRIX[0] ** 2 @ x <= 1, x <= 2, x >= 0, x[0] + x[1] <= 1.5], x


def absolute_values():
    x = cp.Variable(3)
    return cp.Minimize(cp.sum_squares(x - 3 * Y)), [cp.abs(x) <= 0.3, cp.sum(x) == 0.2], x


def piecewise_linear():
    x, top = cp.Variable(3), cp.Variable()
    limits = [cp.norm1(x) <= 0.7, cp.max(x) <= top, cp.sum_largest(x, 2) <= 0.45, top == 0.3]
    return cp.Minimize(cp.sum_squares(x - 2 * Y) + cp.maximum(top, 0.1) + cp.norm_inf(x)), limits, x


def attributes():
    x, t = cp.Variable(3, nonneg=True), cp.Variable(bounds=[-1, 1])
    return cp.Minimize(cp.sum_squares(x - Y) + (t - 2) ** 2), [cp.sum(x) == 1, t + x[0] <= 1.2], x


def cones():
    x = cp.Variable(3)
    return cp.Minimize(cp.sum_squares(x - Y)), [cp.constraints.NonNeg(x[1:] - 0.2), cp.constraints.Zero(x[0] - x[1])], x


def parameter_in_a_factor():
    x = cp.Variable(3)
    return cp.Minimize(cp.sum_squares(x - 1)), [Y @ x == 0.3, x[:2] <= 0.4 + 0.1 * Y[0]], x


Y = cp.Parameter(3, name="Y", value=TARGET)
PROBLEMS = [
    plain,
    equality_with_sides_swapped,
    bounds_as_constraints,
    matrix_shaped,
    maximising,
    linear_and_maximising,
    absolute_values,
    piecewise_linear,
    attributes,
    cones,
    parameter_in_a_factor,
]


def stated(make):
    objective, constraints, variable = make()
    problem = cp.Problem(objective, constraints)
    return problem, Program.from_cvxpy(problem, [Y], [variable])


def duals(solution):
    return [y if z is None else z for y, z in zip(solution.y, solution.z, strict=True)]


@pytest.mark.parametrize("make", PROBLEMS)
def test_duals_are_those_of_cvxpy_and_their_derivatives_differences(make, x64):
    problem, program = stated(make)
    Y.value = TARGET
    problem.solve(cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    r = np.random.default_rng(1)
    weights = [r.normal(size=constraint.shape) for constraint in problem.constraints]

    @jax.jit
    @functools.partial(jax.value_and_grad, has_aux=True)
    def weighted(y):
        solution = program.solve(y)
        return sum(jnp.vdot(w, d) for w, d in zip(weights, duals(solution), strict=True)), solution

    (_, solution), gradient = weighted(TARGET)
    np.testing.assert_allclose(solution.check().objective, problem.value, atol=1e-7)
    for constraint, y, z in zip(problem.constraints, solution.y, solution.z, strict=True):
        assert (z is None) == isinstance(constraint, cp.constraints.Zero | cp.constraints.Equality)
        assert (y is None) != (z is None)
        found = y if z is None else z
        assert found.shape == constraint.shape
        np.testing.assert_allclose(found, constraint.dual_value, atol=1e-6, err_msg=str(constraint))
    direction = r.normal(size=3)
    ahead, behind = (weighted(TARGET + step * direction)[0][0] for step in (1e-5, -1e-5))
    np.testing.assert_allclose(gradient @ direction, (ahead - behind) / 2e-5, rtol=1e-4, atol=1e-5)


def test_duals_of_batches_and_warm_starts(x64):
    _, program = stated(plain)
    batch = jnp.stack([TARGET, TARGET + 0.3])
    found = jax.jit(jax.vmap(program.solve))(batch)
    assert found.z[1].shape == (2, 3)
    for i, y in enumerate(batch):
        one = program.solve(y)
        np.testing.assert_allclose(found.y[0][i], one.y[0], atol=1e-9)
        again = program.solve(y + 0.01, start=one)
        np.testing.assert_allclose(again.z[1], program.solve(y + 0.01).z[1], atol=1e-9)


def test_bounds_of_variables_have_no_duals_and_no_rows_are_made_up():
    _, program = stated(attributes)
    solution = program.solve(jnp.asarray(TARGET, jnp.float32))
    assert solution.z_lower is None
    assert solution.z_upper is None
    assert solution.z[1].dtype == jnp.float32


def test_what_has_no_dual_in_cvxpy_has_none_here():
    x = cp.Variable(2)
    empty = x[:0] <= 1
    problem = cp.Problem(cp.Minimize(cp.sum_squares(x - 1)), [empty, x[0] <= 0.5])
    solution = Program.from_cvxpy(problem, [], [x]).solve()
    assert solution.y == (None, None)
    assert solution.z[0] is None
    np.testing.assert_allclose(solution.z[1], 1.0, atol=1e-6)


def test_sensitivities_are_those_of_what_the_user_stated(x64):
    _, program = stated(maximising)
    found = program.reverse_differentiate(TARGET, cotangents={"objective": 1.0})
    np.testing.assert_allclose(found.objective.linear, program(TARGET), atol=1e-9)
    assert found.objective.constant == 1.0
    assert found.equality is None
    np.testing.assert_allclose(found.parameters["Y"], program(TARGET), atol=1e-9)
    row = program.reverse_differentiate(TARGET, cotangents={"z": (None, jnp.ones(()), jnp.zeros(()))})
    expected = jax.grad(lambda y: program.solve(y).z[1])(jnp.asarray(TARGET))
    np.testing.assert_allclose(row.parameters["Y"], expected, atol=1e-9)
    with pytest.raises(ShapeError, match=r"'z_lower': got shapes \[3\]; expected shapes None"):
        program.reverse_differentiate(TARGET, cotangents={"z_lower": jnp.ones(3)})
