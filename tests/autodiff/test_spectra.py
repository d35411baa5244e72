"""Functions of a matrix at equal eigenvalues and singular values: right, or NaN where the cotangents do not tell."""

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np
import pytest

import argflux as af

RNG = np.random.default_rng(0)
C, Q, P = (np.asarray(x) for x in (RNG.normal(size=(3, 3)), *(np.linalg.qr(RNG.normal(size=(2, 3, 3)))[0])))
TWOS = np.diag([2.0, 2.0, 5.0])


def of_eigenvalues(f):
    """Sum `C * V diag(f(w)) Vᵀ`, a smooth function of the matrix if `f` is one of the eigenvalues."""

    def total(a):
        w, v = jnp.linalg.eigh(a)
        return jnp.sum(jnp.asarray(C, a.dtype) * ((v * f(w)) @ v.T))

    return total


def projector(a):
    v = jnp.linalg.eigh(a)[1][:, :2]
    return jnp.sum(jnp.asarray(C, a.dtype) * (v @ v.T))


def polar(a):
    u, _, vt = jnp.linalg.svd(a, full_matrices=False)
    return jnp.sum(jnp.asarray(C, a.dtype)[:, : a.shape[1]] * (u @ vt))


def best(a):
    """Sum `C` times the nearest matrix of rank 1, and the largest singular value."""
    u, s, vt = jnp.linalg.svd(a, full_matrices=False)
    return jnp.sum(jnp.asarray(C, a.dtype)[:, : a.shape[1]] * ((u[:, :1] * s[:1]) @ vt[:1])) + s[0]


def top(a):
    """Sum `C` times the part of the largest eigenvalue."""
    w, v = jnp.linalg.eigh(a)
    return jnp.sum(jnp.asarray(C, a.dtype) * ((v[:, -1:] * w[-1]) @ v[:, -1:].T))


squares = lambda a: jnp.sum(jnp.linalg.eigvalsh(a) ** 2)
nuclear = lambda a: jnp.sum(jnp.linalg.svd(a, compute_uv=False))
EXACT = {
    "squares": (squares, TWOS),
    "squares, turned": (squares, Q @ TWOS @ Q.T),
    "nuclear norm": (nuclear, Q),
    "largest of two": (lambda a: jnp.linalg.eigvalsh(a)[-1], 2 * np.eye(2)),
    "projector": (projector, TWOS),
    "projector, turned": (projector, Q @ TWOS @ Q.T),
    "top": (top, TWOS),
    "top, turned": (top, Q @ TWOS @ Q.T),
    "polar at the identity": (polar, np.eye(3)),
    "polar at a rotation": (polar, Q),
    "polar of a tall matrix": (polar, Q[:, :2]),
    "polar at two equal": (polar, Q @ TWOS @ P),
    "rank 1 of a degenerate rest": (best, Q @ np.diag([5.0, 2.0, 2.0]) @ P),
    "rank 1 of rank 1": (best, Q @ np.diag([5.0, 0.0, 0.0]) @ P),
    "rank 1 of a tall one of rank 1": (best, np.outer([1.0, 2.0, 3.0], [1.0, 1.0])),
    "root": (of_eigenvalues(jnp.sqrt), Q @ np.diag([1.0, 2.0, 4.0]) @ Q.T),
    "root, close": (of_eigenvalues(jnp.sqrt), Q @ np.diag([2.0, 2 + 1e-8, 4.0]) @ Q.T),
    "root, graded": (of_eigenvalues(jnp.sqrt), np.diag([1e-7, 1e-4, 1.0])),
}
first_vector = lambda a: jnp.sum(jnp.asarray(C[:, 0], a.dtype) * jnp.linalg.eigh(a)[1][:, 0])
LOST = {
    "root at the identity": (of_eigenvalues(jnp.sqrt), np.eye(3)),
    "root, turned": (of_eigenvalues(jnp.sqrt), Q @ TWOS @ Q.T),
    "whitening at the identity": (of_eigenvalues(lambda w: w**-0.5), np.eye(3)),
    "logarithm at the identity": (of_eigenvalues(jnp.log), np.eye(3)),
    "exponential at rank 1": (of_eigenvalues(jnp.exp), np.ones((3, 3))),
    "a vector": (first_vector, TWOS),
    "a vector, turned": (first_vector, Q @ TWOS @ Q.T),
    "a singular vector": (lambda a: jnp.linalg.svd(a)[0][0, 0], Q),
    "least squares": (lambda a: jnp.sum(jnp.linalg.lstsq(a, jnp.ones(3, a.dtype))[0]), np.eye(3)),
}


