"""Projections and soft orders against closed forms."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.errors import ArgumentError, DataError, ShapeError
from argflux.programs import Polyhedron, affine, box, halfspace, increasing, project, simplex, soft_rank, soft_sort

A, b = jnp.array([[1.0, 2.0, -1.0, 0.5], [0.0, 1.0, 1.0, 1.0]]), jnp.array([1.0, -0.5])
NORMAL = jnp.array([1.0, -2.0, 0.5, 1.0])


def on_simplex(x):
    ordered = np.sort(x)[::-1]
    shift = (np.cumsum(ordered) - 1) / np.arange(1, len(x) + 1)
    return np.maximum(x - shift[np.nonzero(ordered > shift)[0][-1]], 0)


def pooled(x):
    blocks = []
    for value in x:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (v, m), (w, n) = blocks.pop(), blocks.pop()
            blocks.append([(v * m + w * n) / (m + n), m + n])
    return np.concatenate([[value] * count for value, count in blocks])


CLOSED = {
    "simplex": (simplex(4), on_simplex),
    "box": (box(-0.5, 1.0), lambda x: np.clip(x, -0.5, 1.0)),
    "halfspace": (halfspace(NORMAL, 0.3), lambda x: x - NORMAL * max(NORMAL @ x - 0.3, 0) / (NORMAL @ NORMAL)),
    "affine": (affine(A, b), lambda x: x - np.linalg.pinv(A) @ (A @ x - b)),
    "increasing": (increasing(4), pooled),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name):
    polyhedron, expected = CLOSED[name]
    x = 2 * jax.random.normal(jax.random.key(3), (7, 4))
    np.testing.assert_allclose(project(polyhedron)(x), [expected(np.asarray(row)) for row in x], atol=1e-5)
    assert project(polyhedron)(x[0]).shape == (4,)


def test_bad_input():
    with pytest.raises(ArgumentError, match="no constraints"):
        Polyhedron()
    with pytest.raises(ShapeError, match=r"project: got shape \[\]"):
        project(simplex(3))(jnp.asarray(1.0))
    with pytest.raises(ShapeError, match=r"project: got points of 4 coordinates; expected 3, as A of the polyhedron"):
        project(simplex(3))(jnp.ones(4))
    with pytest.raises(ShapeError, match=r"project: got points of 4 coordinates; expected 2, as upper of the poly"):
        project(box(0.0, jnp.ones(2)))(jnp.ones((5, 4)))
    with pytest.raises(DataError, match=r"project: got x\[1, 0\] = nan"):
        project(simplex(2))(jnp.array([[0.0, 1.0], [jnp.nan, 1.0]]))
    with pytest.raises(ArgumentError, match=r"project: got lower\[0\] = 2.0 above upper\[0\] = 1.0"):
        project(box(2.0, 1.0))(jnp.ones(2))
    with pytest.raises(ArgumentError, match="project: got A without b"):
        project(Polyhedron(A=jnp.ones((1, 2))))(jnp.ones(2))
    with pytest.raises(ArgumentError, match="strength=0"):
        soft_rank(jnp.ones(3), strength=0.0)
    with pytest.raises(ShapeError, match="soft_sort"):
        soft_sort(jnp.asarray(1.0))


def test_soft_orders_tend_to_the_exact_ones():
    x = jax.random.normal(jax.random.key(0), (3, 6))
    np.testing.assert_allclose(soft_sort(x, 1e-3), np.sort(x), atol=1e-3)
    np.testing.assert_allclose(soft_rank(x, 1e-3), np.argsort(np.argsort(x)) + 1.0, atol=1e-3)
    assert soft_rank(jnp.ones((2, 1))).tolist() == [[1.0], [1.0]]


def test_soft_ranks_have_derivatives(x64):
    x = jax.random.normal(jax.random.key(0), (5,))
    weights = jnp.arange(5.0)
    for soft in (soft_rank, soft_sort):
        run = lambda x, soft=soft: jnp.vdot(weights, soft(x, 2.0))
        numeric = [(run(x + d) - run(x - d)) / 2e-6 for d in 1e-6 * jnp.eye(5)]
        np.testing.assert_allclose(jax.grad(run)(x), jnp.stack(numeric), atol=1e-7)
        np.testing.assert_allclose(jnp.sum(soft(x, 2.0)), 15.0 if soft is soft_rank else jnp.sum(x), rtol=1e-9)


def test_projections_are_pickled():
    points = jnp.array([[1.0, 0.5, -1.0, 0.2], [0.0, 0.0, 3.0, 1.0]])
    for to, _ in CLOSED.values():
        before = project(to)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(before))(points), before(points))
