"""Diagonal programs within bounds: closed form, statuses of single elements, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs import Program, Regularity, Status, solve_qp
from argflux.programs.boxed import solve_boxed

FIELDS = ("x", "z_lower", "z_upper", "objective")


def fields(solution):
    return [getattr(solution, name) for name in FIELDS]


def data(seed=0, n=12):
    keys = jax.random.split(jax.random.key(seed), 4)
    P = jax.random.uniform(keys[0], (n,), minval=0.5, maxval=2.0)
    low = -jax.random.uniform(keys[2], (n,))
    return P, 2 * jax.random.normal(keys[1], (n,)), low, low + 2 * jax.random.uniform(keys[3], (n,))


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_general_solver(x64, seed):
    P, q, low, high = data(seed)
    mine, general = solve_boxed(P, q, low, high), solve_qp(P, q, lower=low, upper=high, solver="pivoting")
    for a, b in zip(fields(mine), fields(general), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)
    assert int(mine.status) == Status.SOLVED
    assert int(mine.regularity) == Regularity.REGULAR
    np.testing.assert_allclose(P * mine.x + q - mine.z_lower + mine.z_upper, 0, atol=1e-12)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("block", range(4))
def test_derivatives_are_finite_differences(x64, name, block):
    blocks = data()

    def run(value):
        return getattr(solve_boxed(*blocks[:block], value, *blocks[block + 1 :]), name)

    direction = jax.random.normal(jax.random.key(7), blocks[block].shape)
    step = 1e-6
    numeric = (run(blocks[block] + step * direction) - run(blocks[block] - step * direction)) / (2 * step)
    np.testing.assert_allclose(jax.jvp(run, (blocks[block],), (direction,))[1], numeric, atol=1e-7)


BAD = {
    "NaN": (1.0, jnp.nan, -1.0, 1.0, Status.BAD_DATA),
    "not convex": (-1.0, 1.0, -1.0, 1.0, Status.BAD_DATA),
    "crossed bounds": (1.0, 1.0, 1.0, -1.0, Status.BAD_DATA),
    "unbounded below": (0.0, 1.0, -jnp.inf, 1.0, Status.DUAL_INFEASIBLE),
    "unbounded above": (0.0, -1.0, -1.0, jnp.inf, Status.DUAL_INFEASIBLE),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("on_failure", ["zero", "nan"])
def test_a_bad_element_harms_no_other(name, on_failure):
    *bad, status = BAD[name]
    blocks = [jnp.array([good, wrong]) for good, wrong in zip((2.0, -2.0, 0.0, 3.0), bad, strict=True)]

    @jax.jit
    def run(*blocks):
        s = solve_boxed(*blocks, on_failure=on_failure)
        return s.x[0] + s.x[1] + s.z_lower.sum() + s.z_upper.sum(), s

    (_, s), grads = jax.value_and_grad(run, argnums=(0, 1, 2, 3), has_aux=True)(*blocks)
    assert int(s.status) == status
    assert float(s.x[0]) == 1.0
    np.testing.assert_allclose([g[0] for g in grads], [-0.5, -0.5, 0.0, 0.0])
    if on_failure == "zero":
        assert [float(g[1]) for g in grads] == [0.0] * 4
        assert float(s.x[1]) == 0.0
    else:
        assert np.isnan(s.x[1])
        assert np.isnan(grads[1][1])


def test_degenerate_elements_are_flagged():
    assert int(solve_boxed(jnp.ones(1), jnp.zeros(1), jnp.zeros(1), None).regularity) == 2
    assert int(solve_boxed(None, jnp.zeros(1), jnp.zeros(1), jnp.ones(1)).regularity) == 4
    assert int(solve_boxed(None, jnp.ones(1), jnp.zeros(1), jnp.ones(1)).regularity) == 0


def test_fixed_elements_have_duals_of_their_sign():
    s = solve_boxed(jnp.ones(2), jnp.array([3.0, -3.0]), jnp.zeros(2), jnp.zeros(2))
    assert s.x.tolist() == [0.0, 0.0]
    assert s.z_lower.tolist() == [3.0, 0.0]
    assert s.z_upper.tolist() == [0.0, 3.0]


def test_linear_boxes_are_solved():
    program = Program(lambda x, c: jnp.vdot(c, x), variable=lambda c: c, lower=-1.0, upper=2.0)
    assert program(jnp.array([1.0, -1.0])).tolist() == [-1.0, 2.0]


def test_compiles_to_elementwise_code():
    """Nothing is reduced or sorted when only the minimiser is wanted."""
    program = Program(lambda x, y: jnp.sum(x * x) - 2 * jnp.vdot(y, x), variable=lambda y: y, lower=0.0)
    text = jax.jit(program).lower(jnp.ones((10, 100))).compile().as_text()
    assert "reduce(" not in text
    assert "while" not in text
    assert "f64" not in text


def test_zeros_have_no_sign():
    for q in (0.0, -0.0):
        x = jax.jit(lambda q: solve_boxed(jnp.ones(1), q, None, None).x)(jnp.array([q]))
        assert str(x[0]) == "0.0"
        s = jax.jit(lambda q: solve_qp(jnp.eye(2), q, G=jnp.ones((1, 2)), h=jnp.ones(1)))(jnp.array([q, q]))
        assert [str(v) for v in [*s.x, *s.z, s.objective]] == ["0.0"] * 4
