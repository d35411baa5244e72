"""The interior point of whole batches: beside Clarabel, in JAX as in NumPy, among neighbours that have no solution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs import Status, cones, solve_cone
from argflux.programs import conic as primitive
from argflux.programs.cones.form import ConeBlocks, ConeForm
from argflux.programs.cones.product import Product
from argflux.programs.solvers import Settings, conicbatch, conichosted
from argflux.programs.solvers.symmetric import Layout, Scaled
from tests.programs.cones.random_programs import inside, program

MANY, SETTINGS = 40, Settings("auto", 1e-8, 200, "zero")
MIXED = [
    cones.SecondOrder(3), cones.Zero(2), cones.NonNegative(4), cones.Semidefinite(3), cones.SecondOrder(5),
    cones.SecondOrder(3), cones.NonNegative(1), cones.SecondOrder(1), cones.Semidefinite(1),
]  # fmt: skip
PROGRAMS = {
    "orthant": ([cones.NonNegative(9)], 5),
    "second-order": ([cones.SecondOrder(4), cones.SecondOrder(1), cones.SecondOrder(4), cones.SecondOrder(3)], 6),
    "semidefinite": ([cones.Semidefinite(4), cones.Semidefinite(2)], 6),
    "mixed": (MIXED, 9),
}


def batch(kinds, n):
    """A form, and programs of it that have solutions."""
    parts = [np.stack(part) for part in zip(*[program(seed, kinds, n) for seed in range(MANY)], strict=True)]
    return ConeForm(n, Product.of(kinds), "dense"), ConeBlocks(*parts)


@pytest.mark.parametrize("name", PROGRAMS)
def test_solutions_are_those_of_clarabel(name):
    form, values = batch(*PROGRAMS[name])
    with np.errstate(all="ignore"):
        together, status, steps = conicbatch.solve_together(form, SETTINGS, values, MANY)
        alone, others, _ = conichosted._solve_alone(form, SETTINGS, values, MANY)
    assert np.all(others == Status.SOLVED)
    assert np.mean(status == Status.SOLVED) >= 0.95
    assert steps.max() < 25
    worth = lambda x: np.einsum("bi,bij,bj->b", x, values.P, x) / 2 + np.sum(x * values.q, 1)
    good = status == Status.SOLVED
    np.testing.assert_allclose(worth(together.answer.x)[good], worth(alone.answer.x)[good], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ["second-order", "mixed"])
def test_jax_and_numpy_take_the_same_steps(name, x64):
    form, values = batch(*PROGRAMS[name])
    with np.errstate(all="ignore"):
        found, steps = conicbatch.interior_points(form, values, 100)
    run = jax.jit(lambda values: conicbatch.interior_points(form, values, 100))
    other, count = run(ConeBlocks(*map(jnp.asarray, values)))
    np.testing.assert_array_equal(steps, count)
    for ours, theirs in zip(found, other, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_an_accelerator_runs_the_steps_and_the_host_makes_them_exact(x64, monkeypatch):
    kinds, n = PROGRAMS["mixed"]
    values = batch(kinds, n)[1]
    P = values.P + np.eye(n)

    def solve():
        run = jax.vmap(lambda P, q, A, b: solve_cone(P, q, A, b, kinds))
        objective = lambda q: jnp.sum(run(P, q, values.A, values.b).x ** 2)
        return jax.jit(run)(P, *values[1:]), jax.jit(jax.grad(objective))(values.q)

    expected, slope = solve()
    jax.clear_caches()
    monkeypatch.setattr(primitive, "_is_accelerated", lambda: True)
    found, other = solve()
    jax.clear_caches()
    assert np.all(found.status == Status.SOLVED)
    assert np.all(found.iterations > 1)
    np.testing.assert_allclose(found.x, expected.x, atol=1e-9)
    np.testing.assert_allclose(other, slope, rtol=1e-6, atol=1e-8)


def test_neighbours_that_have_no_solution_change_nothing(x64):
    kinds, n = [cones.NonNegative(6), cones.SecondOrder(4)], 4
    values = batch(kinds, n)[1]
    P, q, A, b = (np.array(v) for v in values)
    A[3, :2], b[3, :2] = [[1, 0, 0, 0], [-1, 0, 0, 0]], [-1, -1]
    P[5], q[5], A[5] = 0, [1, 0, 0, 0], [[1, 0, 0, 0]] * 6 + [[0] * 4] * 4
    b[5] = 1
    q[7, 0] = np.nan
    run = jax.jit(jax.vmap(lambda *blocks: solve_cone(*blocks, kinds)))
    s, alone = run(P, q, A, b), run(*values)
    assert [int(s.status[i]) for i in (3, 5, 7)] == [
        Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE, Status.BAD_DATA,
    ]  # fmt: skip
    others = np.delete(np.arange(MANY), [3, 5, 7])
    assert np.all(s.status[others] == Status.SOLVED)
    np.testing.assert_allclose(s.x[others], alone.x[others], atol=1e-10)


def test_a_limit_of_one_step_is_kept():
    form, values = batch(*PROGRAMS["mixed"])
    with np.errstate(all="ignore"):
        _, steps = conicbatch.interior_points(form, values, 1)
    assert steps.max() == 1


def test_scalings_take_slacks_and_duals_to_one_point():
    r, layout = np.random.default_rng(0), Layout.of(Product.of(MIXED))
    every = [np.concatenate([inside(r, cone, dual) for cone in MIXED])[None] for dual in (False, True)]
    s, z = (v[:, layout.order[: layout.rows]] for v in every)
    scaled = Scaled.of(layout, s, z)
    np.testing.assert_allclose(scaled.each("scaled", s), scaled.point, atol=1e-12)
    np.testing.assert_allclose(scaled.each("slack", scaled.point), s, atol=1e-12)
    np.testing.assert_allclose(scaled.each("dual", scaled.point), z, atol=1e-12)
    matrix = scaled.each("scaled", np.stack([s, 2 * z], 2))
    np.testing.assert_allclose(matrix[..., 1], 2 * scaled.each("scaled", z), atol=1e-12)
    v = r.normal(size=s.shape)
    np.testing.assert_allclose(scaled.each("divided", scaled.each("product", scaled.point, v)), v, atol=1e-12)
    step = scaled.each("scaled", v)
    assert abs(layout.low(s + v / scaled.rate(step)[:, None])[0]) < 1e-10
