"""Activity, weakly active constraints, dependent rows, saddles and flat valleys: flags and finite derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.programs import Program, Regularity, Status

FLAGS = (Regularity.REGULAR, Regularity.LICQ, Regularity.STRICT_COMPLEMENTARITY, Regularity.SECOND_ORDER)
regular, dependent, weak, second = FLAGS

mine = Program(
    lambda x, a: jnp.sum(jnp.cosh(x - a)),
    2,
    inequality=lambda x, a: jnp.stack([x[0] ** 2 - 1.0, x[1] - 1e4, jnp.sum(x) - 1e-3 - a[0] - a[1]]),
    lower=-1e3,
    upper=1e4,
)


def solved(program, *params, start=None):
    found = program.solve(*params, start=start)
    assert int(found.status) == Status.SOLVED
    return found, Regularity(int(found.regularity))


def test_constraints_that_do_not_hold_have_no_say(x64):
    """An inactive row with a slack of a thousandth, another of 10⁴, and an interior point between finite bounds."""
    a = jnp.array([0.3, -0.2])
    found, flags = solved(mine, a)
    assert flags == regular
    assert not np.any(found.z)
    assert not np.any(found.z_lower)
    assert not np.any(found.z_upper)
    np.testing.assert_allclose(jax.jacobian(mine)(a), np.eye(2), atol=1e-12)


def test_weakly_active_rows_are_held(x64):
    """The unconstrained minimiser lies on the boundary: the row is held, as in quadratic programs, and flagged."""
    a = jnp.array([1.0, 0.5])
    found, flags = solved(mine, a)
    assert flags == weak
    np.testing.assert_allclose(found.x, a, atol=1e-7)
    np.testing.assert_allclose(jax.jacobian(mine)(a), np.diag([0.0, 1.0]), atol=1e-6)
    below, above = (jax.jacobian(mine)(a.at[0].add(h)) for h in (-1e-3, 1e-3))
    np.testing.assert_allclose(below, np.eye(2), atol=1e-9)
    np.testing.assert_allclose(above, np.diag([0.0, 1.0]), atol=1e-9)


def test_weakly_active_bounds_are_held(x64):
    program = Program(lambda x, a: jnp.sum(jnp.exp(x) - a * x), 2, lower=0.0)
    found, flags = solved(program, jnp.array([1.0, 3.0]))
    assert flags == weak
    np.testing.assert_allclose(found.x, [0.0, np.log(3.0)], atol=1e-7)
    np.testing.assert_allclose(jax.jacobian(program)(jnp.array([1.0, 3.0])), np.diag([0.0, 1 / 3]), atol=1e-6)


BROKEN = {
    "a row twice": (
        lambda x, a: jnp.sum(jnp.cosh(x - a)),
        {"equality": lambda x, a: jnp.stack([x @ x - 1.0, 3 - 3 * x @ x])}, dependent,
    ),
    "two inequalities, the same": (
        lambda x, a: jnp.sum(jnp.exp(x - a)),
        {"inequality": lambda x, a: jnp.stack([x @ x - 1.0, 2 * x @ x - 2.0])}, dependent,
    ),
    "three rows through a point": (
        lambda x, a: jnp.exp(x[0] - a[0]) + x[1],
        {"inequality": lambda x, a: jnp.stack([-x[0], -x[1], -x[0] - x[1]]) + 0 * x @ x}, dependent,
    ),
    "a saddle": (lambda x, a: jnp.cos(x[0]) + jnp.cosh(x[1] - a[1]), {"lower": -1.0, "upper": 1.0}, second),
    "a valley": (lambda x, a: jnp.cosh(x[0] + x[1] - a[0]), {}, second),
    "a quartic minimum": (lambda x, a: (x[0] - a[0]) ** 4 + jnp.cosh(x[1] - a[1]), {}, second),
    "a quartic minimum on a surface": (
        lambda x, a: (x[0] - 1) ** 2 + (x[1] - 1) ** 4 + (x[2] - 1) ** 4,
        {"equality": lambda x, a: x[0] + x[1] ** 2 + x[2] ** 3 - 3 + 0 * a[0]}, second,
    ),
    "more equalities than unknowns": (
        lambda x, a: jnp.sum(jnp.exp(x) * a),
        {"equality": lambda x, a: jnp.stack([x[0] - 1, x[1] - 1, x[0] * x[1] - 1])}, dependent,
    ),
    "a row along a bound that holds": (
        lambda x, a: jnp.exp(x[0]) + jnp.cosh(x[1]) + a[0] * x[0],
        {"inequality": lambda x, a: 1 - x[0] ** 2 - x[1] ** 2, "lower": jnp.array([1.0, -3.0])}, dependent,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_points_that_are_not_regular(name, x64):
    """They say so, and their derivatives are finite, and those of our engine JAX's."""
    objective, constraints, expected = BROKEN[name]
    n, a = 3 if "surface" in name else 2, jnp.array([0.5, 0.25])
    program = Program(objective, n, **constraints)
    start = None if name == "a saddle" else jnp.array([1.1 if "lower" in constraints else 0.6, 0.5, 0.6])[:n]
    find = lambda a: program.solve(a, start=start).x
    _, flags = solved(program, a, start=start)
    assert expected in flags
    slope = jax.grad(lambda a: jnp.sum(find(a)))(a)
    assert np.all(np.abs(slope) < 1e3)
    np.testing.assert_allclose(af.gradient(lambda a: jnp.sum(find(a)), a)[0], slope, atol=1e-9)
    assert np.all(np.abs(jax.jacfwd(find)(a)) < 1e3)


def test_valley_gets_the_derivative_of_least_norm(x64):
    program = Program(BROKEN["a valley"][0], 2)
    np.testing.assert_allclose(jax.jacobian(program)(jnp.array([0.5, 0.0]))[:, 0], [0.5, 0.5], atol=1e-9)


def test_multipliers_of_rounding_do_not_spoil_derivatives(x64):
    """Two equations fix both unknowns, and nothing pulls: the curvature is 1e-52, or nothing."""
    rows = lambda x, t: jnp.stack([x @ x - 25, x[0] * x[1] - 9 - t])
    program = Program(lambda x, t: -1.0 + 0 * x[0] * t, 2, equality=rows)
    start = jnp.array([2.0, 1.0])
    x, slope = program.solve(0.0, start=start).x, jax.jacfwd(lambda t: program.solve(t, start=start).x)(0.0)
    right = np.linalg.solve([[2 * x[0], 2 * x[1]], [x[1], x[0]]], [0.0, 1.0])
    np.testing.assert_allclose(slope, right, rtol=1e-8)
