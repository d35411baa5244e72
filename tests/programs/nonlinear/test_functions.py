"""Nonlinear programs as users state them: classes, starts, options, agreement with other classes, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError
from argflux.programs import NonlinearError, Program, Status, cones, solve_qp

SQUARE = lambda x, y: jnp.sum((x - y) ** 2)
WELL = lambda x, y: jnp.sum(jnp.exp(x) - x * y)
BALL = lambda x, y: x @ x - 1
KINDS = {
    "LP": (lambda x, y: y @ x, {"lower": 0.0}, "the objective and the constraints are affine"),
    "QP": (SQUARE, {}, "the objective is quadratic.*`.*` at test_functions.py"),
    "cone": (SQUARE, {"inequality": lambda x, y: cones.second_order(1.0, x)}, "members of cones"),
    "nonlinear": (SQUARE, {"inequality": BALL}, "the inequality is quadratic.*`dot_general` at test_functions.py"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kind(name):
    objective, constraints, why = KINDS[name]
    found = Program(objective, 2, **constraints).kind(jnp.ones(2))
    assert found == name
    assert __import__("re").search(why, found.why)


def test_agreement_with_quadratic_programs(x64):
    """A quadratic program whose rows hide behind functions that are not affine."""
    rng = np.random.default_rng(0)
    root, q, G, A = (jnp.asarray(rng.normal(size=shape)) for shape in ((5, 5), 5, (3, 5), (1, 5)))
    P, h, b = root @ root.T + jnp.eye(5), jnp.array([0.1, -0.2, 5.0]), jnp.array([0.3])
    hidden = Program(
        lambda x, P, q, G, h, A, b: x @ P @ x / 2 + q @ x,
        5,
        equality=lambda x, P, q, G, h, A, b: jnp.exp(A @ x - b) - 1.0,
        inequality=lambda x, P, q, G, h, A, b: jnp.exp(G @ x - h) - 1.0,
        lower=-0.5,
    )
    blocks = P, q, G, h, A, b
    assert hidden.kind(*blocks) == "nonlinear"
    other = lambda P, q, G, h, A, b: solve_qp(P, q, A, b, G, h, lower=-0.5)
    mine, theirs = hidden.solve(*blocks), other(*blocks)
    for name in ("x", "y", "z", "z_lower", "objective"):
        np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), atol=1e-7, err_msg=name)
    total = lambda s: jnp.sum(s.x) + jnp.sum(s.y) + jnp.sum(s.z) + s.objective
    for k in range(6):
        pair = [jax.grad(lambda *b, run=run: total(run(*b)), k)(*blocks) for run in (hidden.solve, other)]
        if k == 0:
            pair = [(slope + slope.T) / 2 for slope in pair]
        np.testing.assert_allclose(pair[0], pair[1], atol=1e-6)


def test_agreement_with_cones(x64):
    c = jnp.array([3.0, 4.0])
    ball = Program(lambda x, c: c @ x, 2, inequality=lambda x, c: cones.second_order(1.0, x))
    hidden = Program(lambda x, c: c @ x, 2, inequality=lambda x, c: x @ x - 1.0)
    np.testing.assert_allclose(hidden(c), ball(c), atol=1e-8)
    np.testing.assert_allclose(jax.jacobian(hidden)(c), jax.jacobian(ball)(c), atol=1e-7)


def test_starts(x64):
    """Two minima, each found from its side; a start outside of the bounds is moved inside; a warm start is short."""
    program = Program(lambda x, y: jnp.sum((x["a"] ** 2 - y) ** 2), {"a": (2,)}, lower=-2.0, upper=2.0)
    y = jnp.array([1.0, 0.25])
    find = lambda *point: program.solve(y, start={"a": jnp.array(point)})
    np.testing.assert_allclose(find(0.5, 0.5).x["a"], [1.0, 0.5], atol=1e-8)
    np.testing.assert_allclose(find(-0.5, 0.5).x["a"], [-1.0, 0.5], atol=1e-8)
    with pytest.warns(UserWarning, match=r"a start of 9 at \['a'\] for an unknown between -2 and 2") as told:
        np.testing.assert_allclose(find(9.0, -9.0).x["a"], [1.0, -0.5], atol=1e-8)
    assert told[0].filename == __file__
    np.testing.assert_allclose(find(2.0 + 1e-8, 0.5).x["a"], [1.0, 0.5], atol=1e-8)  # as of solvers that relax bounds
    known = find(-0.5, 0.5)
    again = program.solve(y + 1e-3, start=known)
    np.testing.assert_allclose(again.x["a"], [-np.sqrt(1.001), np.sqrt(0.251)], atol=1e-8)
    assert int(again.iterations) <= int(known.iterations)
    assert not np.any(jax.grad(lambda point: jnp.sum(find(*point).x["a"]))(jnp.array([0.5, 0.5])))


def test_tolerance_and_limit(x64):
    valley = lambda x, a: (a - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    found = Program(valley, 2, max_iterations=2).solve(1.0, start=jnp.array([-1.2, 1.0]))
    assert (int(found.status), int(found.iterations)) == (Status.ITERATION_LIMIT, 2)
    far = Program(valley, 2).solve(1.0, start=jnp.array([-1.2, 1.0]))
    np.testing.assert_allclose(far.x, [1.0, 1.0], atol=1e-9)


def run_of(*args, start=None, y=None, **kwargs):
    return lambda: Program(*args, **kwargs).solve(jnp.ones(2) if y is None else y, start=start)


NAN = jnp.array([1.0, jnp.nan])
BAD = {
    "cone": (
        run_of(WELL, 2, inequality=lambda x, y: cones.second_order(1.0, x)), NonlinearError,
        "objective: got a function that is nonlinear in the variable, by .* beside members of cones",
    ),
    "solver": (
        run_of(WELL, 2, solver="daqp"),
        ArgumentError,
        "solver='daqp' for a nonlinear program.*'auto', 'barrier', 'pounce'",
    ),
    "smoothing": (run_of(WELL, 2, smoothing=1.0), ArgumentError, "smoothing=1.0 for a nonlinear program"),
    "closest": (run_of(WELL, 2, on_failure="closest"), ArgumentError, "'closest'.*'zero', 'nan'"),
    "integers": (run_of(WELL, jnp.arange(2)), DtypeError, "integer variables are not supported"),
    "start shape": (run_of(WELL, 2, start=jnp.ones(3)), ShapeError, r"got a start of shape \[3\].*\[2\]"),
    "start tree": (run_of(WELL, 2, start={"x": 1.0}), ShapeError, "a tree .* like the variable"),
    "start text": (run_of(WELL, 2, start="zero"), DtypeError, "a start.* str|holds a str"),
    "NaN": (run_of(WELL, 2, y=NAN), DataError, "an objective that is not finite at the start"),
    "NaN equality": (
        run_of(WELL, 2, equality=lambda x, y: jnp.log(x - y)), DataError, "an equality that is not finite.*start=",
    ),
    "NaN inequality": (
        run_of(WELL, 2, inequality=lambda x, y: jnp.log(x - y)), DataError, "an inequality that is not finite",
    ),
    "NaN bound": (run_of(WELL, 2, lower=NAN), DataError, "lower with NaN"),
    "crossed bounds": (run_of(WELL, 2, lower=1.0, upper=0.0), ArgumentError, "a lower bound above the upper one"),
    "slope": (run_of(lambda x, y: jnp.linalg.norm(x), 2), DataError, "not finite at the start"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    run, error, message = BAD[name]
    with pytest.raises(error, match=message):
        run()


def test_what_is_an_error_outside_is_a_status_inside():
    solve = jax.jit(Program(WELL, 2, lower=lambda y: y[0], upper=1.0).solve)
    statuses = [int(solve(y).status) for y in (jnp.ones(2), NAN, 2 * jnp.ones(2))]
    assert statuses == [Status.SOLVED, Status.BAD_DATA, Status.BAD_DATA]


def test_kinks_are_named():
    """Where the solution is a kink the program fails, and says where; elsewhere kinks do no harm."""
    program = Program(lambda x, y: jnp.sum(jnp.abs(x - y)) + 0.1 * jnp.sum(jnp.exp(x)), 2)
    with pytest.warns(UserWarning, match="no derivative everywhere: `abs` at test_functions.py:"):
        program.solve(jnp.ones(2))
    smooth = Program(lambda x, y: jnp.sum(jnp.abs(x + 9.0) + jnp.exp(-x) - y), 2, lower=-5.0)
    assert int(smooth.solve(jnp.ones(2)).status) == Status.SOLVED


FALLING = {
    "a logarithm": (lambda x, a: x[1] ** 4 - a * jnp.log(x[0]), {"lower": 1e-3}),
    "without bounds": (lambda x, a: x[1] ** 2 - a * jnp.log1p(x[0] ** 2), {}),
    "between rows": (
        lambda x, a: -jnp.log(a + x[0] * x[1]), {"lower": 1.0, "inequality": lambda x, a: x[0] - 2 * x[1]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FALLING)
def test_what_falls_slowly_for_ever_is_unbounded(name, x64):
    """The slopes vanish far off, but not beside the distance; a minimum as far off is one."""
    objective, constraints = FALLING[name]
    assert Program(objective, 2, **constraints).solve(1.0, start=jnp.full(2, 1.5)).status == Status.DUAL_INFEASIBLE


def test_minima_that_are_far_off_are_found(x64):
    found = Program(lambda x, a: -jnp.log(x[0]) + x[0] / a, 1, lower=1e-3).solve(1e9)
    assert found.status == Status.SOLVED
    np.testing.assert_allclose(found.x, 1e9, rtol=1e-6)


def test_unbounded_and_infeasible(x64):
    assert int(Program(lambda x: -jnp.sum(jnp.exp(x)), 2).solve().status) == Status.DUAL_INFEASIBLE
    nowhere = Program(lambda x: jnp.sum(jnp.exp(x)), 2, equality=lambda x: x @ x + 1.0)
    found = nowhere.solve(start=jnp.array([0.5, -2.0]))
    assert int(found.status) == Status.LOCALLY_INFEASIBLE
    assert np.all(np.isfinite(found.x))
