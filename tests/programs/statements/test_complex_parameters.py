"""Complex parameters of CVXPY problems: solutions beside CVXPY's, gradients in JAX's convention, what is refused."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.errors import ArgumentError, DtypeError
from argflux.programs import Program, Status

cp = pytest.importorskip("cvxpy")

r = np.random.default_rng(0)


def numbers(*shape):
    return r.normal(size=shape) + 1j * r.normal(size=shape)


M, N, B = numbers(3, 3), numbers(3, 3), numbers(2)


def vector():
    v, c = cp.Variable(3, complex=True), cp.Parameter(3, complex=True)
    return cp.sum_squares(v - c) + cp.norm(v), [cp.real(v[0]) <= cp.imag(v[1])], c, v, numbers(3)


def matrix_times_variable():
    v, c = cp.Variable(3, complex=True), cp.Parameter((2, 3), complex=True)
    return cp.norm(c @ v - B) + cp.sum_squares(v), [], c, v, numbers(2, 3)


def hermitian():
    X, c = cp.Variable((3, 3), hermitian=True), cp.Parameter((3, 3), hermitian=True)
    return cp.sum_squares(X - c), [X >> 0, cp.real(cp.trace(X)) == 1], c, X, (M + M.conj().T) / 2


def semidefinite():
    v, c = cp.Variable(3, complex=True), cp.Parameter((3, 3), PSD=True, complex=True)
    return cp.quad_form(v, c) + cp.real(cp.sum(v)), [cp.norm(v) <= 0.3], c, v, M @ M.conj().T


def imaginary():
    v, c = cp.Variable(3, complex=True), cp.Parameter(3, imag=True)
    return cp.sum_squares(v - c) + cp.norm1(v), [], c, v, 1j * r.normal(size=3)


def scalar_and_real_variable():
    x, c = cp.Variable(3), cp.Parameter(complex=True)
    return cp.sum_squares(x) + cp.imag(c) * x[0], [cp.abs(c + cp.sum(x)) <= 1], c, x, np.asarray(2 + 0.3j)


def symmetric():
    v, c = cp.Variable(3, complex=True), cp.Parameter((3, 3), complex=True, symmetric=True)
    return cp.norm(c @ v - 1) + cp.sum_squares(v), [], c, v, N + N.T


def diagonal():
    v, c = cp.Variable(3, complex=True), cp.Parameter((3, 3), complex=True, diag=True)
    return cp.norm(c @ v - 1) + cp.sum_squares(v), [], c, v, np.diag(np.diag(N))


CASES = [
    vector, matrix_times_variable, hermitian, semidefinite, imaginary, scalar_and_real_variable, symmetric, diagonal
]  # fmt: skip
KEPT = {  # the directions in which a value may move
    hermitian: lambda d: (d + d.conj().T) / 2,
    semidefinite: lambda d: (d + d.conj().T) / 2,
    imaginary: lambda d: 1j * d.imag,
    symmetric: lambda d: d + d.T,
    diagonal: lambda d: np.diag(np.diag(d)),
}


def made(case):
    objective, constraints, c, x, value = case()
    problem = cp.Problem(cp.Minimize(objective), constraints)
    return problem, c, x, value, Program.from_cvxpy(problem, [c], [x])


@pytest.mark.filterwarnings("ignore:Converting A to a CSC")
@pytest.mark.parametrize("case", CASES)
def test_solutions_and_duals_are_cvxpys(case, x64):
    problem, c, x, value, program = made(case)
    c.value = value
    problem.solve(solver=cp.CLARABEL)
    solution = program.solve(value)
    assert int(solution.status) == Status.SOLVED
    np.testing.assert_allclose(solution.objective, problem.value, atol=1e-7)
    np.testing.assert_allclose(solution.x, x.value, atol=5e-5)
    for constraint, y, z in zip(problem.constraints, solution.y, solution.z, strict=True):
        np.testing.assert_allclose(y if z is None else z, constraint.dual_value, atol=5e-5)


@pytest.mark.parametrize("case", CASES)
def test_gradients_have_jaxs_convention(case, x64):
    """The slope along d is the real part of the sum of gradient times d, as for any function under `jax.grad`."""
    *_, value, program = made(case)
    weights = numbers(*jax.eval_shape(program, jnp.asarray(value)).shape)
    f = jax.jit(lambda c: jnp.sum(jnp.real(program(c)) * weights.real + jnp.imag(program(c)) * weights.imag))
    gradient, h = jax.grad(f)(jnp.asarray(value)), 1e-5
    for _ in range(3):
        d = KEPT.get(case, np.asarray)(numbers(*np.shape(value)))
        numeric = (f(value + h * d) - f(value - h * d)) / (2 * h)
        np.testing.assert_allclose(np.sum(np.real(gradient * d)), numeric, atol=1e-8, rtol=1e-7)
        slope = jax.jvp(f, (jnp.asarray(value),), (jnp.asarray(d),))[1]
        np.testing.assert_allclose(slope, numeric, atol=1e-8, rtol=1e-7)


def test_single_precision_batches_and_real_values():
    c, v = cp.Parameter(2, complex=True), cp.Variable(2, complex=True)
    program = Program.from_cvxpy(cp.Problem(cp.Minimize(cp.sum_squares(v - c)), [cp.norm(v) <= 1]), [c], [v])
    batch = jnp.array([[3j, 4.0], [0.3, -0.4j]])
    found = jax.vmap(program)(batch)
    assert found.dtype == jnp.complex64
    np.testing.assert_allclose(found, [[0.6j, 0.8], [0.3, -0.4j]], atol=1e-5)
    np.testing.assert_allclose(program(jnp.array([3.0, 4.0])), [0.6, 0.8], atol=1e-5)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(program))(batch[0]), found[0], atol=1e-6)


def test_what_is_not_as_declared_is_named():
    c, x = cp.Parameter((2, 2), hermitian=True, name="c"), cp.Variable(2)
    cost = cp.sum_squares(x) + cp.real(cp.trace(c)) * x[0]
    program = Program.from_cvxpy(cp.Problem(cp.Minimize(cost)), [c], [x])
    wrong = jnp.array([[1.0, 1j], [1j, 1.0]])
    with pytest.raises(ArgumentError, match=r"parameter c.*a value that is not Hermitian"):
        program(wrong)
    assert int(jax.jit(program.solve)(wrong).status) == Status.BAD_DATA
    with pytest.raises(DtypeError, match=r"a complex parameter c.*jax\.vjp"):
        program.reverse_differentiate(jnp.eye(2, dtype=complex), cotangents={"objective": 1.0})
    p = cp.Parameter(2, name="p")
    plain = Program.from_cvxpy(cp.Problem(cp.Minimize(cp.sum_squares(x - p))), [p], [x])
    with pytest.raises(DtypeError, match=r"p of dtype complex64.*real numbers"):
        plain(jnp.array([1j, 2.0]))
