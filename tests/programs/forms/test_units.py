"""Programs stated in any units have one solution, one derivative and one verdict on regularity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs import Regularity, Status, solve_lp, solve_qp

SCALES = np.array([1e-8, 1e-4, 1.0, 1e4, 1e8])


def check(solutions, expected=Regularity.REGULAR):
    np.testing.assert_array_equal(solutions.status, Status.SOLVED)
    np.testing.assert_array_equal(solutions.regularity, expected)


SOLVERS = ["pivoting", "daqp"]


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_share_beside_its_cost(solver, x64):
    """The nearest x in [0, 1] to a, beside t = S x: x = a, whatever the unit of t."""

    def solve(a, S):
        q, A = jnp.stack([-a, 0 * a]), jnp.stack([S, -jnp.ones(())])[None]
        lower, upper = jnp.array([0.0, -jnp.inf]), jnp.array([1.0, jnp.inf])
        return solve_qp(jnp.array([1.0, 0.0]), q, A, jnp.zeros(1), lower=lower, upper=upper, solver=solver)

    run = jax.vmap(jax.value_and_grad(lambda a, S: (lambda s: (s.x[0], s))(solve(a, S)), has_aux=True), (None, 0))
    (x, s), slope = run(jnp.asarray(0.05), SCALES)
    check(s)
    np.testing.assert_allclose(x, 0.05, rtol=1e-9)
    np.testing.assert_allclose(slope, 1.0, rtol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_unknowns_that_have_nothing_to_do_with_each_other(solver, x64):
    def solve(a, S):
        G = jnp.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        q = -jnp.stack([a, S, -a])
        return solve_qp(jnp.ones(3), q, G=G, h=jnp.array([1.0, 1.0]), lower=0.0, solver=solver)

    s = jax.vmap(solve, (None, 0))(jnp.asarray(0.05), SCALES[1:])
    slopes = jax.vmap(jax.jacobian(lambda a, S: solve(a, S).x), (None, 0))(jnp.asarray(0.05), SCALES[1:])
    check(s)
    np.testing.assert_allclose(slopes, jnp.broadcast_to(jnp.array([1.0, 0.0, 0.0]), slopes.shape), atol=1e-9)


def transport(scale_cost, scale_right, scale_row):
    c, A, b = jnp.array([1.0, 3.0, 2.0, 5.0]), jnp.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]), jnp.ones(2)
    G, h = jnp.array([[1.0, 0.0, 1.0, 0.0]]), jnp.array([1.25])
    rows = jnp.stack([scale_row, jnp.ones(())])
    run = lambda b: solve_lp(
        scale_cost * c, rows[:, None] * A, rows * b, scale_row * G, scale_row * scale_right * h, lower=0.0
    )
    return run(scale_right * b), jax.jacobian(lambda b: run(b).x)(scale_right * b)


@pytest.mark.parametrize("which", ["cost", "right", "row"])
@pytest.mark.parametrize("scale", [[1e-11, 1e-9, 1e-4, 1e4, 1e8, 1e11]])
def test_the_corner_does_not_depend_on_scales(which, scale, x64):
    scales, ones = jnp.array(scale), jnp.ones(len(scale))
    given = [scales if name == which else ones for name in ("cost", "right", "row")]
    s, slopes = jax.vmap(transport)(*given)
    reference, slope = transport(*jnp.ones((3, 1))[:, 0])
    check(s)
    np.testing.assert_allclose(s.x / given[1][:, None], jnp.broadcast_to(reference.x, s.x.shape), atol=1e-9)
    np.testing.assert_allclose(slopes, jnp.broadcast_to(slope, slopes.shape), atol=1e-9)


@pytest.mark.parametrize("solve", [lambda c, **k: solve_lp(c, **k), lambda c, **k: solve_qp(1e-3 * c**2, c, **k)])
def test_rows_of_tiny_norm_are_rows(solve, x64):
    for scale in (1e-6, 1e-9, 1e-12):
        s = solve(-jnp.ones(1), G=jnp.array([[scale]]), h=jnp.array([scale]), lower=0.0, upper=5.0)
        assert int(s.status) == Status.SOLVED
        np.testing.assert_allclose(s.x, 1.0, rtol=1e-8)


def test_entries_that_highs_would_drop(x64):
    s = solve_lp(-jnp.ones(1), G=jnp.array([[1e-9]]), h=jnp.ones(1), lower=0.0)
    np.testing.assert_allclose(s.check().x, 1e9)
    s = solve_lp(jnp.ones(1), G=jnp.array([[-1e-9]]), h=-jnp.ones(1))
    np.testing.assert_allclose(s.check().x, 1e9)


def test_a_kink_is_still_a_kink_in_any_unit(x64):
    """At x = 0 a bound holds without a force; the derivative that holds it is 0."""

    def relu(y, S):
        return solve_qp(jnp.ones(2), -S * jnp.stack([y, 1.0 + y]), lower=0.0)

    s = jax.vmap(relu, (None, 0))(jnp.zeros(()), SCALES)
    check(s, Regularity.STRICT_COMPLEMENTARITY)
    slopes = jax.vmap(jax.jacobian(lambda y, S: relu(y, S).x), (None, 0))(jnp.zeros(()), SCALES)
    np.testing.assert_allclose(slopes[:, 0], 0.0)
    np.testing.assert_allclose(slopes[:, 1], SCALES)


def test_motion_in_metres_and_newtons(x64):
    """Positions of 1e-3, forces of 1e4, masses of 1e7: the Jacobian is that of the problem in units near one."""

    def plan(start, metre, newton):
        A = jnp.array([[1.0, 0.0, -0.5, 0.0], [-1.0, 1.0, 0.0, -0.5]]) * jnp.array(
            [1, 1, metre / newton, metre / newton]
        )
        b = jnp.stack([start, 0 * start])
        P = jnp.array([1.0, 1.0, 0.1, 0.1]) / jnp.array([metre, metre, newton, newton]) ** 2
        reach = jnp.array([metre, metre, 0.3 * newton, 0.3 * newton])
        return solve_qp(P, jnp.zeros(4), A, b, lower=-reach, upper=reach)

    run = lambda metre, newton: plan(0.8 * metre, metre, newton)
    s = jax.vmap(run)(jnp.array([1.0, 1e-3]), jnp.array([1.0, 1e4]))
    slopes = jax.vmap(lambda m, n: jax.jacobian(lambda x: plan(x, m, n).x)(0.8 * m))(
        jnp.array([1.0, 1e-3]), jnp.array([1.0, 1e4])
    )
    check(s)
    np.testing.assert_allclose(s.x[1] / jnp.array([1e-3, 1e-3, 1e4, 1e4]), s.x[0], atol=1e-9)
    np.testing.assert_allclose(slopes[1] * jnp.array([1.0, 1.0, 1e-7, 1e-7]), slopes[0], atol=1e-9)
