"""`on_failure="closest"`: right sides moved by least, where that is known in closed form or by quadratic programs."""

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.programs import Program, Status, solve_cone, solve_qp

CLOSE = 2e-6


def two_balls(on_failure="closest"):
    """Points of the unit ball around the origin and of that around p; of several, the lowest."""
    inequality = lambda x, p: (af.cones.second_order(1.0, x - p), af.cones.second_order(1.0, x))
    objective = lambda x, p: x[1] + jnp.sum(x**2)
    return Program(objective, variable=(2,), inequality=inequality, on_failure=on_failure)


def test_balls_that_do_not_meet(x64):
    """The point in the middle is the nearest to both, and moves half as far as p; the other instance has points."""
    batch = jnp.array([[4.0, 0.0], [1.0, 0.0]])
    found = jax.jit(jax.vmap(two_balls().solve))(batch)
    assert found.status.tolist() == [Status.SOLVED] * 2
    np.testing.assert_allclose(found.x[0], [2.0, 0.0], atol=CLOSE)
    np.testing.assert_allclose(found.x[1], two_balls("zero")(batch[1]), atol=1e-12)
    slopes = jax.vmap(jax.jacobian(two_balls()))(batch)
    np.testing.assert_allclose(slopes[0], np.eye(2) / 2, atol=CLOSE)
    np.testing.assert_allclose(slopes[1], jax.jacobian(two_balls("zero"))(batch[1]), atol=1e-12)


def test_solutions_are_of_moved_programs(x64):
    """What is returned meets the conditions of optimality with `A x + s` in the place of b."""
    q, A, b = jnp.ones(2), jnp.array([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]]), jnp.array([0.0, 0.0, -2.0])
    cones = [af.cones.NonNegative(3)]
    found = solve_cone(None, q, A, b, cones, on_failure="closest")
    again = solve_cone(None, q, A, A @ found.x + found.s, cones)
    assert found.status == Status.SOLVED == again.status
    np.testing.assert_allclose(found.x, again.x, atol=1e-9)
    np.testing.assert_allclose(q + A.T @ found.z, 0, atol=1e-9 * float(jnp.max(found.z)))


@pytest.mark.parametrize("seed", range(4))
def test_quadratic_programs_are_moved_alike(seed, x64):
    """Equalities and inequalities that contradict; of points that are as near as others the objective picks one."""
    r = np.random.default_rng(seed)
    n, p, m = 4, 2, 5
    A, b = r.normal(size=(p, n)), r.normal(size=p)
    G, h = r.normal(size=(m, n)), r.normal(size=m)
    A, b, G, h = np.r_[A, A[:1]], np.r_[b, b[:1] + 0.3], np.r_[G, -G[:1]], np.r_[h, -h[:1] - 0.5]
    q = r.normal(size=n)
    right = jnp.asarray(np.r_[b, h])

    def by_cones(right):
        cones = [af.cones.Zero(p + 1), af.cones.NonNegative(m + 1)]
        return solve_cone(jnp.ones(n), q, np.r_[A, G], right, cones, on_failure="closest")

    def by_solve_qp(right):
        return solve_qp(jnp.ones(n), q, A, right[: p + 1], G, right[p + 1 :], on_failure="closest")

    ours, theirs = by_cones(right), by_solve_qp(right)
    assert ours.status == Status.SOLVED == theirs.status
    np.testing.assert_allclose(ours.x, theirs.x, atol=CLOSE)
    np.testing.assert_allclose(ours.objective, theirs.objective, atol=10 * CLOSE)
    d, h = r.normal(size=right.shape), 1e-3
    numeric = (by_solve_qp(right + h * d).x - by_solve_qp(right - h * d).x) / (2 * h)
    np.testing.assert_allclose(jax.jvp(lambda right: by_cones(right).x, (right,), (d,))[1], numeric, atol=1e-5)


def test_bounds_stay_where_they_are(x64):
    ball = Program(
        lambda x, p: jnp.sum(x),
        variable=(2,),
        inequality=lambda x, p: af.cones.second_order(0.5, x - p),
        lower=0.0,
        on_failure="closest",
    )
    found = ball.solve(jnp.array([-2.0, 1.0]))
    assert found.status == Status.SOLVED
    np.testing.assert_allclose(found.x, [0.0, 1.0], atol=1e-5)
    assert float(found.x.min()) >= -1e-9


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
def test_matrices_of_any_size(size, x64):
    """Between the given matrix and the semidefinite one nearest to it: both constraints give way alike."""
    M = np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.5], [0.0, 0.5, -1.0]]) * size
    X, p = cp.Variable((3, 3), symmetric=True), cp.Parameter((3, 3), symmetric=True)
    problem = cp.Problem(cp.Minimize(cp.trace(X)), [X >> 0, p == X])
    found = Program.from_cvxpy(problem, [p], [X], on_failure="closest").solve(jnp.asarray(M))
    assert found.status == Status.SOLVED
    values, vectors = np.linalg.eigh(M)
    between = (vectors * np.where(values < 0, values / 2, values)) @ vectors.T
    np.testing.assert_allclose(found.x, between, atol=CLOSE * size)


def test_unbounded_and_bad_instances_stay_as_they_are():
    q, A = jnp.array([-1.0, 0.0]), -jnp.eye(2)
    b, cones = jnp.zeros(2), [af.cones.NonNegative(2)]
    run = lambda q: solve_cone(None, q, A, b, cones, on_failure="closest")
    assert jax.jit(run)(q).status == Status.DUAL_INFEASIBLE
    assert jax.jit(run)(q * jnp.nan).status == Status.BAD_DATA


def test_large_sparse_programs(x64):
    """Two chains of distances of which one is too short."""
    n = 800
    objective = lambda x, ends: jnp.sum(x**2)

    def inequality(x, ends):
        steps = jnp.concatenate([x[:1] - ends[:1], x[1:] - x[:-1], ends[1:] - x[-1:]])
        return af.cones.second_order(0.5 * jnp.ones(n + 1), steps[:, None])

    program = Program(objective, variable=(n,), inequality=inequality, on_failure="closest")
    found = program.solve(jnp.array([0.0, (n + 1) * 1.0]))
    assert found.status == Status.SOLVED
    np.testing.assert_allclose(found.x, np.arange(1.0, n + 1), atol=n * 1e-2)
