"""CVXPY problems over cones: solutions and duals beside CVXPY's own, gradients beside finite differences."""

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs import Program, Status

r = np.random.default_rng(0)
A, C = r.normal(size=(4, 3)), np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 1.5]])
POINT = np.array([0.4, 0.3, 0.8])


def vector():
    return cp.Variable(3), cp.Parameter(3)


def norm():
    x, p = vector()
    return cp.Minimize(cp.norm(x - p)), [cp.norm(A @ x) <= 1, cp.sum(x) == 0.3], p, x


def one_and_infinity():
    x, p = vector()
    return cp.Minimize(cp.sum_squares(x - p)), [cp.norm1(x) <= 0.7, cp.norm_inf(x) <= 0.5], p, x


def quotient():
    x, p = vector()
    return cp.Minimize(cp.quad_over_lin(x - p, x[0] + 2) + p @ x), [x <= 1], p, x


def second_order():
    x, p = vector()
    return cp.Minimize(cp.sum(x) + cp.sum_squares(x)), [cp.SOC(1.0 + p[0], A @ x - p[1])], p, x


def log_sum_exp():
    x, p = vector()
    return cp.Minimize(cp.log_sum_exp(A @ x) + cp.sum_squares(x) / 2 - p @ x), [], p, x


def entropy():
    x, p = vector()
    return cp.Maximize(cp.sum(cp.entr(x)) + p @ x), [cp.sum(x) == 1], p, x


def divergence():
    x, p = vector()
    return cp.Minimize(cp.sum(cp.kl_div(x, [0.2, 0.3, 0.5])) - p @ x), [A @ x <= 1.2], p, x


def determinant():
    X, p = cp.Variable((3, 3), symmetric=True), cp.Parameter(3)
    return cp.Maximize(cp.log_det(X) - cp.trace(C @ X) - p @ cp.diag(X)), [], p, X


def largest_eigenvalue():
    x, p = vector()
    return cp.Minimize(cp.lambda_max(C + cp.diag(x)) + cp.sum_squares(x - p)), [], p, x


def geometric_mean():
    x, p = vector()
    return cp.Maximize(cp.geo_mean(x[:2])), [cp.multiply(p, x) <= 1, x[2] == 0.1, cp.sum(x) <= 3], p, x


def power():
    x, p = vector()
    return cp.Minimize(cp.sum(cp.power(x, 3)) - p @ x), [x >= 0], p, x


def power_cone():
    x, p = vector()
    return cp.Minimize(cp.sum_squares(x - p)), [cp.PowCone3D(x[0], x[1], x[2], 0.3)], p, x


def long_power_cone():
    x, p = vector()
    return cp.Minimize(cp.sum_squares(x - p)), [cp.PowConeND(x, 0.6 + p[0], np.array([0.2, 0.3, 0.5])), x <= 2], p, x


def exact_geometric_mean():
    x, p = vector()
    return cp.Maximize(cp.geo_mean(x, (0.2, 0.3, 0.5), approx=False)), [cp.multiply(p, x) <= 1, cp.sum(x) <= 3], p, x


def exponential_cone():
    x, p = vector()
    return cp.Minimize(cp.sum_squares(x - p)), [cp.ExpCone(x[0], x[1], x[2])], p, x


def semidefinite_variable():
    X, p = cp.Variable((3, 3), PSD=True), cp.Parameter(3)
    return cp.Minimize(cp.sum_squares(X - np.diag([1.0, -1.0, 0.5])) + p @ X[0]), [cp.trace(X) == 1], p, X


def matrix_inequality():
    X, p = cp.Variable((3, 3), symmetric=True), cp.Parameter(3)
    return cp.Minimize(cp.trace(C @ X)), [X >> 0, cp.diag(X) == 1 + p], p, X


def diagonal():
    X, p = cp.Variable((3, 3), diag=True), cp.Parameter(3)
    return cp.Minimize(cp.sum_squares(X @ p - 1) + cp.norm(cp.diag(X))), [], p, X


def nonnegative():
    x, p = cp.Variable(3, nonneg=True), cp.Parameter(3)
    return cp.Minimize(cp.norm(A @ x - 1) + p @ x), [], p, x


def bounded():
    x, p = cp.Variable(3, bounds=[-0.2, 0.3]), cp.Parameter(3)
    return cp.Minimize(cp.norm(A @ x - 1) + p @ x), [], p, x


def hermitian():
    H = np.array([[1.0, 1j, 0.2], [-1j, 2.0, 0.5], [0.2, 0.5, -1.0]])
    X, p = cp.Variable((3, 3), hermitian=True), cp.Parameter(3)
    return cp.Minimize(cp.real(cp.trace(H @ X)) + p @ cp.real(cp.diag(X))), [X >> 0, cp.real(cp.trace(X)) == 1], p, X


CASES = [
    norm, one_and_infinity, quotient, second_order, log_sum_exp, entropy, divergence, determinant, largest_eigenvalue,
    geometric_mean, power, power_cone, long_power_cone, exact_geometric_mean, exponential_cone,
    semidefinite_variable, matrix_inequality, diagonal,
    nonnegative, bounded, hermitian,
]  # fmt: skip


def made(case):
    objective, constraints, p, x = case()
    problem = cp.Problem(objective, constraints)
    return problem, p, x, Program.from_cvxpy(problem, [p], [x])


