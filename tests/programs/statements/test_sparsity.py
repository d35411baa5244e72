"""Programs that fall apart: found, solved as one would be, and cheap."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs import Program, solve_qp
from argflux.programs.forms.pattern import Pattern, Sparse
from argflux.programs.statements import sparseblocks
from argflux.programs.statements.sparsity import split

pytest.importorskip("asdex", exc_type=ImportError)

rows = Program(
    lambda x, y: jnp.sum((x - y) ** 2), variable=lambda y: y, equality=lambda x, y: x.sum(1) - 1.0, lower=0.0
)
row = Program(lambda x, y: jnp.sum((x - y) ** 2), variable=lambda y: y, equality=lambda x, y: x.sum() - 1.0, lower=0.0)


def test_split_programs_are_those_of_their_parts(x64):
    y = jax.random.normal(jax.random.key(0), (60, 10))
    (group,) = rows._plan((y,)).groups
    assert group.unknowns.shape == (60, 10)
    assert group.equalities.shape == (60, 1)
    np.testing.assert_allclose(rows(y), jax.vmap(row)(y), atol=1e-9)
    gradient = lambda f: jax.grad(lambda y: jnp.sum(jnp.sin(f(y))))(y)
    np.testing.assert_allclose(gradient(rows), gradient(jax.vmap(row)), atol=1e-9)
    s = rows.solve(y)
    assert s.y.shape == (60,)
    np.testing.assert_allclose(s.objective, jnp.sum(jax.vmap(row.solve)(y).objective), atol=1e-8)
    np.testing.assert_allclose(rows(y, start=s), s.x, atol=1e-9)


def test_dense_curvature_and_mixed_sizes(x64):
    """Columns of the variable are coupled through a matrix; one extra scalar stands alone."""
    M = jnp.array([[2.0, 0.5], [0.5, 1.0]])
    both = Program(
        lambda v, y: jnp.einsum("ij,jk,ik->", v["x"], M, v["x"]) / 2 - jnp.vdot(v["x"], y) + (v["t"] - 3.0) ** 2,
        variable=lambda y: {"x": y, "t": jnp.zeros(())},
        inequality=lambda v, y: v["x"].sum(1) - 1.0,
    )
    y = jax.random.normal(jax.random.key(1), (50, 2)) * 3
    plan = both._plan((y,))
    assert sorted(group.unknowns.shape for group in plan.groups) == [(1, 1), (50, 2)]
    one = Program(lambda x, y: x @ M @ x / 2 - x @ y, variable=(2,), inequality=lambda x, y: x.sum() - 1.0)
    s = both.solve(y)
    np.testing.assert_allclose(s.x["x"], jax.vmap(one)(y), atol=1e-9)
    np.testing.assert_allclose(s.x["t"], 3.0, atol=1e-9)
    np.testing.assert_allclose(s.z, jax.vmap(one.solve)(y).z, atol=1e-9)


def test_connected_programs_stay_whole():
    rows = Pattern.of([0, 0, 1, 1], [0, 1, 1, 2], (2, 3))
    assert split(3, None, rows, None) == ()


def test_rows_without_entries_belong_somewhere():
    rows = Pattern.of([0, 0], [0, 1], (2, 2))
    groups = split(4, None, rows, None)
    assert sum(group.equalities.size for group in groups) == 2
    assert sum(group.unknowns.size for group in groups) == 4


def test_transposed_squares_are_found_diagonal():
    tied = Program(lambda x, y: jnp.sum(jnp.concatenate([x, x]) ** 2) - jnp.vdot(x, y), variable=lambda y: y, lower=0.0)
    y = jnp.linspace(-1.0, 1.0, 80)
    assert tied._plan((y,)).curvature == "diagonal"
    np.testing.assert_allclose(tied(y), np.maximum(y, 0) / 4, rtol=1e-6)


@pytest.fixture
def spied(monkeypatch):
    """Sizes of what solvers are given: (instances, unknowns) of every call."""
    from argflux.programs import solve

    calls = []
    real = solve.solve_blocks

    def spy(form, settings, blocks, start):
        calls.append((max(block.shape[0] for block in blocks), form.n))
        return real(form, settings, blocks, start)

    monkeypatch.setattr(solve, "solve_blocks", spy)
    return calls


def many_small(count):
    """`count` independent programs of three variables with dense matrices, as the blocks of one."""
    r = np.random.default_rng(0)
    factor, G = r.normal(size=(count, 3, 3)), r.normal(size=(count, 2, 3))
    P = factor @ factor.transpose(0, 2, 1) + np.eye(3)
    return P, r.normal(size=(count, 3)), G, r.uniform(0.1, 1.0, size=(count, 2))


def block_diagonal(matrices):
    """The pattern and the values of a block-diagonal matrix."""
    count, height, width = matrices.shape
    k, i, j = np.indices(matrices.shape).reshape(3, -1)
    return Sparse(
        jnp.asarray(matrices.ravel()), Pattern.of(k * height + i, k * width + j, (count * height, count * width))
    )


def test_a_thousand_small_programs_are_one_batch_in_one_call(spied, x64):
    P, q, G, h = many_small(1000)
    whole = solve_qp(block_diagonal(P), q.ravel(), G=block_diagonal(G), h=h.ravel()).check()
    assert spied == [(1000, 3)]
    each = jax.vmap(lambda P, q, G, h: solve_qp(P, q, G=G, h=h))(*map(jnp.asarray, (P, q, G, h)))
    np.testing.assert_allclose(whole.x, each.x.ravel(), atol=1e-9)
    np.testing.assert_allclose(whole.z, each.z.ravel(), atol=1e-9)


def test_dense_matrices_fall_apart_where_their_values_are_known(spied, x64):
    P, q, G, h = many_small(30)
    dP, dG = block_diagonal(P).dense(), block_diagonal(G).dense()
    known = solve_qp(dP, q.ravel(), G=dG, h=h.ravel()).check()
    assert spied == [(30, 3)]
    traced = jax.jit(lambda P: solve_qp(P, q.ravel(), G=dG, h=h.ravel()).x)(dP)
    assert spied[-1] == (1, 90)
    np.testing.assert_allclose(known.x, traced, atol=1e-8)
    grad = jax.grad(lambda q: jnp.sum(solve_qp(dP, q, G=dG, h=h.ravel()).x ** 2))(jnp.asarray(q.ravel()))
    whole = jax.jit(jax.grad(lambda q, P: jnp.sum(solve_qp(P, q, G=dG, h=h.ravel()).x ** 2)))(
        jnp.asarray(q.ravel()), dP
    )
    np.testing.assert_allclose(grad, whole, atol=1e-7)


def test_one_part_that_fails_takes_the_whole_with_it(x64, monkeypatch):
    monkeypatch.setattr(sparseblocks, "SMALL", 0)
    eye = Sparse(jnp.ones(4), Pattern.of(range(4), range(4), (4, 4)))
    G = Sparse(jnp.array([1.0, 1.0, 1.0, -1.0]), Pattern.of([0, 0, 1, 2], [0, 1, 2, 2], (3, 4)))
    run = lambda h, how: solve_qp(eye, -jnp.ones(4), G=G, h=h, on_failure=how)
    h = jnp.array([1.0, 0.0, -1.0])
    assert int(run(h, "zero").status) == 1
    np.testing.assert_array_equal(jax.jacobian(lambda h: run(h, "zero").x)(h), 0.0)
    assert np.isnan(run(h, "nan").x).all()
