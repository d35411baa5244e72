"""CVXPY problems: solutions of CVXPY itself, derivatives, names of what is not allowed."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.errors import ArgumentError, DataError, DtypeError, MissingDependencyError, ShapeError
from argflux.programs import Program, Status

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
BAD = {
    "not DPP": (cp.Minimize(cp.sum_squares(T * P - X)), [], [T, P], [X], r"t.*\* p.*DPP.*af.Program"),
    "not convex": (cp.Minimize(cp.sqrt(X[0])), [], [], [X], "convex problem"),
    "integer": (cp.Minimize(cp.sum(K)), [K >= 0], [], [K], "integer variables k"),
    "unlisted parameter": (cp.Minimize(cp.sum_squares(T * P - X)), [], [P], [X], "parameters t.*add them"),
    "unknown parameter": (cp.Minimize(cp.sum_squares(X)), [], [P], [X], "parameters p that the problem does not hold"),
    "no variable": (cp.Minimize(cp.sum_squares(X)), [], [], [], "no variables"),
}


def test_parameters_and_variables_are_asked_for():
    with pytest.raises(ArgumentError, match=r"'parameters'; expected arguments \(problem, parameters, variables, "):
        Program.from_cvxpy(cp.Problem(cp.Minimize(cp.sum_squares(X))))  # pyright: ignore[reportCallIssue]


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
        program.forward_differentiate(y, t, F, objective=lambda x, y, t, F: 0.0)


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


def named(name, *shape, **attributes):
    return cp.Parameter(shape, name=name, **attributes)


NAMED = {
    "expression as variable": (cp.sum_squares(X - P), [], [P], [X[0]], r"`x\[0\]`, an expression.*list x itself"),
    "expression as parameter": (cp.sum_squares(X - P), [], [2 * P], [X], r"an expression among the parameters"),
    "value as parameter": (cp.sum_squares(X - P), [], [np.ones(2)], [X], "a ndarray among the parameters"),
    "one name twice": (cp.sum_squares(X - P - named("p", 2)), [], None, [X], "two parameters of the name p"),
    "another library's option": (cp.sum_squares(X - P), [], [P], [X], "keyword eps=1e-06.*write tolerance="),
}


@pytest.mark.parametrize("case", NAMED)
def test_what_cannot_be_taken_is_named(case):
    objective, constraints, parameters, variables, message = NAMED[case]
    problem = cp.Problem(cp.Minimize(objective), constraints)
    options = {"eps": 1e-6} if case == "another library's option" else {}
    with pytest.raises((ArgumentError, DtypeError), match=message):
        Program.from_cvxpy(problem, problem.parameters() if parameters is None else parameters, variables, **options)


ROOT = np.array([[2.0, 0.3], [0.3, 1.0]])
DECLARED = {
    "nonneg": ({"nonneg": True}, (2,), np.ones(2), np.array([-1.0, 1.0]), lambda p: p @ cp.abs(X - 1)),
    "nonpos": ({"nonpos": True}, (2,), -np.ones(2), np.array([-1.0, 1.0]), lambda p: cp.sum_squares(X - p)),
    "bounds": ({"bounds": [0, 2]}, (2,), np.ones(2), np.array([3.0, 1.0]), lambda p: cp.sum_squares(X - p)),
    "integer": ({"integer": True}, (2,), np.ones(2), np.array([0.5, 1.0]), lambda p: cp.sum_squares(X - p)),
    "symmetric": ({"symmetric": True}, (2, 2), ROOT, np.triu(ROOT), lambda p: cp.sum_squares(p @ X - 1)),
    "diag": ({"diag": True}, (2, 2), np.diag([2.0, 3.0]), ROOT, lambda p: cp.sum_squares(p @ X - 1)),
    "PSD": ({"PSD": True}, (2, 2), ROOT, -ROOT, lambda p: cp.quad_form(X, p) - cp.sum(X)),
}


@pytest.mark.parametrize("name", DECLARED)
def test_declared_attributes_are_held(x64, name):
    attributes, shape, good, bad, objective = DECLARED[name]
    parameter = named("s", *shape, **attributes)
    problem = cp.Problem(cp.Minimize(objective(parameter) + 0.1 * cp.sum_squares(X)), [X >= -5])
    program = Program.from_cvxpy(problem, [parameter], [X])
    parameter.value = good
    problem.solve(cp.CLARABEL)
    np.testing.assert_allclose(program(good), X.value, atol=1e-5)
    with pytest.raises(ArgumentError, match="Program parameter s: got a value that is not"):
        program(bad)
    run = jax.jit(jax.vmap(lambda value: (program.solve(value).status, jax.grad(lambda v: jnp.sum(program(v)))(value))))
    status, slope = run(jnp.stack([good, bad]))
    assert status.tolist() == [Status.SOLVED, Status.BAD_DATA]
    assert np.isfinite(slope).all()
    np.testing.assert_array_equal(slope[1], 0.0)


def test_tangents_of_parameters(x64):
    program = Program.from_cvxpy(cp.Problem(cp.Minimize(cp.sum_squares(X - 2 * P)), [X >= 0]), [P], [X])
    moved = program.forward_differentiate(jnp.array([1.0, -1.0]), tangents={"p": jnp.ones(2)})
    np.testing.assert_allclose(moved.x, [2.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(moved.z[0], [0.0, -4.0], atol=1e-5)


def test_known_values_of_declared_parameters_inside_jit(x64):
    weight = cp.Parameter(name="w", nonneg=True)
    program = Program.from_cvxpy(
        cp.Problem(cp.Minimize(cp.sum_squares(X - P) + 2 * weight * cp.sum(X))), [P, weight], [X]
    )
    found = jax.jit(lambda p: program(p, 1.0))(jnp.array([1.0, 3.0]))
    np.testing.assert_allclose(found, [0.0, 2.0], atol=1e-8)
    moved = jax.jit(lambda t: program.forward_differentiate(jnp.ones(2), jnp.ones(()), tangents={"w": t}).x)(2.0)
    np.testing.assert_allclose(moved, [-2.0, -2.0], atol=1e-8)
    below = jnp.asarray(-1.0)
    with pytest.raises(ArgumentError, match="w: got a value that is not nonnegative"):
        jax.jit(lambda p: program(p, below))(jnp.ones(2))


@pytest.mark.parametrize("attributes", [{}, {"nonneg": True}, {"PSD": True}], ids=str)
def test_parameters_and_variables_without_entries(attributes):
    empty, nothing = cp.Parameter((0, 0), name="e", **attributes), cp.Variable(0)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(X - P) + cp.sum(empty) * X[0] + cp.sum(nothing)))
    program = Program.from_cvxpy(problem, [P, empty], [X, nothing])
    found = program(jnp.array([1.0, 2.0]), jnp.zeros((0, 0)))
    np.testing.assert_allclose(found[0], [1.0, 2.0], atol=1e-6)
    assert found[1].shape == (0,)


def test_an_older_cvxpy_is_named(monkeypatch):
    x = cp.Variable(2)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.8.2")
    with pytest.raises(MissingDependencyError, match=r"CVXPY 1\.8\.2; expected CVXPY 1\.9 or newer; pip install"):
        Program.from_cvxpy(cp.Problem(cp.Minimize(cp.sum(x)), [x >= 0]), [], [x])