@pytest.mark.filterwarnings("ignore:Converting A to a CSC")
@pytest.mark.parametrize("case", CASES)
def test_solutions_and_duals_are_cvxpys(case, x64):
    problem, p, x, program = made(case)
    solution = program.solve(jnp.asarray(POINT))
    assert int(solution.status) == Status.SOLVED
    p.value = POINT
    problem.solve(solver=cp.SCS, eps=1e-9, max_iters=200_000)
    np.testing.assert_allclose(solution.objective, problem.value, atol=2e-6, rtol=2e-6)
    value = x.value.toarray() if hasattr(x.value, "toarray") else x.value
    np.testing.assert_allclose(solution.x, value, atol=2e-4)
    for constraint, y, z in zip(problem.constraints, solution.y, solution.z, strict=True):
        ours, theirs = jax.tree.leaves(y if z is None else z), jax.tree.leaves(constraint.dual_value)
        if case is not hermitian:
            assert ours
        for mine, other in zip(ours, theirs, strict=False):
            np.testing.assert_allclose(mine, np.reshape(other, np.shape(mine)), atol=5e-4)


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_finite_differences(case, x64):
    *_, program = made(case)
    weights = np.random.default_rng(1).normal(size=np.shape(program(jnp.asarray(POINT))))
    f = jax.jit(lambda p: jnp.sum(jnp.real(program(p)) * weights))
    slope, h = jax.grad(f)(jnp.asarray(POINT)), 1e-5
    numeric = [(f(POINT + h * e) - f(POINT - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(slope, numeric, atol=1e-6, rtol=1e-6)


def test_layers_share_nothing(x64):
    """Two layers of one problem, one of them called twice, beside CVXPY's solution before and after."""
    problem, p, x, first = made(second_order)
    second = Program.from_cvxpy(problem, [p], [x])
    a, b = jnp.asarray(POINT), jnp.asarray(POINT[::-1].copy())
    both = jax.grad(lambda a: first(a)[0] + first(2 * a)[0] + second(b)[0])(a)
    single = jax.grad(lambda a: first(a)[0])(a) + jax.grad(lambda a: first(2 * a)[0])(a)
    np.testing.assert_allclose(both, single, atol=1e-12)
    np.testing.assert_array_equal(first(a), second(a))
    p.value = POINT
    problem.solve(solver=cp.CLARABEL)
    np.testing.assert_allclose(x.value, first(a), atol=1e-5)


def test_single_precision_leaves_no_trace():
    """A layer that was compiled in single precision is as exact in double as one that was not."""
    problem, p, x, used = made(second_order)
    compiled = jax.jit(lambda p: used(p))  # kept, and with it what JAX knows of the arrays that it captured
    compiled(jnp.asarray(POINT, np.float32))
    with jax.enable_x64(True):
        np.testing.assert_array_equal(
            used(jnp.asarray(POINT)), Program.from_cvxpy(problem, [p], [x])(jnp.asarray(POINT))
        )


def test_duals_of_the_user_are_left_alone():
    x, p = vector()
    constraints = [cp.SOC(1.0, x), x >= p]
    problem = cp.Problem(cp.Minimize(cp.sum(x)), constraints)
    p.value = -POINT
    problem.solve(solver=cp.CLARABEL)
    before = [np.copy(dual.value) for c in constraints for dual in c.dual_variables]
    Program.from_cvxpy(problem, [p], [x])
    for dual, old in zip([dual for c in constraints for dual in c.dual_variables], before, strict=True):
        np.testing.assert_array_equal(dual.value, old)


@pytest.mark.parametrize("name", ["infeasible", "unbounded"])
def test_one_instance_without_a_solution(name, x64):
    x, p = vector()
    constraint = cp.norm(x) <= p[0] if name == "infeasible" else cp.norm(x[:2]) <= 1.0
    objective = cp.sum(x) if name == "infeasible" else x[0] + p[0] * x[2]
    program = Program.from_cvxpy(cp.Problem(cp.Minimize(objective), [constraint, x[2] >= 0]), [p], [x])
    batch = jnp.tile(jnp.asarray(POINT), (8, 1)).at[3, 0].set(-1.0)
    solution = jax.vmap(program.solve)(batch)
    wrong = Status.PRIMAL_INFEASIBLE if name == "infeasible" else Status.DUAL_INFEASIBLE
    assert [int(s) for s in solution.status] == [0, 0, 0, int(wrong), 0, 0, 0, 0]
    alone = program(jnp.asarray(POINT))
    np.testing.assert_allclose(np.delete(np.asarray(solution.x), 3, 0), np.tile(alone, (7, 1)), atol=1e-12)
    slopes = jax.grad(lambda b: jax.vmap(program)(b).sum())(batch)
    assert np.all(np.isfinite(slopes))
    assert not np.any(slopes[3])


@pytest.mark.parametrize("axis", [0, 1])
def test_power_cones_side_by_side(axis, x64):
    """Beside Clarabel's own cones of more than three coordinates; the duals have CVXPY's shapes."""
    turned = np.transpose if axis else np.asarray
    exponents = turned(np.array([[0.2, 0.6], [0.3, 0.2], [0.4, 0.1], [0.1, 0.1]]))
    X, z, p = cp.Variable(exponents.shape), cp.Variable(2), cp.Parameter(exponents.shape)
    constraint = cp.PowConeND(X, z, exponents, axis=axis)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(X - p) - 2 * cp.sum(z)), [constraint, X <= 2])
    p.value = np.abs(np.random.default_rng(0).normal(size=exponents.shape)) + 0.2
    problem.solve(solver=cp.CLARABEL)
    solution = Program.from_cvxpy(problem, [p], [X, z]).solve(jnp.asarray(p.value))
    for ours, theirs in zip(solution.x, (X.value, z.value), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    for ours, theirs in zip(solution.z[0], constraint.dual_value, strict=True):
        assert ours.shape == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
