"""Derivatives across modes and engines, of second order, of shared matrices and at degenerate points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.autodiff import gradient
from argflux.programs import Regularity, Status, solve_lp, solve_qp
from tests.programs.instances import Case, blocks_of

CASES = [Case(6, p=2, m=4, bounded=True, seed=4), Case(4, p=1, m=3, bounded=True, linear=True, seed=7)]


def solve(blocks):
    rest = {name: block for name, block in blocks.items() if name != "P"}
    return solve_qp(blocks.get("P"), **rest)


def weighted(solution):
    """One number in which every field of a solution counts, each weighted at random."""
    r = np.random.default_rng(99)
    fields = [solution.x, solution.y, solution.z, solution.z_lower, solution.z_upper, solution.objective[None]]
    return sum(jnp.vdot(jnp.asarray(r.normal(size=f.shape)), f) for f in fields)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward_reverse_and_our_engine_agree(case, x64):
    blocks = blocks_of(case)
    r = np.random.default_rng(2)
    tangents = {name: jnp.asarray(r.normal(size=block.shape)) for name, block in blocks.items()}

    def loss(blocks):
        return weighted(solve(blocks))

    forward = jax.jit(lambda b, t: jax.jvp(loss, (b,), (t,))[1])(blocks, tangents)
    for grads in (jax.jit(jax.grad(loss))(blocks), jax.jit(lambda b: gradient(loss, b)[0])(blocks)):
        reverse = sum(jnp.vdot(grads[name], tangents[name]) for name in blocks)
        np.testing.assert_allclose(reverse, forward, rtol=1e-9)


def test_second_derivatives_agree_with_finite_differences(x64):
    blocks = blocks_of(Case(5, p=1, m=4, bounded=True, seed=11))
    first = jax.jit(jax.grad(lambda q: jnp.sum(solve(blocks | {"q": q}).x ** 3)))
    q = blocks["q"]
    second = jax.jit(jax.jacfwd(first))(q)
    for i in range(q.size):
        step = 1e-6 * jnp.eye(q.size)[i]
        np.testing.assert_allclose(second[:, i], (first(q + step) - first(q - step)) / 2e-6, atol=1e-6)
    ours = jax.jit(
        lambda q: jax.jacfwd(lambda q: gradient(lambda q: jnp.sum(solve(blocks | {"q": q}).x ** 3), q)[0])(q)
    )(q)
    np.testing.assert_allclose(ours, second, atol=1e-10)


def test_a_matrix_shared_by_the_batch_gets_the_sum_of_gradients(x64):
    blocks = blocks_of(Case(4, m=3, seed=12))
    q = jnp.stack([blocks["q"], -blocks["q"], 2 * blocks["q"]])

    def one(P, G, q):
        return jnp.sum(solve_qp(P, q, G=G, h=blocks["h"]).x ** 2)

    def together(P, G):
        return jnp.sum(jax.vmap(lambda q: one(P, G, q))(q))

    by_one = jax.jit(jax.grad(one, (0, 1)))
    each = [by_one(blocks["P"], blocks["G"], row) for row in q]
    for derive in (jax.grad(together, (0, 1)), lambda P, G: gradient(together, P, G)):
        got = jax.jit(derive)(blocks["P"], blocks["G"])
        np.testing.assert_allclose(got[0], sum(e[0] for e in each), atol=1e-10)
        np.testing.assert_allclose(got[1], sum(e[1] for e in each), atol=1e-10)


def test_a_duplicate_active_row_gives_the_least_norm_derivative_and_says_so(x64):
    def solve_twice(h):
        return solve_qp(jnp.eye(1), jnp.array([-2.0]), G=jnp.ones((2, 1)), h=h)

    s = jax.jit(solve_twice)(jnp.ones(2))
    assert Regularity.LICQ in Regularity(int(s.regularity))
    np.testing.assert_allclose(s.x, [1.0], atol=1e-10)
    np.testing.assert_allclose(jax.jit(jax.jacobian(lambda h: solve_twice(h).x))(jnp.ones(2)), [[0.5, 0.5]], atol=1e-8)


def test_a_linear_program_with_an_edge_of_solutions_says_so_and_has_finite_derivatives(x64):
    def solve_edge(c):
        return solve_lp(c, A=jnp.ones((1, 2)), b=jnp.ones(1), lower=0.0)

    s = jax.jit(solve_edge)(jnp.ones(2))
    assert int(s.status) == Status.SOLVED
    assert Regularity.NON_UNIQUE in Regularity(int(s.regularity))
    assert bool(jnp.all(jnp.isfinite(jax.jit(jax.jacobian(lambda c: solve_edge(c).x))(jnp.ones(2)))))
    np.testing.assert_allclose(jax.jit(jax.grad(lambda c: solve_edge(c).objective))(jnp.ones(2)), s.x, atol=1e-9)


def test_smoothing_lets_a_linear_program_move_with_its_cost(x64):
    c = jnp.array([1.0, 1.2])
    jacobian = jax.jacobian(lambda c: solve_lp(c, A=jnp.ones((1, 2)), b=jnp.ones(1), lower=0.0, smoothing=1.0).x)(c)
    np.testing.assert_allclose(jacobian, [[-0.5, 0.5], [0.5, -0.5]], atol=1e-12)


@pytest.mark.parametrize("curvature", ["diagonal", "dense"])
@pytest.mark.parametrize("inequalities", [True, False])
def test_a_free_variable_without_curvature(x64, curvature, inequalities):
    P = jnp.array([1.0, 0.0]) if curvature == "diagonal" else jnp.diag(jnp.array([1.0, 0.0]))
    rows = {"G": jnp.array([[1.0, 1.0]]), "h": jnp.array([9.0])} if inequalities else {}
    x = lambda b: solve_qp(P, jnp.array([-1.0, 0.5]), jnp.array([[1.0, -1.0]]), b, **rows).x
    b = jnp.array([1.0])
    np.testing.assert_allclose(x(b), [0.5, -0.5], atol=1e-9)
    for jacobian in (jax.jacfwd, jax.jacrev, lambda f: lambda b: af.jacobian(f, b)):
        np.testing.assert_allclose(jacobian(x)(b), [[0.0], [-1.0]], atol=1e-9)


@pytest.mark.parametrize("field", ["x", "y", "z", "z_lower", "objective"])
def test_jacobian_of_each_field_alone(x64, field):
    def solved(b):
        A, G, h = jnp.ones((1, 3)), jnp.eye(2, 3), jnp.array([0.1, 0.2])
        return getattr(solve_qp(jnp.ones(3), -jnp.ones(3), A, b[None], G, h, lower=0.0), field)

    b = jnp.array(1.5)
    forward = jax.jacfwd(solved)(b)
    np.testing.assert_allclose(forward, (solved(b + 1e-5) - solved(b - 1e-5)) / 2e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jacrev(solved)(b), forward, atol=1e-9)
    np.testing.assert_allclose(af.jacobian(solved, b), forward, atol=1e-9)


def test_a_constant_cotangent_of_mapped_matrices(x64):
    blocks = blocks_of(Case(4, p=1, m=3, seed=13))
    P = jnp.stack([blocks["P"], 2 * blocks["P"]])

    def total(P):
        return jnp.sum(solve(blocks | {"P": P}).x)

    for derive in (jax.grad(total), lambda P: gradient(total, P)[0]):
        together, alone = jax.jit(jax.vmap(derive))(P), jax.jit(derive)
        np.testing.assert_allclose(together, [alone(one) for one in P], atol=1e-10)
