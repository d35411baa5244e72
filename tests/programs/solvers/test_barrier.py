"""The interior point method for nonlinear programs: known solutions, each way to end, and batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs.answers.status import Status
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.solvers.barrier import barrier_points, lanes

pytestmark = pytest.mark.usefixtures("x64")
INF = np.inf


def solve(form, start, lower=-INF, upper=INF, operands=(), **options):
    rows = lambda v: jnp.broadcast_to(jnp.asarray(v, jnp.float64), (len(start), form.n))
    start, operands = jnp.asarray(start, jnp.float64), tuple(jnp.asarray(a, jnp.float64) for a in operands)
    run = jax.jit(lambda *given: barrier_points(form, given[3:], *given[:3], **options))
    return jax.tree.map(np.asarray, run(start, rows(lower), rows(upper), *operands))


def statuses(answer) -> list[str]:
    return [Status(int(code)).name for code in answer.status]


HS071 = NonlinearForm(
    4,
    1,
    1,
    lambda x, p: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2],
    lambda x, p: jnp.sum(x**2)[None] - p[1],
    lambda x, p: p[0] - jnp.prod(x)[None],
)


def test_known_solution_and_multipliers():
    answer = solve(HS071, [[1, 5, 5, 1]], 1, 5, [[[25, 40]]])
    assert statuses(answer) == ["SOLVED"]
    assert answer.iterations[0] <= 10
    np.testing.assert_allclose(answer.x[0], [1, 4.74299964, 3.82114998, 1.37940829], atol=1e-8)
    np.testing.assert_allclose([answer.y[0, 0], answer.z[0, 0]], [0.16146857, 0.55229366], atol=1e-8)
    np.testing.assert_allclose(answer.z_lower[0], [1.08787123, 0, 0, 0], atol=1e-8)
    assert not answer.z_upper.any()


def test_instances_do_not_look_at_each_other():
    right = np.random.default_rng(0).uniform([24, 39], [26, 41], (6, 2))
    right[2] = [1000, 40]  # the product is at most 100
    right[4] = [np.nan, 40]
    together = solve(HS071, [[1, 5, 5, 1]] * 6, 1, 5, [right])
    assert statuses(together) == ["SOLVED"] * 2 + ["LOCALLY_INFEASIBLE", "SOLVED", "BAD_DATA", "SOLVED"]
    for i in (0, 5):
        alone = solve(HS071, [[1, 5, 5, 1]], 1, 5, [right[i : i + 1]])
        np.testing.assert_allclose(together.x[i], alone.x[0], atol=1e-11)
        assert together.iterations[i] == alone.iterations[0]


@pytest.mark.parametrize("share", [1, 8])
def test_batches_go_through_lanes(share, monkeypatch):
    """Forty instances in five lanes, some shared operands, some hard, some broken: each ends as it does in a crowd."""
    rng = np.random.default_rng(1)
    right = rng.uniform([24, 39], [26, 41], (40, 2))
    right[[3, 30]], right[[4, 39]] = [1000, 40], [np.nan, 40]
    starts = rng.uniform(1, 5, (40, 4))
    together = solve(HS071, starts, 1, 5, [right])
    monkeypatch.setattr(lanes, "FEWEST", 5)
    monkeypatch.setattr(lanes, "MOST", 5)
    monkeypatch.setattr(lanes, "SHARE", share)
    found = solve(HS071, starts, 1, 5, [right])
    assert statuses(found) == statuses(together)
    assert set(statuses(found)) == {"SOLVED", "LOCALLY_INFEASIBLE", "BAD_DATA"}
    np.testing.assert_allclose(found.x, together.x, atol=1e-9)
    # Another width of the batch rounds otherwise, which a last test of progress may see.
    np.testing.assert_allclose(found.iterations, together.iterations, atol=1)
    shared, repeated = (solve(HS071, starts, 1, 5, [a]) for a in (right[:1], right[:1].repeat(40, 0)))
    np.testing.assert_allclose(shared.x, repeated.x, atol=1e-9)


def test_a_solution_nearby_is_a_good_start():
    right = np.array([[25, 40], [25.2, 40.1], [24.5, 39.8]])
    cold = solve(HS071, [[1, 5, 5, 1]] * 3, 1, 5, [right])
    known = [np.repeat(v[:1], 3, 0) for v in (cold.x, cold.y, cold.z, cold.z_lower, cold.z_upper)]
    warm = solve(HS071, known[0], 1, 5, [right], duals=tuple(known[1:]))
    assert statuses(warm) == ["SOLVED"] * 3
    np.testing.assert_allclose(warm.x, cold.x, atol=1e-9)
    assert (warm.iterations <= 4).all()


def test_what_is_not_active_has_no_multiplier():
    form = NonlinearForm(1, 0, 1, lambda x, r: (x[0] - 1) ** 2, None, lambda x, r: x - r)
    answer = solve(form, [[0]] * 4, [[-10]] * 4, [[10]] * 4, [[[3], [1], [0.5], [-20]]])
    assert statuses(answer) == ["SOLVED"] * 3 + ["LOCALLY_INFEASIBLE"]
    np.testing.assert_allclose(answer.x[:3, 0], [1, 1, 0.5], atol=1e-8)
    np.testing.assert_allclose(answer.z[:3, 0], [0, 0, 1], atol=1e-8)
    assert not answer.z_lower[:3].any()
    assert not answer.z_upper[:3].any()


def test_unknowns_with_equal_bounds_are_fixed():
    form = NonlinearForm(3, 1, 0, lambda x: jnp.sum(x**2), lambda x: (jnp.sum(x) - 3)[None])
    answer = solve(form, [[0, 0, 0]] * 2, [[2, -INF, 0], [1, 1, 1]], [[2, INF, 5], [1, 1, 1]])
    assert statuses(answer) == ["SOLVED"] * 2
    np.testing.assert_allclose(answer.x, [[2, 0.5, 0.5], [1, 1, 1]], atol=1e-9)
    np.testing.assert_allclose(answer.z_lower[0], [3, 0, 0], atol=1e-9)


def test_objectives_without_a_least_value():
    assert statuses(solve(NonlinearForm(2, 0, 0, lambda x: x[0] - x[1]), [[0, 0]])) == ["DUAL_INFEASIBLE"]


def test_objectives_that_fall_along_constraints_or_without_a_limit():
    forced = NonlinearForm(2, 1, 0, lambda x: -x[0], lambda x: (jnp.exp(x[0] - x[1]) - 1)[None])
    assert statuses(solve(forced, [[1, 1]], 0.0)) == ["DUAL_INFEASIBLE"]
    assert statuses(solve(NonlinearForm(1, 0, 0, lambda x: jnp.sinh(x[0])), [[0]])) == ["DUAL_INFEASIBLE"]


def test_numbers_that_are_none():
    form = NonlinearForm(1, 0, 0, lambda x: x[0] - jnp.log(x[0]))
    answer = solve(form, [[0.01], [-1]])
    assert statuses(answer) == ["SOLVED", "BAD_DATA"]
    np.testing.assert_allclose(answer.x[0], [1], atol=1e-9)
    square = NonlinearForm(1, 0, 0, lambda x: x[0] ** 2)
    assert statuses(solve(square, [[0], [0], [INF]], [[1], [np.nan], [0]], [[0], [1], [1]])) == ["BAD_DATA"] * 3


def test_violations_that_cannot_be_smaller():
    circle = NonlinearForm(2, 1, 0, lambda x, r: x[0], lambda x, r: jnp.sum(x**2)[None] - r)
    answer = solve(circle, [[1, 1]] * 2, operands=[[[-1], [2]]])
    assert statuses(answer) == ["LOCALLY_INFEASIBLE", "SOLVED"]
    np.testing.assert_allclose(answer.x, [[0, 0], [-np.sqrt(2), 0]], atol=1e-6)


def test_more_equalities_than_unknowns():
    rows = lambda x, r: jnp.stack([x[0] - 2, x[1] - 1, x[0] + x[1] - r[0]])
    form = NonlinearForm(2, 3, 0, lambda x, r: jnp.sum((x - 1) ** 2), rows)
    answer = solve(form, [[0, 0]] * 2, operands=[[[3], [4]]])
    assert statuses(answer) == ["SOLVED", "LOCALLY_INFEASIBLE"]
    np.testing.assert_allclose(answer.x[0], [2, 1], atol=1e-9)


def test_dependent_constraints():
    rows = lambda x: jnp.stack([jnp.sum(x**2) - 1, 2 * jnp.sum(x**2) - 2])
    answer = solve(NonlinearForm(2, 0, 2, lambda x: x[0] + x[1], None, rows), [[0.1, 0.2]])
    assert statuses(answer) == ["SOLVED"]
    np.testing.assert_allclose(answer.x[0], [-np.sqrt(0.5)] * 2, atol=1e-8)
    np.testing.assert_allclose(answer.z[0] @ [1, 2], np.sqrt(0.5), atol=1e-8)


def test_steps_are_counted():
    valley = NonlinearForm(2, 0, 0, lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2)
    few = solve(valley, [[-1.2, 1]], max_iterations=5)
    assert statuses(few) == ["ITERATION_LIMIT"]
    assert few.iterations[0] == 5
    np.testing.assert_allclose(solve(valley, [[-1.2, 1]]).x, [[1, 1]], atol=1e-9)


@pytest.mark.parametrize("n", [6, 40])
def test_systems_small_and_large(n):
    """Chained Rosenbrock on a sphere: the factors go by columns in the first and by LAPACK in the second."""
    valley = lambda x: jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    form = NonlinearForm(n, 1, 1, valley, lambda x: jnp.sum(x**2)[None] - n / 2, lambda x: x[:1] - 0.9)
    answer = solve(form, [[0.5] * n])
    assert statuses(answer) == ["SOLVED"]
    x, y, z = answer.x[0], answer.y[0], answer.z[0]
    slope = np.asarray(jax.grad(valley)(x)) + 2 * y * x + np.r_[z, np.zeros(n - 1)]
    np.testing.assert_allclose(slope, 0, atol=1e-8)
    np.testing.assert_allclose(x @ x, n / 2)
