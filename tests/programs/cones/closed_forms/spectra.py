"""Programs over semidefinite matrices: eigenvalues, completions, determinants, ellipsoids."""

import functools

import cvxpy as cp
import jax.numpy as jnp
import numpy as np

import argflux as af
from tests.programs.cones.closed_forms.row import Row, definite, half, of_values, symmetric

LARGEST = af.Program(
    lambda t, C: t, variable=(), inequality=lambda t, C: af.cones.semidefinite(t * jnp.eye(3) - C)
)  # fmt: skip


def by_largest(C):
    s = LARGEST.solve(C)
    return s.x, s.z


def largest(C):
    values, vectors = jnp.linalg.eigh(half(C))
    return values[-1], jnp.outer(vectors[:, -1], vectors[:, -1])


PROJECTORS = af.Program(
    lambda x, C: -jnp.sum(C * symmetric(x, 3)),
    variable=(6,),
    equality=lambda x, C: jnp.trace(symmetric(x, 3)) - 2,
    inequality=lambda x, C: tuple(af.cones.semidefinite(M) for M in (symmetric(x, 3), jnp.eye(3) - symmetric(x, 3))),
)


def by_two_largest(C):
    s = PROJECTORS.solve(C)
    return -s.objective, symmetric(s.x, 3), two_by_cvxpy().solve(C).objective


@functools.cache
def two_by_cvxpy():
    C, X = cp.Parameter((3, 3)), cp.Variable((3, 3), symmetric=True)
    problem = cp.Problem(cp.Minimize(cp.lambda_sum_largest(X, 2)), [X == (C + C.T) / 2])
    return af.Program.from_cvxpy(problem, [C], [X])


def two_largest(C):
    values, vectors = jnp.linalg.eigh(half(C))
    total = values[1] + values[2]
    return total, vectors[:, 1:] @ vectors[:, 1:].T, total


def spread(r):
    """A matrix whose eigenvalues are apart, with a part that is not symmetric."""
    basis, skew = np.linalg.qr(r.normal(size=(3, 3)))[0], r.normal(size=(3, 3))
    return ((basis * (np.array([-1.0, 0.5, 2.0]) + 0.3 * r.normal(size=3).clip(-1, 1))) @ basis.T + skew - skew.T,)


SCHUR = af.Program(
    lambda t, P, q: t,
    variable=(),
    inequality=lambda t, P, q: af.cones.semidefinite(
        jnp.block([[P, q[:, None]], [q[None], t[None, None]]])
    ),
)  # fmt: skip


def by_schur(P, q):
    s = SCHUR.solve(P, q)
    return s.x, s.z


def schur(P, q):
    x = jnp.linalg.solve(half(P), q)
    kernel = jnp.append(x, -1.0)
    return q @ x, jnp.outer(kernel, kernel)


FIDELITY = af.Program(
    lambda X, A, B: -jnp.trace(X),
    variable=(2, 2),
    inequality=lambda X, A, B: af.cones.semidefinite(jnp.block([[A, X], [X.T, B]])),
)


def by_fidelity(A, B):
    s = FIDELITY.solve(A, B)
    return -s.objective, s.x


def fidelity(A, B):
    """The root of AB, which for two rows is `(AB + √det I) / √(tr + 2 √det)`."""
    M = half(A) @ half(B)
    size = jnp.sqrt(jnp.linalg.det(M))
    trace = jnp.sqrt(jnp.trace(M) + 2 * size)
    return trace, (M + size * jnp.eye(2)) / trace


LYAPUNOV = af.Program(
    lambda x, A, Q: jnp.trace(symmetric(x, 2)),
    variable=(3,),
    inequality=lambda x, A, Q: af.cones.semidefinite(symmetric(x, 2) - A.T @ symmetric(x, 2) @ A - Q),
)


def lyapunov(A, Q):
    return jnp.linalg.solve(jnp.eye(4) - jnp.kron(A.T, A.T), half(Q).ravel()).reshape(2, 2)


def contraction(r):
    A = r.normal(size=(2, 2))
    return 0.7 * A / np.linalg.norm(A, 2), definite(r, 2)


def rest(x, row):
    lower = jnp.concatenate([row[1:, None], symmetric(x, 2)], 1)
    return jnp.concatenate([row[None], lower])


