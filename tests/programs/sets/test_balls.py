"""Projections on balls, cones and hand-written polyhedra: nearest points, derivatives, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.programs import ProgramError

NORMS = {
    "l1": (af.NormBall(1, 0.8), (4,), lambda y: np.abs(y).sum(-1)),
    "l2": (af.NormBall(2, 0.8), (4,), lambda y: np.linalg.norm(y, axis=-1)),
    "infinity": (af.NormBall(float("inf"), 0.8), (4,), lambda y: np.abs(y).max(-1)),
    "nuclear": (af.NormBall("nuclear", 0.8), (3, 4), lambda y: np.linalg.svd(y, compute_uv=False).sum(-1)),
    "spectral": (af.NormBall("spectral", 0.8), (4, 3), lambda y: np.linalg.svd(y, compute_uv=False).max(-1)),
}
CONES = {
    "zero": (af.cones.Zero(3), (3,)),
    "nonnegative": (af.cones.NonNegative(3), (3,)),
    "second order": (af.cones.SecondOrder(4), (4,)),
    "semidefinite": (af.cones.Semidefinite(3), (3, 3)),
    "exponential": (af.cones.Exponential(), (3,)),
    "power": (af.cones.Power(0.3), (3,)),
}
SETS = {name: row[:2] for name, row in NORMS.items()} | CONES


def points(shape, seed=0):
    r = np.random.default_rng(seed)
    x, d, w = r.normal(size=(3, 2, *shape))
    if shape == (3, 3):
        x = x + np.swapaxes(x, -1, -2)
    return jnp.asarray(x), jnp.asarray(d), jnp.asarray(w)


@pytest.mark.parametrize("name", SETS)
def test_derivatives_are_those_of_differences(name, x64):
    to, shape = SETS[name]
    (x, d, w), f = points(shape), af.project(to)
    numeric = (f(x + 1e-6 * d) - f(x - 1e-6 * d)) / 2e-6
    pushed = jax.jvp(f, (x,), (d,))[1]
    np.testing.assert_allclose(pushed, numeric, atol=1e-7)
    pulled = af.gradient(lambda x: jnp.sum(f(x) * w), x)[0]
    np.testing.assert_allclose(jnp.sum(pulled * d), jnp.sum(pushed * w), atol=1e-9)
    np.testing.assert_allclose(f(f(x)), f(x), atol=1e-8)


@pytest.mark.parametrize("name", NORMS)
def test_points_are_the_nearest(name, x64):
    """No nearer point on the ball: `(x - y)'(z - y) <= 0` for any z in it."""
    to, shape, size = NORMS[name]
    x, *others = points(shape, 1)
    y = np.asarray(af.project(to)(x))
    assert np.all(size(y) <= 0.8 + 1e-9)
    for z in others:
        z = 0.8 * z / size(z).reshape(-1, *[1] * len(shape))
        assert np.all(np.sum((x - y) * (z - y), tuple(range(1, y.ndim))) <= 1e-9)
    np.testing.assert_allclose(af.project(to)(0.01 * x), 0.01 * x, atol=1e-15)


@pytest.mark.parametrize("name", ["nuclear", "spectral"])
def test_repeated_singular_values_have_derivatives(name, x64):
    f = af.project(af.NormBall(name, 0.5))
    slope = jax.jacobian(lambda x: f(x))(jnp.eye(3, 4))
    assert np.all(np.isfinite(slope))
    assert np.all(
        np.isfinite(jax.jacobian(af.project(af.cones.Semidefinite(3)))(jnp.diag(jnp.array([1.0, 1.0, -1.0]))))
    )


def test_nearest_correlation(x64):
    M = jnp.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    found = af.nearest_correlation(M)
    np.testing.assert_allclose(found[0], [1, 0.76068985, 0.15729811], atol=1e-7)  # Higham's example
    batch = jax.jit(jax.vmap(af.nearest_correlation))(jnp.stack([M, jnp.eye(3)]))
    np.testing.assert_allclose(batch, jnp.stack([found, jnp.eye(3)]), atol=1e-8)
    _, d, _ = points((3, 3))
    d = d[0]
    numeric = (af.nearest_correlation(M + 1e-6 * d) - af.nearest_correlation(M - 1e-6 * d)) / 2e-6
    np.testing.assert_allclose(jax.jvp(af.nearest_correlation, (M,), (d,))[1], numeric, atol=1e-6)
    np.testing.assert_array_equal(af.nearest_correlation(jnp.full((1, 1), 5.0)), [[1.0]])


def test_nearest_correlation_is_stated_once_for_all_calls():
    """What the first call of a size keeps serves later ones: outside `jit`, and with 64-bit types on or off."""
    M = np.eye(5) + 0.9 * np.eye(5, k=1) + 0.9 * np.eye(5, k=-1)  # no other test has matrices of five rows
    with jax.enable_x64(True):
        inside = jax.jit(lambda M: af.nearest_correlation(M))(jnp.asarray(M))
        np.testing.assert_allclose(af.nearest_correlation(jnp.asarray(M)), inside, atol=1e-8)
    single = af.nearest_correlation(jnp.asarray(M, jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, inside, atol=1e-5)


def test_doubly_stochastic_matrices(x64):
    """Beside Dykstra's alternating projections on the sums and on what is not negative."""
    x = np.random.default_rng(0).normal(size=(4, 4))
    found = af.project(af.birkhoff(4))(jnp.asarray(x.ravel())).reshape(4, 4)
    y, p = x.copy(), np.zeros((4, 4))
    for _ in range(20_000):
        z = y - (y.sum(1, keepdims=True) - 1) / 4
        z = z - (z.sum(0, keepdims=True) - 1) / 4
        y = np.maximum(z + p, 0)
        p = z + p - y
    np.testing.assert_allclose(found, y, atol=1e-6)


