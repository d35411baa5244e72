"""Programs stated as functions: matrices given by hand, transformations, structure, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import argflux as af
from argflux.errors import ArgumentError, ControlFlowError, DataError, DtypeError, ShapeError
from argflux.programs import Program, Status, solve_lp, solve_qp

relu = Program(lambda x, y: jnp.sum(x * x) - 2 * jnp.vdot(y, x), variable=lambda y: y, lower=0.0)


def portfolio_objective(x, mean, root, risk):
    return risk * jnp.sum((root @ x) ** 2) / 2 - mean @ x


PORTFOLIO = Program(
    portfolio_objective,
    variable=lambda mean, root, risk: mean,
    equality=lambda x, *_: jnp.sum(x) - 1,
    inequality=lambda x, *_: {"most": x - 0.6, "pair": x[0] + x[1] - 0.7},
    lower=0.0,
)


def market(n=4):
    keys = jax.random.split(jax.random.key(0))
    return jax.random.normal(keys[0], (n,)), jax.random.normal(keys[1], (n, n)), jnp.asarray(1.3)


def by_hand(mean, root, risk):
    n = len(mean)
    eye, row = jnp.eye(n, dtype=mean.dtype), jnp.ones((1, n), mean.dtype)
    G = jnp.concatenate([eye, row.at[0, 2:].set(0)])
    h = jnp.full(n + 1, 0.6, mean.dtype).at[-1].set(0.7)
    return solve_qp(risk * root.T @ root, -mean, row, jnp.ones(1, mean.dtype), G, h, lower=0.0)


def test_extracted_matrices_are_those_written_by_hand(x64):
    mine, other = PORTFOLIO.solve(*market()), by_hand(*market())
    np.testing.assert_allclose(mine.x, other.x, atol=1e-9)
    np.testing.assert_allclose(mine.y, other.y[0], atol=1e-8)
    np.testing.assert_allclose(mine.z["most"], other.z[:4], atol=1e-8)
    np.testing.assert_allclose(mine.z["pair"], other.z[4], atol=1e-8)
    np.testing.assert_allclose(mine.objective, other.objective, atol=1e-9)
    np.testing.assert_allclose(mine.objective, portfolio_objective(mine.x, *market()), atol=1e-9)


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("field", ["x", "y", "objective"])
def test_derivatives_with_respect_to_parameters(x64, position, field):
    values = market()
    weights = jnp.arange(1.0, 5.0)

    def run(value):
        found = getattr(PORTFOLIO.solve(*values[:position], value, *values[position + 1 :]), field)
        return jnp.sum(found * weights) if field == "x" else found

    direction = jax.random.normal(jax.random.key(5), values[position].shape)
    step = 1e-5
    numeric = (run(values[position] + step * direction) - run(values[position] - step * direction)) / (2 * step)
    forward = jax.jvp(run, (values[position],), (direction,))[1]
    np.testing.assert_allclose(forward, numeric, rtol=1e-5, atol=1e-7)
    for gradient in (jax.grad(run)(values[position]), af.gradient(run, values[position])[0]):
        np.testing.assert_allclose(jnp.vdot(gradient, direction), forward, rtol=1e-9, atol=1e-9)


def test_second_derivative(x64):
    mean, root, risk = market()
    value = lambda risk: PORTFOLIO.solve(mean, root, risk).objective
    slope = jax.grad(value)
    numeric = (slope(risk + 1e-5) - slope(risk - 1e-5)) / 2e-5
    np.testing.assert_allclose(jax.grad(slope)(risk), numeric, rtol=1e-4)
    np.testing.assert_allclose(af.hessian(value, risk), numeric, rtol=1e-4)


def test_jit_and_vmap(x64):
    mean, root, risk = market()
    means = jnp.stack([mean, -mean, 2 * mean])
    expected = jnp.stack([PORTFOLIO(m, root, risk) for m in means])
    np.testing.assert_allclose(jax.vmap(PORTFOLIO, (0, None, None))(means, root, risk), expected, atol=1e-9)
    np.testing.assert_allclose(jax.jit(jax.vmap(PORTFOLIO, (0, None, None)))(means, root, risk), expected, atol=1e-9)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_dtype_follows_the_parameters(x64, dtype):
    y = jnp.array([[-1.0, 2.0], [3.0, -4.0]], dtype)
    s = relu.solve(y)
    assert s.x.dtype == s.objective.dtype == s.z_lower.dtype == dtype
    np.testing.assert_array_equal(s.x, np.maximum(y, 0))
    assert jax.grad(lambda y: jnp.sum(relu(y)))(y).dtype == dtype


def test_trees_for_variables_and_bounds(x64):
    program = Program(
        lambda v, c: jnp.sum((v["a"] - c) ** 2) + (v["t"] - 1) ** 2,
        variable={"a": (2, 2), "t": ()},
        inequality=lambda v, c: (jnp.sum(v["a"]) - v["t"],),
        lower=lambda c: {"a": -c, "t": 0.0},
        upper={"a": jnp.array([1.0, 2.0]), "t": jnp.inf},
    )
    s = program.solve(jnp.full((2, 2), 0.5))
    assert s.x["a"].shape == (2, 2)
    assert s.x["t"].shape == ()
    assert s.z[0].shape == ()
    np.testing.assert_allclose(s.x["a"], 0.3, atol=1e-9)
    np.testing.assert_allclose(s.x["t"], 1.2, atol=1e-9)


def test_linear_programs_are_recognised(x64):
    program = Program(lambda x, c: jnp.vdot(c, x), variable=(3,), equality=lambda x, c: jnp.sum(x) - 1.0, lower=0.0)
    c = jnp.array([0.3, -0.2, 0.5])
    other = solve_lp(c, jnp.ones((1, 3)), jnp.ones(1), lower=0.0)
    np.testing.assert_allclose(program(c), other.x, atol=1e-8)
    soft = Program(lambda x, c: jnp.vdot(c, x), (3,), equality=lambda x, c: jnp.sum(x) - 1.0, lower=0.0, smoothing=1.0)
    assert jnp.abs(jax.jacobian(soft)(c)).max() > 0.1


def test_captured_values_have_derivatives(x64):
    def loss(w):
        return jnp.sum(Program(lambda x: jnp.sum((x - w) ** 2), variable=(3,), upper=0.5)() ** 3)

    w = jnp.array([1.0, 0.2, -0.3])
    expected = [0.0, 0.12, 0.27]
    np.testing.assert_allclose(jax.grad(loss)(w), expected, atol=1e-12)
    np.testing.assert_allclose(af.gradient(loss, w)[0], expected, atol=1e-12)
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(w), expected, atol=1e-12)
    np.testing.assert_allclose(jnp.diag(jax.hessian(loss)(w)), [0.0, 1.2, -1.8], atol=1e-12)


def test_plans_are_made_once_for_every_shape():
    program = Program(lambda x, y: jnp.sum((x - y) ** 2), variable=lambda y: y, upper=1.0)
    for _ in range(3):
        program(jnp.ones(3))
    program(jnp.ones(4))
    assert len(program._plans) == 2


def test_warm_start_passes_through(x64):
    values = market()
    cold = PORTFOLIO.solve(*values)
    warm = PORTFOLIO.solve(*values, start=cold)
    np.testing.assert_allclose(warm.x, cold.x, atol=1e-10)
    assert int(warm.iterations) <= int(cold.iterations)


def test_a_start_of_another_program_is_refused():
    other = Program(lambda x, p: p * jnp.sum(x * x), variable=(2,), lower=0.0)
    start = other.solve(1.0)
    expected = r"Program\.solve: got a start with x of shape \[2\]; expected x of shape \[4\]"
    with pytest.raises(ShapeError, match=expected):
        PORTFOLIO.solve(*market(), start=start)
    with pytest.raises(ShapeError, match=r"solve_qp: got a start with no y; expected y of shape \[1\]"):
        solve_qp(jnp.eye(2), jnp.ones(2), jnp.ones((1, 2)), jnp.ones(1), start=start)
    with pytest.raises(DtypeError, match=r"solve_lp: got start=… of type \w+; expected a Solution"):
        solve_lp(jnp.ones(2), lower=0.0, start=jnp.ones(2))


def test_parameters_by_name_and_python_numbers(x64):
    mean, root, risk = market()
    np.testing.assert_allclose(PORTFOLIO(mean, risk=1.3, root=root), PORTFOLIO(mean, root, risk))


def test_failures_are_statuses_inside_jit():
    program = Program(lambda x, p: p * jnp.sum(x * x), variable=(2,), lower=0.0)
    assert int(jax.jit(program.solve)(-1.0).status) == Status.BAD_DATA
    with pytest.raises(ArgumentError, match=r"smallest eigenvalue -2.*convex program"):
        program(-1.0)


def run_of(*args, **kwargs):
    values = kwargs.pop("values", (jnp.ones(2),))
    return lambda: Program(*args, **kwargs)(*values)


SQUARE = lambda x, y: jnp.sum((x - y) ** 2)
ONES = scipy.sparse.csr_matrix(np.ones((1, 2)))
BAD = {
    "vector objective": (run_of(lambda x, y: x, 2), ShapeError, r"shape \[2\].*one number.*sum or mean"),
    "empty variable": (run_of(SQUARE, (0,)), ShapeError, "empty variable.*at least one unknown"),
    "integer variable": (run_of(SQUARE, jnp.arange(2)), DtypeError, "int32.*real floating"),
    "no template": (run_of(SQUARE, "three"), DtypeError, "a str 'three'.*a shape"),
    "comparison": (run_of(SQUARE, 2, equality=lambda x, y: x == 1), DtypeError, "equality: got bool.*difference"),
    "arity": (run_of(SQUARE, 2, equality=lambda x: x), ArgumentError, r"a function of \(x\).*\(x, y\)"),
    "bound arity": (run_of(SQUARE, 2, lower=lambda: 0.0), ArgumentError, r"Program lower: got a function of \(\)"),
    "bound shape": (run_of(SQUARE, 2, upper=jnp.ones(3)), ShapeError, r"upper: got shape \[3\].*shape \[2\]"),
    "bound tree": (run_of(SQUARE, 2, upper={"a": 1.0}), ShapeError, "upper: got a tree"),
    "no function": (run_of(3, 2), DtypeError, "objective: got a int"),
    "missing": (run_of(SQUARE, 2, values=()), ArgumentError, "no value for y.*pass y="),
    "too many": (run_of(SQUARE, 2, values=(1.0, 2.0)), ArgumentError, r"2 values.*parameters \(y\)"),
    "unknown option": (run_of(SQUARE, 2, tolerence=1e-3), ArgumentError, "keyword tolerence=0.001;.*write tolerance="),
    "crossed bounds": (run_of(SQUARE, 2, lower=1.0, upper=0.0), ArgumentError, r"lower\[0\].*above upper"),
    "NaN": (
        run_of(SQUARE, 2, values=(jnp.array([1.0, jnp.nan]),)), DataError,
        r"Program: got q\[1\] = nan; .*clean the parameters first \(q: the objective's slope at x = 0\)",
    ),
    "infinite row": (
        run_of(SQUARE, 2, equality=lambda x, y: y * x - 1, values=(jnp.array([1.0, jnp.inf]),)), DataError,
        "Program: got .*inf|Program: got .*nan",
    ),
    "not convex": (
        run_of(lambda x, y: x[0] * x[1], 2), ArgumentError,
        r"Program: got P with smallest eigenvalue -1; .*\(P: the second derivatives of the objective\)",
    ),
    "if": (run_of(lambda x, y: x @ x if y[0] > 0 else -x @ y, 2), ControlFlowError, "objective: got.*test_program.py:"),
    "float": (run_of(lambda x, y: x @ x * float(y[0]), 2), ControlFlowError, "objective: got.*`float`.*jax.lax.cond"),
    "NumPy": (run_of(SQUARE, 2, inequality=lambda x, y: np.abs(np.asarray(x))), ControlFlowError, "inequality.*jax.nu"),
    "SciPy": (run_of(SQUARE, 2, equality=lambda x, y: ONES @ x - 1), ControlFlowError, "equality.*from_scipy_sparse"),
    "if in a bound": (
        lambda: jax.jit(Program(SQUARE, 2, lower=lambda y: 0.0 if y[0] > 0 else -1.0))(jnp.ones(2)),
        ControlFlowError, "Program lower: got Python that asks for a value",
    ),
    "text": (run_of(SQUARE, 2, equality=lambda x, y: "x[0] = 1"), DtypeError, "a function that returns a str"),
    "bound of text": (run_of(SQUARE, 2, lower="0"), DtypeError, "lower: got .*str"),
    "option": (run_of(SQUARE, 2, tolerance=-1.0), ArgumentError, "Program: got tolerance=-1.0"),
    "solver": (run_of(SQUARE, 2, solver="simplex"), ArgumentError, "Program: got solver='simplex'.*'daqp'"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    run, error, message = BAD[name]
    with pytest.raises(error, match=message):
        run()


def test_unknown_and_repeated_names():
    with pytest.raises(ArgumentError, match="unknown parameter z"):
        relu(jnp.ones(2), z=1.0)
    with pytest.raises(ArgumentError, match="y twice"):
        relu(jnp.ones(2), y=jnp.ones(2))


def test_representation():
    assert repr(relu) == "Program(y)"
    assert repr(PORTFOLIO) == "Program(portfolio_objective; mean, root, risk)"
    assert PORTFOLIO.parameters == ("mean", "root", "risk")


def test_layer_of_a_chain():
    """A program and relu give the same network, values and gradients."""
    keys = jax.random.split(jax.random.key(1))
    build = lambda act: af.Chain(af.Dense(3, 4, key=keys[0]), act, af.Dense(4, 2, key=keys[1]))
    x = jax.random.normal(jax.random.key(2), (5, 3))
    loss = lambda m: jnp.sum(m(x) ** 2)
    (mine,), (other,) = (af.gradient(loss, build(act)) for act in (relu, af.relu))
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert "Program(y)" in str(build(relu))