LEAST_TRACE = af.Program(
    lambda x, row: jnp.trace(rest(x, row)),
    variable=(3,),
    inequality=lambda x, row: af.cones.semidefinite(rest(x, row)),
)


def nuclear(x, given):
    X = jnp.stack([given[:2], jnp.stack([given[2], x["x"]])])
    return af.cones.semidefinite(jnp.block([[symmetric(x["U"], 2), X], [X.T, symmetric(x["V"], 2)]]))


LEAST_NUCLEAR = af.Program(
    lambda x, given: (jnp.trace(symmetric(x["U"], 2)) + jnp.trace(symmetric(x["V"], 2))) / 2,
    variable={"x": (), "U": (3,), "V": (3,)},
    inequality=nuclear,
)


def by_least_nuclear(given):
    s = LEAST_NUCLEAR.solve(given)
    return s.x["x"], s.objective


def least_nuclear(given):
    """Of rank one where `|bc| < a²`."""
    a, b, c = given
    return b * c / a, jnp.sqrt(a**2 + b**2 + c**2 + (b * c / a) ** 2)


@functools.cache
def largest_determinant():
    X, p = cp.Variable((3, 3), symmetric=True), cp.Parameter(5)
    rows = [X[0, 0] == p[0], X[1, 1] == p[1], X[2, 2] == p[2], X[1, 0] == p[3], X[2, 1] == p[4]]
    return af.Program.from_cvxpy(cp.Problem(cp.Maximize(cp.log_det(X)), rows), [p], [X])


def by_largest_determinant(p):
    s = largest_determinant().solve(p)
    return s.objective, s.x


def banded(p):
    """The entry that is left free is zero in the inverse."""
    a, b, c, d, e = p
    X = jnp.stack([jnp.stack([a, d, d * e / b]), jnp.stack([d, b, e]), jnp.stack([d * e / b, e, c])])
    return jnp.log((a * b - d**2) * (b * c - e**2) / b), X


@functools.cache
def inscribed():
    B, d, low, high = cp.Variable((2, 2), symmetric=True), cp.Variable(2), cp.Parameter(2), cp.Parameter(2)
    sides = [cp.norm(B[:, i]) <= room for i in range(2) for room in (high[i] - d[i], d[i] - low[i])]
    return af.Program.from_cvxpy(cp.Problem(cp.Maximize(cp.log_det(B)), sides), [low, high], [B, d])


@functools.cache
def around():
    A, T = cp.Variable((2, 2), symmetric=True), cp.Parameter((2, 2))
    within = [cp.norm(A @ T[:, i]) <= 1 for i in range(2)]
    return af.Program.from_cvxpy(cp.Problem(cp.Maximize(cp.log_det(A)), within), [T], [A])


SPECTRA = {
    "largest eigenvalue": Row(by_largest, largest, spread),
    "sum of the two largest": Row(by_two_largest, two_largest, spread),
    "Schur complement": Row(by_schur, schur, lambda r: (definite(r, 3), r.normal(size=3))),
    "fidelity": Row(by_fidelity, fidelity, lambda r: (definite(r, 2), definite(r, 2))),
    "Lyapunov": Row(lambda A, Q: symmetric(LYAPUNOV(A, Q), 2), lyapunov, contraction),
    "completion of least trace": Row(
        lambda row: rest(LEAST_TRACE(row), row),
        lambda row: jnp.outer(row, row) / row[0],
        lambda r: (np.append(r.uniform(0.5, 1.5), r.normal(size=2)),),
    ),
    "completion of least nuclear norm": Row(
        by_least_nuclear, least_nuclear, lambda r: (np.append(2.0, r.uniform(0.5, 1.5, 2)) * r.choice([-1, 1], 3),)
    ),
    "completion of largest determinant": Row(
        by_largest_determinant, banded, lambda r: (np.append(r.uniform(1, 2, 3), r.uniform(-0.8, 0.8, 2)),)
    ),
    "ellipse in a box": Row(
        lambda low, high: inscribed()(low, high),
        lambda low, high: (jnp.diag(high - low) / 2, (low + high) / 2),
        lambda r: (r.uniform(-2, -1, 2), r.uniform(0, 1, 2)),
    ),
    "ellipse around points and their opposites": Row(
        lambda T: around()(T),
        lambda T: of_values(T @ T.T, lambda t: t**-0.5),
        lambda r: (r.normal(size=(2, 2)) + 2 * np.eye(2),),
    ),
}