def test_transport_plans_and_sections(x64):
    rows, columns = jnp.array([1.0, 2.0]), jnp.array([0.5, 1.5, 1.0])
    plan = af.project(af.transport(rows, columns))(jnp.zeros(6)).reshape(2, 3)
    np.testing.assert_allclose(plan.sum(1), rows, atol=1e-9)
    np.testing.assert_allclose(plan.sum(0), columns, atol=1e-9)
    with pytest.raises(ProgramError, match="no point meets"):
        af.project(af.transport(rows, 2 * columns))(jnp.zeros(6))
    assert np.all(np.isnan(jax.jit(af.project(af.transport(rows, 2 * columns)))(jnp.zeros(6))))
    y = af.project(af.box_section(-1.0, jnp.ones(3), 0.5, jnp.array([1.0, 2.0, -1.0])))(jnp.array([3.0, 0.0, 0.0]))
    np.testing.assert_allclose(y @ jnp.array([1.0, 2.0, -1.0]), 0.5, atol=1e-9)


BAD = {
    "norm": (lambda: af.NormBall(3), ArgumentError, "norm=3"),
    "radius": (lambda: af.NormBall(2, -1.0), ArgumentError, "radius=-1.0"),
    "vector for a matrix": (lambda: af.project(af.NormBall("nuclear"))(jnp.ones(3)), ShapeError, "at least 2 axes"),
    "rows of a cone": (lambda: af.project(af.cones.SecondOrder(3))(jnp.ones(4)), ShapeError, r"\[..., 3\]"),
    "square": (lambda: af.nearest_correlation(jnp.ones((2, 3))), ShapeError, "square"),
    "diagonal": (lambda: af.nearest_correlation(jnp.eye(2), -1.0), ProgramError, "diagonal=-1.0"),
    "no set": (lambda: af.project(3), DtypeError, "a NormBall or a cone"),
    "sums": (lambda: af.transport(jnp.eye(2), jnp.ones(2)), ShapeError, "rows of shape"),
    "no size": (lambda: af.box_section(0.0, 1.0, 1.0), ShapeError, "as a vector"),
    "no rows": (lambda: af.birkhoff(0), ArgumentError, "0 rows"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name):
    make, kind, message = BAD[name]
    with pytest.raises(kind, match=message):
        make()
