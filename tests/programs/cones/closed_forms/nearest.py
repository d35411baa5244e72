"""Nearest points of cones, of balls of norms and of correlation matrices; proximal points of norms."""

import functools

import cvxpy as cp
import jax.numpy as jnp
import numpy as np

import argflux as af
from tests.programs.cones.closed_forms.row import Row, half, of_values, root, signs, symmetric

EXPONENT = 0.3
INFINITY = float("inf")


def onto(cone):
    """The nearest point s of a cone and the dual `s - v`."""

    def nearest(v):
        minus = -jnp.eye(cone.rows, dtype=v.dtype)
        found = af.solve_cone(jnp.ones_like(v), -v, minus, jnp.zeros_like(v), [cone])
        return found.x, found.z

    return nearest


def second_order(v):
    t, length = v[0], jnp.linalg.norm(v[1:])
    s = (t + length) / 2 * jnp.concatenate([jnp.ones(1), v[1:] / length])
    return s, s - v


def exponential(v):
    """`v = s - z` in the plane of a point of the boundary, `(ρ, 1, exp ρ)`, and of the normal there."""
    point = lambda ratio: jnp.stack([ratio, jnp.ones_like(ratio), jnp.exp(ratio)])
    normal = lambda ratio: jnp.stack([-jnp.ones_like(ratio), ratio - 1, jnp.exp(-ratio)])
    ratio = root(lambda ratio, v: v @ jnp.cross(point(ratio), normal(ratio)), -3.0, 3.0, v)
    p = point(ratio)
    s = p * (p @ v) / (p @ p)
    return s, s - v


def power(v):
    """The first two coordinates by the third, the third by the equation of the boundary."""

    def first(size, v):
        powers = jnp.array([EXPONENT, 1 - EXPONENT])
        return (v[:2] + jnp.sqrt(v[:2] ** 2 + 4 * powers * size * (jnp.abs(v[2]) - size))) / 2

    def excess(size, v):
        x, y = first(size, v)
        return x**EXPONENT * y ** (1 - EXPONENT) - size

    size = root(excess, 0.0, jnp.abs(v[2]), v)
    s = jnp.append(first(size, v), size * jnp.sign(v[2]))
    return s, s - v


NEAREST_SEMIDEFINITE = af.Program(
    lambda X, M: jnp.sum((X - M) ** 2) / 2, variable=(3, 3), inequality=lambda X, M: af.cones.semidefinite(X)
)


def by_semidefinite(M):
    s = NEAREST_SEMIDEFINITE.solve(M)
    return s.x, s.z, af.project(af.cones.Semidefinite(3))(half(M))


def semidefinite(M):
    S, Z = (of_values(sign * M, lambda t: jnp.maximum(t, 0)) for sign in (1, -1))
    return S + (M - M.T) / 2, Z, S


def distance(x, v, radius):
    point = x["x"] if isinstance(x, dict) else x
    return jnp.sum((point - v) ** 2) / 2


def block(upper, X, lower):
    return af.cones.semidefinite(jnp.block([[upper, X], [X.T, lower]]))


def in_nuclear(x, v, radius):
    U, V = symmetric(x["U"], 2), symmetric(x["V"], 3)
    return block(U, x["x"], V), jnp.trace(U) + jnp.trace(V) - 2 * radius


BALLS = {
    1: (
        {"x": (4,), "t": (4,)},
        lambda x, v, radius: (af.cones.second_order(x["t"], x["x"][:, None]), jnp.sum(x["t"]) - radius),
    ),
    2: ((4,), lambda x, v, radius: af.cones.second_order(radius, x)),
    INFINITY: ((4,), lambda x, v, radius: af.cones.second_order(radius, x[:, None])),
    "nuclear": ({"x": (2, 3), "U": (3,), "V": (6,)}, in_nuclear),
    "spectral": ((2, 3), lambda x, v, radius: block(radius * jnp.eye(2), x, radius * jnp.eye(3))),
}


def in_ball(norm):
    """The nearest point by a program over cones, and by `project`."""
    variable, inequality = BALLS[norm]
    program = af.Program(distance, variable, inequality=inequality)

    def nearest(v, radius):
        x = program(v, radius)
        return x["x"] if isinstance(x, dict) else x, af.project(af.NormBall(norm, radius))(v)

    return nearest


def shrunk(size, radius):
    """Nonnegative numbers less what makes their sum the radius."""
    ordered = -jnp.sort(-size)
    by = (jnp.cumsum(ordered) - radius) / jnp.arange(1.0, size.size + 1)
    return jnp.maximum(size - by[jnp.sum(ordered > by) - 1], 0)


