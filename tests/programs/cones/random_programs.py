"""Random programs over products of cones, and points inside of each kind of cone."""

import numpy as np

from argflux.programs import cones as C
from argflux.programs.cones.triangles import matrix_of, vector_of

KINDS = {
    "zero": lambda r: C.Zero(int(r.integers(1, 3))),
    "nonnegative": lambda r: C.NonNegative(int(r.integers(1, 6))),
    "second order": lambda r: C.SecondOrder(int(r.integers(1, 7))),
    "semidefinite": lambda r: C.Semidefinite(int(r.integers(1, 5))),
    "exponential": lambda r: C.Exponential(),
    "power": lambda r: C.Power(float(r.uniform(0.1, 0.9))),
}
VARIANTS = ("plain", "infeasible", "unbounded", "degenerate", "scaled", "dependent")


def inside(r, cone, dual=False):
    """A point inside of a cone, or of its dual."""
    if isinstance(cone, C.Zero):
        return r.normal(size=cone.k) if dual else np.zeros(cone.k)
    if isinstance(cone, C.NonNegative):
        return np.abs(r.normal(size=cone.k))
    if isinstance(cone, C.SecondOrder):
        v = r.normal(size=cone.k)
        v[0] = np.linalg.norm(v[1:]) + abs(r.normal())
        return v
    if isinstance(cone, C.Semidefinite):
        factor = r.normal(size=(cone.k, cone.k))
        return vector_of(factor @ factor.T / cone.k)
    x, y = r.normal(), abs(r.normal()) + 0.1
    if isinstance(cone, C.Exponential):
        if dual:
            return np.array([-y, x, y * np.exp(-x / y - 1) + abs(r.normal())])
        return np.array([x, y, y * np.exp(x / y) + abs(r.normal())])
    a, x = cone.a, abs(x) + 0.1
    t = x**a * y ** (1 - a) * r.uniform(-0.9, 0.9)
    return np.array([a * x, (1 - a) * y, t] if dual else [x, y, t])


def complementary(r, cone):
    """A slack on the boundary of a cone, or inside, and a dual with which it is strictly complementary."""
    if isinstance(cone, C.Zero):
        return np.zeros(cone.k), r.normal(size=cone.k)
    if isinstance(cone, C.NonNegative):
        u = r.normal(size=cone.k)
        return np.maximum(u, 0.0), np.maximum(-u, 0.0)
    if isinstance(cone, C.SecondOrder):
        tail = r.normal(size=cone.k - 1)
        head, (a, b) = np.linalg.norm(tail), np.abs(r.normal(size=2)) + 0.1
        return a * np.array([head, *tail]), b * np.array([head, *-tail])
    if isinstance(cone, C.Semidefinite):
        values, vectors = np.linalg.eigh(matrix_of(r.normal(size=cone.rows), cone.k))
        return tuple(vector_of((vectors * np.maximum(v, 0.0)) @ vectors.T) for v in (values, -values))
    x, y, weight = abs(r.normal()) + 0.1, abs(r.normal()) + 0.1, abs(r.normal()) + 0.1
    if isinstance(cone, C.Exponential):
        return np.array([x, y, y * np.exp(x / y)]), weight * np.array([-1.0, x / y - 1, np.exp(-x / y)])
    a, t = cone.a, x**cone.a * y ** (1 - cone.a)
    return np.array([x, y, t]), weight * np.array([a * t / x, (1 - a) * t / y, -1.0])


def program(seed, kinds, n):
    """`P, q, A, b` of a program that has a solution."""
    r = np.random.default_rng(seed)
    factor = r.normal(size=(n, r.integers(0, n + 1)))
    P, A, x = factor @ factor.T, r.normal(size=(sum(c.rows for c in kinds), n)), r.normal(size=n)
    s, z = (np.concatenate([inside(r, cone, dual) for cone in kinds]) for dual in (False, True))
    return P, -P @ x - A.T @ z, A, A @ x + s


def mixture(seed):
    """One to three cones of any kinds, and a number of unknowns."""
    r = np.random.default_rng(1000 + seed)
    names = list(KINDS)
    kinds = [KINDS[names[r.integers(0, len(names))]](r) for _ in range(r.integers(1, 4))]
    equal = sum(c.rows for c in kinds if isinstance(c, C.Zero))
    rest = sum(c.rows for c in kinds) - equal
    return kinds, int(r.integers(max(1, equal), equal + max(2, rest)))


def variant(seed):
    """A kind of trouble, cones, and a program that may have no solution, many, or numbers of any size."""
    kinds, n = mixture(seed)
    (P, q, A, b), r, trouble = program(seed, kinds, n), np.random.default_rng(seed + 7), VARIANTS[seed % len(VARIANTS)]
    if trouble == "infeasible":
        b = b - 10 * r.normal(size=b.shape)
    elif trouble == "unbounded":
        P, q = 0 * P, q + 10 * r.normal(size=n)
    elif trouble == "degenerate" and len(b) > 1:
        A[1], b[1] = A[0], b[0]
    elif trouble == "scaled":
        cost, size = 10 ** r.uniform(-6, 6, 2)
        P, q, A = P * cost * size**2, q * cost * size, A * size
    elif trouble == "dependent" and n > 1:
        A[:, 1], q[1] = A[:, 0], q[0]
        P[:, 1], P[1] = P[:, 0], P[0]
        P = (P + P.T) / 2
    return trouble, kinds, (P, q, A, b)
