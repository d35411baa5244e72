"""Programs that fall apart: found, solved as one would be, and cheap."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs import Program
from argflux.programs.pattern import Pattern
from argflux.programs.sparsity import split

pytest.importorskip("asdex")

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
