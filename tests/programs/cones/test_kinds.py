"""Each kind of cone by itself: orders of rows, membership, projections with known derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs import Status, solve_cone
from argflux.programs import cones as C
from argflux.programs.cones.product import Product
from argflux.programs.cones.triangles import matrix_of, vector_of
from tests.programs.cones.random_programs import KINDS, inside


def projected(v, cone):
    """The nearest point of a cone."""
    return solve_cone(jnp.ones(cone.rows), -v, -jnp.eye(cone.rows), jnp.zeros(cone.rows), [cone]).x


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", KINDS)
def test_membership(name, seed):
    r = np.random.default_rng(seed)
    cone = KINDS[name](r)
    s, z = inside(r, cone), inside(r, cone, dual=True)
    product = Product.of([cone])
    assert s @ z >= -1e-12
    assert product.each("violation", s[None]).max() == 0
    assert product.each("dual_violation", z[None]).max() == 0
    if name not in ("zero", "semidefinite"):
        assert product.each("violation", -np.abs(s[None]) - 1).max() > 0.5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", KINDS)
def test_projections_split_a_point_in_two_that_are_orthogonal(name, seed, x64):
    """Moreau: `v = s - z` with s in the cone, z in its dual, `s'z = 0`; the derivative lies between 0 and I."""
    r = np.random.default_rng(seed)
    cone = KINDS[name](r)
    v = jnp.asarray(2 * r.normal(size=cone.rows))
    s = projected(v, cone)
    z, product = s - v, Product.of([cone])
    assert abs(float(s @ z)) < 1e-10
    assert product.each("violation", np.asarray(s)[None]).max() < 1e-10
    assert product.each("dual_violation", np.asarray(z)[None]).max() < 1e-10
    D = jax.jacobian(lambda v: projected(v, cone))(v)
    np.testing.assert_allclose(D, D.T, atol=1e-9)
    assert np.linalg.eigvalsh(D).min() > -1e-9
    assert np.linalg.eigvalsh(D).max() < 1 + 1e-9
    np.testing.assert_allclose(D @ v, s, atol=1e-8)  # as the projection is homogeneous


def test_the_order_of_a_triangle(x64):
    """Lower triangle by columns, off the diagonal times √2: of the largest matrix below a given one."""
    M = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]])
    np.testing.assert_allclose(vector_of(M), [1, 2 * 2**0.5, 3 * 2**0.5, 4, 5 * 2**0.5, 6])
    np.testing.assert_allclose(matrix_of(vector_of(M), 3), M)
    s = solve_cone(jnp.ones(6), -vector_of(M), -np.eye(6), np.zeros(6), [C.Semidefinite(3)])
    values, vectors = np.linalg.eigh(M)
    np.testing.assert_allclose(matrix_of(s.x, 3), (vectors * np.maximum(values, 0)) @ vectors.T, atol=1e-10)
    np.testing.assert_allclose(matrix_of(s.z, 3), (vectors * np.maximum(-values, 0)) @ vectors.T, atol=1e-10)


@pytest.mark.parametrize("rank", range(5))
def test_semidefinite_derivatives_at_each_rank(rank, x64):
    """Where other layers are wrong: projections of matrices with 0 to 4 negative eigenvalues, beside their formula."""
    r = np.random.default_rng(rank)
    basis = np.linalg.qr(r.normal(size=(4, 4)))[0]
    values = np.array([0.4, 1.0, 1.7, 2.5]) * np.where(np.arange(4) < rank, -1, 1)
    M = jnp.asarray((basis * values) @ basis.T)
    project = lambda M: matrix_of(projected(vector_of(M), C.Semidefinite(4)), 4)
    direction = r.normal(size=(4, 4))
    direction = direction + direction.T
    i, j = np.meshgrid(values, values, indexing="ij")
    both = np.where(i == j, i > 0, (np.maximum(i, 0) - np.maximum(j, 0)) / np.where(i == j, 1, i - j))
    exact = basis @ (both * (basis.T @ direction @ basis)) @ basis.T
    np.testing.assert_allclose(jax.jvp(project, (M,), (jnp.asarray(direction),))[1], exact, atol=1e-9)


EDGES = {
    "apex": (0.3, [-1.0, -2.0, 0.1]),
    "inside": (0.3, [2.0, 1.0, 0.3]),
    "curved": (0.3, [0.5, 0.7, 2.0]),
    "along x, flat": (0.3, [2.0, -1.0, 0.2]),
    "along x, steep": (0.7, [2.0, -1.0, 0.2]),
    "along y": (0.4, [-1.0, 2.0, 0.3]),
    "half": (0.5, [2.0, -1.0, 0.2]),
    "near an edge": (0.3, [1.0, 0.02, 0.5]),
    "negative": (0.6, [0.2, 0.3, -1.0]),
}


@pytest.mark.parametrize("name", EDGES)
def test_power_cones_everywhere(name, x64):
    a, v = EDGES[name]
    v, f = jnp.asarray(v), jax.jit(lambda v: projected(v, C.Power(a)))
    numeric = np.stack([(f(v + 1e-6 * e) - f(v - 1e-6 * e)) / 2e-6 for e in jnp.eye(3)], 1)
    np.testing.assert_allclose(jax.jacobian(f)(v), numeric, atol=2e-5)


@pytest.mark.parametrize("v", [[1, 1, 0.5], [-1, -1, 2], [-3, 0.01, 1], [2, -1, -1], [0.1, 2, 5], [-1, -2, -3]])
def test_exponential_cones_everywhere(v, x64):
    v, f = jnp.asarray(v, float), jax.jit(lambda v: projected(v, C.Exponential()))
    numeric = np.stack([(f(v + 1e-6 * e) - f(v - 1e-6 * e)) / 2e-6 for e in jnp.eye(3)], 1)
    np.testing.assert_allclose(jax.jacobian(f)(v), numeric, atol=1e-6)


@pytest.mark.parametrize("cone", [C.Zero(0), C.NonNegative(0), C.SecondOrder(0), C.Semidefinite(0)])
def test_cones_without_rows(cone):
    s = solve_cone(np.ones(2), np.ones(2), -np.eye(2), np.zeros(2), [cone, C.NonNegative(2), cone])
    assert int(s.status) == Status.SOLVED
