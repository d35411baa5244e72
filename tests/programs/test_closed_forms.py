"""Programs whose solutions are known formulas: values, and derivatives of the formulas by automatic differentiation."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.programs import affine, box, halfspace, project, simplex, solve_lp, solve_qp

A, B = np.array([[1.0, 2.0, -1.0, 0.5], [0.0, 1.0, 1.0, 1.0]]), np.array([1.0, -0.5])
NORMAL = np.array([1.0, -2.0, 0.5, 1.0])
DATA = np.array([[1.0, 0.3], [-0.4, 1.1], [0.7, -0.9], [1.5, 0.2], [-1.0, 0.6]])
SIGNS = np.array([1.0, 1.0, -1.0, 1.0, -1.0])
ROOT = np.array([[1.0, 0.2, 0.1], [0.2, 0.8, -0.1], [0.1, -0.1, 1.2]])


class Known(NamedTuple):
    """A program as a function of one array, the formula of its solution, and where they are compared."""

    program: Callable
    formula: Callable
    at: list


def onto_simplex(x):
    ordered = -jnp.sort(-x)
    shifts = (jnp.cumsum(ordered) - 1) / jnp.arange(1.0, x.size + 1)
    return jnp.maximum(x - shifts[jnp.sum(ordered > shifts) - 1], 0)


def ridge(penalty):
    return solve_qp(DATA.T @ DATA + penalty * jnp.eye(2), -DATA.T @ SIGNS).x


def soft_threshold(v):
    """Least squares with a penalty on the absolute values, each bounded by a variable of its own."""
    n, eye = v.size, jnp.eye(v.size)
    P, q = jnp.diag(jnp.concatenate([jnp.ones(n), jnp.zeros(n)])), jnp.concatenate([-v, jnp.full(n, 0.5)])
    return solve_qp(P, q, G=jnp.block([[eye, -eye], [-eye, -eye]]), h=jnp.zeros(2 * n)).x[:n]


def water(total):
    """Fill vessels of floors `FLOORS` to one level: the squared levels are least."""
    return solve_qp(jnp.ones(4), FLOORS, jnp.ones((1, 4)), total[None], lower=0.0).x


FLOORS = np.array([0.2, 1.0, 0.5, 3.0])


def filled(total):
    floors = jnp.sort(FLOORS)
    levels = (total + jnp.cumsum(floors)) / jnp.arange(1.0, 5)
    return jnp.maximum(levels[jnp.sum(levels > floors) - 1] - FLOORS, 0)


def separator(scale):
    """Normal of the widest margin between two points and one point, from the dual program of the machine."""
    X, y = scale * np.array([[2.0, 0.0], [3.0, 3.0], [0.0, 0.0]]), np.array([1.0, 1.0, -1.0])
    K = (y[:, None] * X) @ (y[:, None] * X).T
    a = solve_qp(K, -jnp.ones(3), y[None], jnp.zeros(1), lower=0.0, upper=100.0).x
    return (a * y) @ X


def frontier(target):
    """Least variance of three shares with a given return; the dual of the return is its price in variance."""
    C, mean = ROOT @ ROOT, np.array([0.1, 0.3, 0.2])
    s = solve_qp(C, jnp.zeros(3), jnp.stack([jnp.ones(3), jnp.asarray(mean)]), jnp.stack([jnp.ones(()), target]))
    return jnp.concatenate([s.x, s.y, s.objective[None]])


def merton(target):
    """The frontier by Lagrange: x = C⁻¹ M' λ with (M C⁻¹ M') λ = (1, target)."""
    C, M = ROOT @ ROOT, np.array([[1.0, 1.0, 1.0], [0.1, 0.3, 0.2]])
    prices = jnp.linalg.solve(M @ jnp.linalg.solve(C, M.T), jnp.stack([jnp.ones(()), target]))
    x = jnp.linalg.solve(C, M.T @ prices)
    return jnp.concatenate([x, -prices, x @ C @ x[None].T / 2])


COST = np.array([[1.0, 4.0, 5.0], [3.0, 0.0, 6.0], [2.0, 7.0, 1.0]])


def assignment(cost):
    """Least cost of assigning three to three: a vertex of the transport polytope."""
    ways = jnp.concatenate([jnp.kron(jnp.eye(3), jnp.ones((1, 3))), jnp.kron(jnp.ones((1, 3)), jnp.eye(3))])
    return solve_lp(cost.ravel(), ways, jnp.ones(6), lower=0.0).objective


def transport(supply):
    """Cost of carrying 2 and 3 units from two places; the third demand is what is left."""
    ways = jnp.array([[1.0, 1.0, 0, 0], [0, 0, 1.0, 1.0], [1.0, 0, 1.0, 0]])
    s = solve_lp(jnp.array([1.0, 3.0, 2.0, 1.0]), ways, supply, lower=0.0)
    return jnp.concatenate([s.objective[None], s.x])


POINTS = [np.array([2.0, -3.0, 0.5, 0.7]), np.array([0.4, 0.3, 0.2, 0.6])]
CLOSED = {
    "simplex": Known(project(simplex(4)), onto_simplex, POINTS),
    "box": Known(project(box(-1.0, 0.5)), lambda x: jnp.clip(x, -1.0, 0.5), [np.array([2.0, -3.0, 0.2])]),
    "halfspace": Known(
        project(halfspace(NORMAL, 0.25)),
        lambda x: x - NORMAL * jnp.maximum(NORMAL @ x - 0.25, 0) / (NORMAL @ NORMAL),
        [POINTS[0], -POINTS[0]],
    ),
    "affine": Known(project(affine(A, B)), lambda x: x - jnp.linalg.pinv(A) @ (A @ x - B), POINTS),
    "ridge": Known(
        ridge, lambda t: jnp.linalg.solve(DATA.T @ DATA + t * jnp.eye(2), DATA.T @ SIGNS), [np.array(0.1)]
    ),
    "soft threshold": Known(
        soft_threshold, lambda v: jnp.sign(v) * jnp.maximum(jnp.abs(v) - 0.5, 0), [np.array([2.0, -0.3, -1.5])]
    ),
    "water filling": Known(water, filled, [np.array(0.1), np.array(1.0), np.array(10.0)]),
    "support vectors": Known(separator, lambda t: np.array([1.0, 0.0]) / t, [np.array(1.0), np.array(0.7)]),
    "portfolio": Known(frontier, merton, [np.array(0.22)]),
    "assignment": Known(assignment, jnp.trace, [COST]),
    "transport": Known(
        transport,
        lambda b: jnp.stack(
            [b[2] + 3 * (b[0] - b[2]) + b[1], b[2], b[0] - b[2], jnp.zeros(()), b[1]]
        ),
        [np.array([2.0, 3.0, 1.5])],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSED)
def test_values_and_derivatives(name, x64):
    known = CLOSED[name]
    points = jnp.stack(known.at)

    @jax.jit
    @jax.vmap
    def ours(x):
        return known.program(x), jax.jacfwd(known.program)(x), jax.jacrev(known.program)(x)

    value, forward, reverse = ours(points)
    expected = [(known.formula(x), jax.jacfwd(known.formula)(x)) for x in points]
    np.testing.assert_allclose(value, [e[0] for e in expected], atol=1e-8)
    np.testing.assert_allclose(forward, [e[1] for e in expected], atol=1e-7)
    np.testing.assert_allclose(reverse, forward, atol=1e-9)


def test_the_price_of_return_is_its_dual(x64):
    """Along the frontier the variance grows by minus the dual of the return, by the envelope theorem."""
    target = jnp.array(0.22)
    s = frontier(target)
    np.testing.assert_allclose(af.gradient(lambda t: frontier(t)[-1], target)[0], -s[4], atol=1e-9)


def test_duals_of_transport_are_prices(x64):
    supply = jnp.array([2.0, 3.0, 1.5])
    ways = np.array([[1.0, 1.0, 0, 0], [0, 0, 1.0, 1.0], [1.0, 0, 1.0, 0]])
    s = solve_lp(jnp.array([1.0, 3.0, 2.0, 1.0]), ways, supply, lower=0.0).check()
    np.testing.assert_allclose(-s.y, [3.0, 1.0, -2.0], atol=1e-9)
    np.testing.assert_allclose(jax.grad(lambda b: transport(b)[0])(supply), -s.y, atol=1e-9)
