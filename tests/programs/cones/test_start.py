"""Earlier solutions as starts: the same answers, without the solver's iterations where they are near."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.errors import DtypeError, ShapeError
from argflux.programs import Program, Status, solve_cone
from tests.programs.cones.random_programs import KINDS, program

FIELDS = ("x", "s", "z", "objective")


@pytest.mark.parametrize("name", KINDS)
def test_near_starts_lead_to_the_same_solution(name, x64):
    r = np.random.default_rng(3)
    kinds = [af.cones.NonNegative(4), *(KINDS[name](r) for _ in range(3))]
    P, q, A, b = program(5, kinds, 6)
    P = P + np.eye(6)
    run = jax.jit(lambda q, start: solve_cone(P, q, A, b, kinds, start=start))
    start = solve_cone(P, q, A, b, kinds)
    moved = jnp.asarray(q * (1 + 1e-6))
    warm, cold = run(moved, start), solve_cone(P, moved, A, b, kinds)
    assert warm.status == Status.SOLVED == cold.status
    assert warm.iterations == 0 < cold.iterations
    assert warm.regularity == cold.regularity
    for field in FIELDS:
        np.testing.assert_allclose(getattr(warm, field), getattr(cold, field), atol=1e-8, rtol=1e-8)
    slopes = [jax.jacobian(lambda q, s=s: run(q, s).x)(moved) for s in (start, cold)]
    np.testing.assert_allclose(slopes[0], slopes[1], atol=1e-7, rtol=1e-7)
    alone = jax.jacobian(lambda q: solve_cone(P, q, A, b, kinds).x)(moved)
    np.testing.assert_allclose(slopes[0], alone, atol=1e-7, rtol=1e-7)


def ball():
    """Points of a ball, of a halfspace, above an exponential, whose matrix is semidefinite, with bounds."""

    def inequality(x, p):
        return {
            "near": af.cones.second_order(jnp.ones(2), jnp.stack([x[:2] - p, x[1:] - p])),
            "sum": jnp.sum(x) - 1.0,
            "above": af.cones.exponential(x[0], 1.0, x[1] + 2.0),
            "matrix": af.cones.semidefinite(jnp.diag(x + 2.0) + jnp.ones((3, 3))),
        }

    equality = lambda x, p: x[0] - x[2]
    return Program(lambda x, p: jnp.sum((x - 2) ** 2), (3,), equality=equality, inequality=inequality, lower=-0.5)


def test_solutions_of_programs_are_starts(x64):
    """In a batch of which some are near and one has no solution."""
    points = jnp.array([[0.01, 0.02], [0.0, 0.001], [0.4, 0.3], [9.0, 9.0], [0.0, 0.0]])
    start = ball().solve(jnp.zeros(2))
    warm = jax.jit(jax.vmap(lambda p: ball().solve(p, start=start)))(points)
    cold = jax.vmap(ball().solve)(points)
    assert warm.status.tolist() == cold.status.tolist() == [0, 0, 0, int(Status.PRIMAL_INFEASIBLE), 0]
    assert not any(warm.iterations[k] for k in (0, 1, 4))
    assert warm.iterations[3] == cold.iterations[3] > 0
    for ours, theirs in zip(jax.tree.leaves((warm.x, warm.z)), jax.tree.leaves((cold.x, cold.z)), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)
    slope = jax.grad(lambda p, start: ball().solve(p, start=start).objective)
    np.testing.assert_allclose(slope(points[0], start), slope(points[0], None), atol=1e-8)
    mine = af.gradient(lambda p: ball().solve(p, start=start).objective, points[0])[0]
    np.testing.assert_allclose(mine, slope(points[0], None), atol=1e-8)


def test_what_is_no_start_is_named():
    q, A, b = jnp.ones(2), -jnp.eye(2), jnp.zeros(2)
    solve = lambda q, A, b, **options: solve_cone(None, q, A, b, [af.cones.NonNegative(len(b))], **options)
    with pytest.raises(DtypeError, match=r"solve_cone.*start=… of type ArrayImpl; expected a ConeSolution"):
        solve(q, A, b, start=q)
    with pytest.raises(ShapeError, match=r"a start with z of shape.*\[1\].*\[2\]"):
        solve(q, A, b, start=solve(q, A[:1], b[:1]))
    with pytest.raises(ShapeError, match="a start with"):
        ball().solve(jnp.zeros(2), start=Program(lambda x: jnp.sum(x**2), (3,), lower=0.0).solve())