def of_singular(f):
    def formula(v, *params):
        U, values, V = jnp.linalg.svd(v, full_matrices=False)
        return (U * f(values, *params)) @ V

    return formula


def twice(formula):
    return lambda v, radius: (formula(v, radius),) * 2


def outside(shape, length):
    """A point of a given length and a radius that is smaller."""

    def draw(r):
        v = r.normal(size=shape)
        return length * v / np.linalg.norm(v), r.uniform(0.5, 0.8)

    return draw


def equal_correlations(correlation, diagonal):
    every = jnp.ones((3, 3)) * correlation
    return af.nearest_correlation(every, diagonal)


@functools.cache
def shrinking_groups():
    x, v, penalty = cp.Variable(6), cp.Parameter(6), cp.Parameter(nonneg=True)
    lengths = cp.norm(x[:2]) + cp.norm(x[2:4]) + cp.norm(x[4:])
    problem = cp.Problem(cp.Minimize(cp.sum_squares(x - v) / 2 + penalty * lengths))
    return af.Program.from_cvxpy(problem, [v, penalty], [x])


def shorter_groups(v, penalty):
    groups = v.reshape(3, 2)
    lengths = jnp.linalg.norm(groups, axis=1, keepdims=True)
    return (groups * jnp.maximum(1 - penalty / lengths, 0)).ravel()


@functools.cache
def shrinking_values():
    X, V, penalty = cp.Variable((2, 3)), cp.Parameter((2, 3)), cp.Parameter(nonneg=True)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(X - V) / 2 + penalty * cp.normNuc(X)))
    return af.Program.from_cvxpy(problem, [V, penalty], [X])


def groups(r):
    """Three pairs, the first of them shorter than the penalty."""
    pairs = r.normal(size=(3, 2))
    return (pairs / np.linalg.norm(pairs, axis=1)[:, None] * [[0.2], [1.0], [2.0]]).ravel(), r.uniform(0.4, 0.6)


NEAREST = {
    "second-order cone": Row(
        onto(af.cones.SecondOrder(4)), second_order, lambda r: (np.append(r.uniform(-0.8, 0.8), signs(r, 3)),)
    ),
    "semidefinite cone": Row(by_semidefinite, semidefinite, lambda r: (2 * r.normal(size=(3, 3)),)),
    "exponential cone": Row(
        onto(af.cones.Exponential()), exponential, lambda r: (r.uniform([0.5, 0.5, -0.5], [1.5, 1.5, 1.0]),)
    ),
    "power cone": Row(
        onto(af.cones.Power(EXPONENT)), power, lambda r: (r.uniform([0.2, 0.2, 1.7], [1.0, 1.0, 2.5]),)
    ),
    "ball of norm 1": Row(
        in_ball(1),
        twice(lambda v, radius: jnp.sign(v) * shrunk(jnp.abs(v), radius)),
        outside(4, 1.0),
    ),
    "ball of norm 2": Row(
        in_ball(2), twice(lambda v, radius: v * radius / jnp.linalg.norm(v)), outside(4, 1.0)
    ),
    "ball of norm infinity": Row(
        in_ball(INFINITY), twice(lambda v, radius: jnp.clip(v, -radius, radius)), outside(4, 1.0)
    ),
    "ball of the nuclear norm": Row(in_ball("nuclear"), twice(of_singular(shrunk)), outside((2, 3), 1.0)),
    "ball of the spectral norm": Row(
        in_ball("spectral"), twice(of_singular(jnp.minimum)), outside((2, 3), 1.0)
    ),
    "correlation matrix of two": Row(
        af.nearest_correlation,
        lambda M, diagonal: jnp.eye(2) * diagonal + (1 - jnp.eye(2)) * jnp.clip(half(M)[0, 1], -diagonal, diagonal),
        lambda r: (r.normal(size=(2, 2)) + np.sign(r.normal()), r.uniform(0.5, 1.5)),
    ),
    "correlations that are equal": Row(
        equal_correlations,
        lambda correlation, diagonal: diagonal * (1.5 * jnp.eye(3) - 0.5),
        lambda r: (r.uniform(-3, -1), r.uniform(0.5, 1.5)),
    ),
    "shrunk groups": Row(lambda *given: shrinking_groups()(*given), shorter_groups, groups),
    "shrunk singular values": Row(
        lambda *given: shrinking_values()(*given),
        of_singular(lambda values, penalty: jnp.maximum(values - penalty, 0)),
        lambda r: (r.normal(size=(2, 3)), r.uniform(0.4, 0.6)),
    ),
}  # fmt: skip
