"""Derivatives of every block: extended precision, finite differences, and forward against reverse."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from argflux.programs import Regularity, Status, solve_qp
from tests.compiling import QUICK
from tests.programs.extended import FIELDS, exact_gradient
from tests.programs.instances import Case, blocks_of

CASES = [
    Case(1, m=1),
    Case(3, p=1, m=2, seed=1),
    Case(5, p=2, seed=2),
    Case(6, m=8, seed=3),
    Case(6, bounded=True, seed=13),
    Case(6, p=2, m=4, bounded=True, seed=4),
    Case(7, p=1, bounded=True, diagonal=True, seed=8),
    Case(7, p=2, m=3, bounded=True, diagonal=True, seed=10),
    Case(8, p=2, m=4, bounded=True, scale=1e6, seed=5),
    Case(8, p=2, m=4, bounded=True, scale=1e-6, seed=6),
    Case(6, p=1, m=3, spread=6.0, seed=12),
    Case(4, p=1, m=3, bounded=True, linear=True, seed=7),
    Case(10, p=3, m=5, bounded=True, linear=True, seed=9),
    Case(6, p=1, m=4, bounded=True, linear=True, scale=1e6, seed=11),
    Case(50, p=10, m=30, seed=6),
    pytest.param(Case(300, p=1, bounded=True, diagonal=True, seed=3), marks=pytest.mark.slow),
    pytest.param(Case(300, p=20, m=60, seed=1), marks=pytest.mark.slow),
]


def solve(blocks):
    return solve_qp(blocks.get("P"), **{name: block for name, block in blocks.items() if name != "P"})


def weights_for(solution):
    """Random weights for every field, so that each counts alike whatever its size."""
    r = np.random.default_rng(99)
    fields = {name: np.asarray(getattr(solution, name)) for name in FIELDS}
    return {name: r.normal(size=f.shape) / max(np.max(np.abs(f), initial=0.0), 1e-300) for name, f in fields.items()}


def weigh(solution, weights):
    return sum(jnp.vdot(weights[name], getattr(solution, name)) for name in FIELDS)


@functools.partial(jax.jit, compiler_options=QUICK)
def everything(blocks, weights, tangents):
    """Gradient and directional derivatives along the tangents of each block alone."""
    _, push = jax.linearize(lambda blocks: weigh(solve(blocks), weights), blocks)
    alone = {k: jnp.stack([t if k == name else jnp.zeros_like(t) for name in blocks]) for k, t in tangents.items()}
    along = dict(zip(blocks, jax.vmap(push)(alone), strict=True))
    return jax.linear_transpose(push, blocks)(jnp.ones(()))[0], along


solved = jax.jit(solve, compiler_options=QUICK)


def directions_for(blocks):
    r = np.random.default_rng(1)
    return {name: r.normal(size=np.shape(b)) * np.abs(b) for name, b in blocks.items()}


def check_exact(blocks, s, relative=1e-9):
    """Compare with extended precision, and forward with reverse."""
    weights, tangents = weights_for(s), directions_for(blocks)
    grads, along = everything(blocks, weights, tangents)
    fields, exact = exact_gradient(blocks, s, weights)
    for name in FIELDS:
        size = float(np.max(np.abs(fields[name]), initial=0.0))
        np.testing.assert_allclose(getattr(s, name), fields[name].astype(float), atol=relative * size, err_msg=name)
    for name in blocks:
        expected = exact[name].astype(float)
        np.testing.assert_allclose(grads[name], expected, atol=relative * np.max(np.abs(expected)), err_msg=name)
        reverse, size = jnp.vdot(grads[name], tangents[name]), np.vdot(np.abs(expected), np.abs(tangents[name]))
        np.testing.assert_allclose(along[name], reverse, rtol=0, atol=relative * size + 1e-300, err_msg=name)
    return weights, tangents, grads


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case}"[5:-1].replace("=", "").replace(", ", "-"))
def test_derivatives_of_every_block(case, x64):
    blocks = blocks_of(case)
    names, tangents = list(blocks), directions_for(blocks)
    steps = 1e-5 * np.array([-2.0, -1.0, 1.0, 2.0])
    around = {
        name: jnp.stack([block, *(block + (name == other) * t * tangents[name] for other in names for t in steps)])
        for name, block in blocks.items()
    }
    solutions = jax.jit(jax.vmap(solve), compiler_options=QUICK)(around)
    s = jax.tree.map(lambda a: a[0], solutions)
    assert int(s.status) == Status.SOLVED
    weights, tangents, grads = check_exact(blocks, s)
    values = jax.vmap(lambda s: weigh(s, weights))(solutions)[1:].reshape(len(names), 4)
    slopes = (8 * (values[:, 2] - values[:, 1]) - (values[:, 3] - values[:, 0])) / 12e-5
    for name, slope in zip(names, slopes, strict=True):
        size = float(jnp.vdot(jnp.abs(grads[name]), jnp.abs(tangents[name])))
        np.testing.assert_allclose(
            jnp.vdot(grads[name], tangents[name]), slope, rtol=0, atol=1e-6 * size + 1e-8, err_msg=name
        )


exponents = st.floats(-6.0, 6.0)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    objective=exponents,
    rows=st.lists(st.floats(-3.0, 3.0), min_size=5, max_size=5),
    linear=st.booleans(),
)
def test_derivatives_of_programs_of_any_scale(seed, objective, rows, linear):
    with jax.enable_x64(True):
        blocks = blocks_of(Case(4, p=1, m=4, bounded=True, linear=linear, seed=seed))
        scale = 10.0 ** np.array(rows)
        for name in ("P", "q"):
            if name in blocks:
                blocks[name] = blocks[name] * 10.0**objective
        blocks |= {"A": blocks["A"] * scale[0], "b": blocks["b"] * scale[0]}
        blocks |= {"G": blocks["G"] * scale[1:, None], "h": blocks["h"] * scale[1:]}
        s = solved(blocks)
        assert int(s.status) == Status.SOLVED
        assume(int(s.regularity) == Regularity.REGULAR)
        check_exact(blocks, s, 1e-8)


def test_a_free_unknown_without_curvature_among_many(x64):
    """The row alone says where it is, and it takes all that the row's right side moves by."""
    n = 450
    P, target = jnp.ones(n).at[0].set(0.0), jnp.linspace(-1.0, 1.0, n)

    def solution(b, a):
        return solve_qp(P, -P * target, A=jnp.ones((1, n)).at[0, 0].set(a), b=b[None], upper=5.0)

    b, a = jnp.asarray(3.0), jnp.asarray(2.0)
    first = solution(b, a).check().x[0]
    for jacobian in (jax.jacfwd, jax.jacrev):
        to_b, to_a = jax.jit(jacobian(lambda b, a: solution(b, a).x, (0, 1)), compiler_options=QUICK)(b, a)
        np.testing.assert_allclose(to_b, jnp.zeros(n).at[0].set(0.5), atol=1e-8)
        np.testing.assert_allclose(to_a, jnp.zeros(n).at[0].set(-first / 2), atol=1e-8)