def differences(f, a, h):
    steps = np.eye(a.size).reshape(a.size, *a.shape) * h
    values = lambda sign: jax.vmap(f)(jnp.asarray(a + sign * steps))
    return np.asarray(values(1) - values(-1)).reshape(a.shape) / (2 * h)


@pytest.mark.parametrize("name", EXACT)
def test_what_has_a_derivative(name, x64):
    f, a = EXACT[name]
    h = 1e-10 if "graded" in name else 1e-5
    (got,) = jax.jit(lambda a: af.gradient(f, a))(jnp.asarray(a))
    np.testing.assert_allclose(got, differences(f, a, h), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_the_cotangents_do_not_hold(dtype, x64):
    for name, (f, a) in LOST.items():
        assert not np.isfinite(af.gradient(f, jnp.asarray(a, dtype))[0]).all(), name


def test_equal_values_share(x64):
    largest = lambda a: jnp.linalg.eigvalsh(a)[-1] + jnp.linalg.norm(a, 2) + jnp.linalg.svd(a, compute_uv=False)[0]
    np.testing.assert_allclose(af.gradient(largest, jnp.asarray(Q @ np.eye(3) @ Q.T))[0], np.eye(3), atol=1e-12)
    np.testing.assert_array_equal(af.gradient(nuclear, jnp.zeros((3, 2)))[0], np.zeros((3, 2)))


def test_other_matrices_of_a_batch_are_not_harmed(x64):
    batch = jnp.asarray(np.stack([np.eye(3), Q @ np.diag([1.0, 2.0, 4.0]) @ Q.T]))
    f = of_eigenvalues(jnp.sqrt)
    (got,) = af.gradient(lambda x: jnp.sum(jax.vmap(f)(x)), batch)
    np.testing.assert_allclose(got[1], differences(f, np.asarray(batch[1]), 1e-5), rtol=1e-5, atol=1e-6)
    assert np.isnan(got[0]).all()
    (got,) = af.gradient(lambda x: jnp.sum(jnp.where(jnp.array([False, True]), jax.vmap(f)(x), 0.0)), batch)
    assert np.isfinite(got).all()
    assert not got[0].any()


def test_second_derivatives(x64):
    apart = jnp.asarray(Q @ np.diag([1.0, 2.0, 4.0]) @ Q.T)
    f = lambda t: polar(apart + t * jnp.asarray(C))
    slope = lambda t: af.gradient(f, t)[0]
    (second,) = af.gradient(slope, 0.1)
    np.testing.assert_allclose(second, (slope(0.1 + 1e-5) - slope(0.1 - 1e-5)) / 2e-5, rtol=1e-5)
    assert np.isnan(af.gradient(lambda a: jnp.sum(af.gradient(squares, a)[0] * C), jnp.eye(3))[0]).any()


SQUARES = lambda wv: jnp.sum(C[0] * wv[0]) + jnp.sum(C * wv[1] ** 2)
TRIANGLES = {
    "cholesky": jsl.cholesky,
    "cholesky, lower": lambda a: jsl.cholesky(a, lower=True),
    "cho_factor": lambda a: jnp.triu(jsl.cho_factor(a)[0]),
    "cho_solve": lambda a: jsl.cho_solve(jsl.cho_factor(a, lower=True), jnp.asarray(C)),
    "not symmetrised": lambda a: jnp.linalg.cholesky(a, symmetrize_input=False),
    "not symmetrised, upper": lambda a: jnp.linalg.cholesky(a, symmetrize_input=False, upper=True),
    "symmetrised": jnp.linalg.cholesky,
    "symmetrised, upper": lambda a: jnp.linalg.cholesky(a, upper=True),
    "eigh, lower": lambda a: SQUARES(jnp.linalg.eigh(a, symmetrize_input=False)),
    "eigh, upper": lambda a: SQUARES(jnp.linalg.eigh(a, UPLO="U", symmetrize_input=False)),
    "eigh, symmetrised": lambda a: SQUARES(jnp.linalg.eigh(a)),
    "eigenvalues": lambda a: C[0] * jnp.linalg.eigh(a, symmetrize_input=False)[0],
}


@pytest.mark.parametrize("name", TRIANGLES)
def test_the_triangle_that_is_read_has_the_cotangent(name, x64):
    f = lambda a: jnp.sum(C * TRIANGLES[name](a))
    a = Q @ np.diag([1.0, 2.0, 4.0]) @ Q.T + 0.1 * P  # nothing says that it is symmetric
    (got,) = af.gradient(f, jnp.asarray(a))
    np.testing.assert_allclose(got, differences(f, a, 1e-5), rtol=1e-6, atol=1e-6)
