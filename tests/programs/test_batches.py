"""What is solved for a batch at once: dependent rows and vertices against systems solved one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.programs.answers.ranks import null_parts
from argflux.programs.derivatives import reduced
from argflux.programs.derivatives.dependent import are_dependent, solve_dependent
from argflux.programs.derivatives.kkt import kkt_p
from argflux.programs.derivatives.reduced import solve_reduced
from argflux.programs.forms.form import Form


def dependent(batch: int) -> list:
    """Rows of sizes 1 to 100 that depend on each other in every second instance; some variables are fixed."""
    r, n, p, m = np.random.default_rng(0), 7, 4, 3
    A, G = r.normal(size=(batch, p, n)), 100 * r.normal(size=(batch, m, n))
    A[::2, 3] = 2 * A[::2, 0] + A[::2, 1]
    active = np.concatenate([np.ones((batch, p)), r.uniform(size=(batch, m)) < 0.3], 1).astype(np.int32)
    fixed = (r.uniform(size=(batch, n)) < 0.2).astype(np.int32)
    return [r.uniform(0.1, 10, (batch, n)), A, G, active, fixed]


def right(batch: int, n: int = 7, rows: int = 7) -> list:
    r = np.random.default_rng(1)
    return [r.normal(size=(batch, size)) for size in (n, rows, n)]


def test_dependent_rows_have_the_least_norm_of_each_alone():
    form, operands, sides = Form(7, 4, 3, "diagonal", True, True), dependent(20), right(20)
    expected = solve_reduced(*[*operands, np.full(20, 2), *sides], form=form)
    for a, b in zip(solve_dependent(*operands, *sides), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8 * np.abs(b).max())


def test_dependence_is_that_of_each_alone():
    form, operands = Form(7, 4, 3, "diagonal", True, True), dependent(20)
    alone = [null_parts(form, *(part[i] for part in operands))[1] for i in range(20)]
    assert 0 < sum(alone) < 20
    np.testing.assert_array_equal(are_dependent(*operands), alone)
    shared = [operands[0], operands[1][:1], *operands[2:]]  # the equalities of all depend on each other
    assert are_dependent(*shared).all()


@pytest.mark.parametrize("mode", [1, 2])
def test_one_system_for_many_right_sides(mode):
    form = Form(7, 4, 3, "diagonal", True, True)
    operands, sides, none = [part[:1] for part in dependent(1)], right(5), np.zeros((1, 0, 0, 2), np.uint32)
    narrow = [np.asarray(part, np.float32) for part in operands[:3]]
    given = [*narrow, *operands[3:], np.full(1, mode, np.int32), none, none, *[r.astype(np.float32) for r in sides]]
    expected = solve_reduced(*[*operands, np.full(1, 2), *sides], form=form)
    for a, b in zip(kkt_p.bind(*given, form=form), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(b).max())


def test_vertices_are_those_of_each_alone(monkeypatch):
    """Instances with one to four free variables, one of which is singular; the matrix G is shared."""
    r, batch, n, p, m = np.random.default_rng(0), 40, 4, 1, 5
    A, G = r.normal(size=(batch, p, n)), r.normal(size=(1, m, n))
    fixed, active = np.zeros((batch, n), np.int32), np.zeros((batch, p + m), np.int32)
    active[:, 0] = 1
    for i in range(batch):
        count = i % 3
        fixed[i, r.permutation(n)[:count]] = 1
        active[i, 1 + r.permutation(m)[: n - count - 1]] = 1
    A[0], G[0, 4] = G[0, 0], 2 * G[0, 1]
    active[0] = [1, 1, 1, 0, 1, 0]
    form, operands = Form(n, p, m, "none", True, True), [np.zeros((1, 0)), A, G, active, fixed, np.ones(batch)]
    together = solve_reduced(*operands, *right(batch, n, p + m), form=form)
    monkeypatch.setattr(reduced, "solve_vertices", lambda *_: np.zeros(batch, bool))
    alone = solve_reduced(*operands, *right(batch, n, p + m), form=form)
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8 * np.abs(b).max())


A, b = jnp.ones((1, 2)), jnp.ones(1)
OF_NONE = {
    "quadratic": lambda q: af.solve_qp(jnp.eye(2), q, A, b, lower=0.0),
    "in XLA": lambda q: af.solve_qp(jnp.eye(2), q, A, b, lower=0.0, solver="pivoting"),
    "linear": lambda q: af.solve_lp(q, A, b, lower=0.0),
    "one row": lambda q: af.solve_qp(jnp.ones(2), q, A, b),
    "functions": af.Program(lambda x, y: (x - y) @ (x - y), (2,), equality=lambda x, y: jnp.sum(x) - 1).solve,
}


@pytest.mark.parametrize("name", OF_NONE)
@pytest.mark.parametrize("shape", [(0, 2), (3, 0, 2), (0, 3, 2)], ids=str)
def test_a_batch_of_none_has_answers_and_derivatives_of_none(name, shape):
    solve = OF_NONE[name]
    for _ in shape[1:]:
        solve = jax.vmap(solve)
    q = jnp.zeros(shape)
    loss = lambda q: jnp.sum(solve(q).x) + jnp.sum(solve(q).objective)
    solution = solve(q).check()
    assert (solution.x.shape, solution.status.shape) == (shape, shape[:-1])
    assert jax.grad(loss)(q).shape == jax.jit(jax.grad(loss))(q).shape == af.gradient(loss, q)[0].shape == shape


def test_layers_of_programs_take_batches_of_none():
    for layer in (af.project(af.simplex(2)), af.soft_sort, af.ProgramLayer(OF_NONE["functions"].__self__)):
        assert (
            layer(jnp.zeros((0, 2))).shape == af.gradient(lambda x, f=layer: jnp.sum(f(x)), jnp.zeros((0, 2)))[0].shape
        )
