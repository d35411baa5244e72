"""CVXPY problems: solutions of CVXPY itself, derivatives, names of what is not allowed."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError
from argflux.programs import Program

cp = pytest.importorskip("cvxpy")


def problem():
    """Attributes of variables, matrices, a product with a parameter, a constant, parts that fall apart."""
    x, Z = cp.Variable(3, nonneg=True), cp.Variable((2, 3))
    y, t, F = cp.Parameter(3, name="y"), cp.Parameter(nonneg=True, name="t"), cp.Parameter((4, 3), name="F")
    cost = cp.sum_squares(F @ x - 1) + t * cp.norm1(x) + y @ x + cp.sum_squares(Z) + 3
    limits = [cp.sum(x) == 1, x <= 2, Z[0, 1] >= cp.sum(y) + 1, Z[1, 0] >= Z[0, 1]]
    return cp.Problem(cp.Minimize(cost), limits), [y, t, F], [x, Z]


def values():
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=3)), jnp.asarray(0.3), jnp.asarray(rng.normal(size=(4, 3)))


def test_solutions_are_those_of_cvxpy(x64):
    stated, parameters, variables = problem()
    program = Program.from_cvxpy(stated, parameters, variables)
    for parameter, value in zip(parameters, values(), strict=True):
        parameter.value = np.asarray(value)
    stated.solve(cp.CLARABEL)
    s = program.solve(*values())
    for mine, variable in zip(s.x, variables, strict=True):
        np.testing.assert_allclose(mine, variable.value, atol=1e-6)
    np.testing.assert_allclose(s.objective, stated.value, rtol=1e-7)
    assert program.parameters == ("y", "t", "F")
    np.testing.assert_allclose(program.solve(*values(), start=s).x[0], s.x[0], atol=1e-9)


@pytest.mark.parametrize("position", range(3))
def test_derivatives(x64, position):
    program = Program.from_cvxpy(*problem())
    given = values()

    def run(value):
        s = program.solve(*given[:position], value, *given[position + 1 :])
        return s.objective + jnp.sum(s.x[0] ** 2) + s.x[1][0, 1]

    direction = jax.random.normal(jax.random.key(1), given[position].shape)
    numeric = (run(given[position] + 1e-5 * direction) - run(given[position] - 1e-5 * direction)) / 2e-5
    np.testing.assert_allclose(jnp.vdot(jax.grad(run)(given[position]), direction), numeric, rtol=1e-4, atol=1e-6)


def test_maximising(x64):
    x, y = cp.Variable(3), cp.Parameter(3)
    stated = cp.Problem(cp.Maximize(y @ x - cp.sum_squares(x)), [x <= 1])
    program = Program.from_cvxpy(stated, [y], [x])
    y.value = np.array([1.0, 3.0, -2.0])
    stated.solve()
    np.testing.assert_allclose(program(y.value), x.value, atol=1e-6)
    np.testing.assert_allclose(program.solve(y.value).objective, stated.value, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(lambda y: program.solve(y).objective)(y.value), x.value, atol=1e-6)


def test_batches(x64):
    y, t, F = values()
    program = Program.from_cvxpy(*problem())
    batch = jnp.stack([y, y + 0.2])
    found = jax.vmap(lambda y: program(y, t, F)[0])(batch)
    np.testing.assert_allclose(found, jnp.stack([program(row, t, F)[0] for row in batch]), atol=1e-8)


X, P, T = cp.Variable(2, name="x"), cp.Parameter(2, name="p"), cp.Parameter(nonneg=True, name="t")
K = cp.Variable(2, integer=True, name="k")
S = cp.Variable((2, 2), symmetric=True, name="S")
BAD = {
    "cone": (cp.Minimize(cp.norm2(X - P) + 1), [], [P], [X], r"x \+ -p.*cone that is not polyhedral"),
    "quadratic constraint": (cp.Minimize(cp.sum(X)), [cp.sum_squares(X) <= T], [T], [X], "quad_over_lin.*cone"),
    "second-order constraint": (cp.Minimize(cp.sum(X)), [cp.SOC(T, X)], [T], [X], "cone"),
    "not DPP": (cp.Minimize(cp.sum_squares(T * P - X)), [], [T, P], [X], r"t.*\* p.*DPP.*af.Program"),
    "not convex": (cp.Minimize(cp.sqrt(X[0])), [], [], [X], "convex problem"),
    "integer": (cp.Minimize(cp.sum(K)), [K >= 0], [], [K], "integer variables k"),
    "unlisted parameter": (cp.Minimize(cp.sum_squares(T * P - X)), [], [P], [X], "parameters t.*add them"),
    "unknown parameter": (cp.Minimize(cp.sum_squares(X)), [], [P], [X], "parameters p that the problem does not hold"),
    "unknown variable": (cp.Minimize(cp.sum_squares(X)), [], [], [S[0, 0].args[0]], "S with a matrix attribute"),
    "no variable": (cp.Minimize(cp.sum_squares(X)), [], [], [], "no variables"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_problems(name):
    objective, constraints, parameters, variables, message = BAD[name]
    with pytest.raises(ArgumentError, match=message):
        Program.from_cvxpy(cp.Problem(objective, constraints), parameters, variables)


def test_bad_values():
    program = Program.from_cvxpy(*problem())
    y, t, F = values()
    with pytest.raises(ArgumentError, match="no value for F"):
        program(y, t)
    with pytest.raises(ShapeError, match=r"parameter F: got shape \[3, 4\].*shape \[4, 3\].*vmap"):
        program(y, t, F.T)
    with pytest.raises(ArgumentError, match="made of a CVXPY problem"):
        program.forward_differentiate(y, t, F, tangents={"t": 1.0})


def test_one_parameter_or_variable_needs_no_list():
    program = Program.from_cvxpy(cp.Problem(cp.Minimize(cp.sum_squares(X - P)), [X >= 0]), P, X)
    np.testing.assert_allclose(program(jnp.array([1.0, -1.0])), [1.0, 0.0], atol=1e-6)
    with pytest.raises(DataError, match=r"entries that are no numbers.*clean the parameters"):
        program(jnp.array([jnp.nan, 1.0]))
    with pytest.raises(DtypeError, match=r"got a function; expected a cvxpy.Problem"):
        Program.from_cvxpy(lambda x: x, P, X)


def test_canonicalisation_of_a_hundred_unknowns_is_quick():
    """A quadratic form in a (100, 100) parameter, which has taken other layers 42 s."""
    x, root, q = cp.Variable(100), cp.Parameter((100, 100)), cp.Parameter(100)
    start = time.perf_counter()
    Program.from_cvxpy(cp.Problem(cp.Minimize(cp.sum_squares(root @ x) + q @ x)), [root, q], [x])
    assert time.perf_counter() - start < 10
