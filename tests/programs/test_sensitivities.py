"""Sensitivities by name against derivatives of the program with the perturbation written into it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.errors import ArgumentError, DtypeError
from argflux.programs import Program

SHAPE = (3,)


def program(t=0.0, what=None):
    """Minimise (x - y)² within a half-space and a plane, one function moved by t times a direction."""
    move = lambda name, value, direction: value + t * direction if what == name else value
    return Program(
        lambda x, y: move("objective", jnp.sum((x - y) ** 2), jnp.sum(x) + x[0] ** 2 + x[0] * x[1]),
        variable=SHAPE,
        equality=lambda x, y: move("equality", jnp.sum(x) - 1.0, 2 * x[0] + 1.0),
        inequality=lambda x, y: move("inequality", x - 0.5, x + 0.3),
        lower=-1.0,
    )


DIRECTIONS = {
    "objective": lambda x, y: jnp.sum(x) + x[0] ** 2 + x[0] * x[1],
    "equality": lambda x, y: 2 * x[0] + 1.0,
    "inequality": lambda x, y: x + 0.3,
}
Y = jnp.array([0.9, 0.3, -0.4])


@pytest.mark.parametrize("what", DIRECTIONS)
def test_directions_of_functions(x64, what):
    y = Y.astype(jnp.float64)
    found = program().forward_differentiate(y, **{what: DIRECTIONS[what]})
    step = 1e-5
    above, below = program(step, what).solve(y), program(-step, what).solve(y)
    for name in ("x", "y", "z", "z_lower", "objective"):
        numeric = (getattr(above, name) - getattr(below, name)) / (2 * step)
        np.testing.assert_allclose(getattr(found, name), numeric, atol=1e-6)


def test_directions_of_parameters(x64):
    y = Y.astype(jnp.float64)
    direction = jnp.array([1.0, -2.0, 0.5])
    found = program().forward_differentiate(y, tangents={"y": direction})
    np.testing.assert_allclose(found.x, jax.jvp(program(), (y,), (direction,))[1], atol=1e-12)


def test_reverse_agrees_with_forward(x64):
    y, dx = Y.astype(jnp.float64), jnp.array([1.0, 2.0, -1.0])
    found = program().reverse_differentiate(y, cotangents={"x": dx, "objective": 0.7})
    weigh = lambda moved: jnp.vdot(dx, moved.x) + 0.7 * moved.objective
    run = program().forward_differentiate
    # along sum(x) + x0² + x0 x1: q moves by 1, P by 2 at (0, 0) and 1 at (0, 1) and (1, 0)
    quadratic = 2 * found.objective.quadratic[0] if found.objective.quadratic.ndim == 1 else found.objective.quadratic
    if found.objective.quadratic.ndim == 2:
        moved = jnp.sum(found.objective.linear) + 2 * quadratic[0, 0] + 2 * quadratic[0, 1]
        np.testing.assert_allclose(moved, weigh(run(y, objective=DIRECTIONS["objective"])), atol=1e-9)
    linear = run(y, objective=lambda x, y: jnp.sum(x))
    np.testing.assert_allclose(jnp.sum(found.objective.linear), weigh(linear), atol=1e-9)
    moved = 2 * found.equality.linear[0, 0] + found.equality.constant
    np.testing.assert_allclose(moved, weigh(run(y, equality=DIRECTIONS["equality"])), atol=1e-9)
    moved = jnp.trace(found.inequality.linear) + 0.3 * jnp.sum(found.inequality.constant)
    np.testing.assert_allclose(moved, weigh(run(y, inequality=DIRECTIONS["inequality"])), atol=1e-9)
    loss = lambda y: jnp.vdot(dx, program()(y)) + 0.7 * program().solve(y).objective
    np.testing.assert_allclose(found.parameters["y"], jax.grad(loss)(y), atol=1e-9)
    assert found.lower.shape == SHAPE
    assert found.upper is None


def test_split_programs_give_coefficients_of_the_whole(x64):
    pytest.importorskip("asdex", exc_type=ImportError)
    rows = Program(
        lambda x, y: jnp.sum((x - y) ** 2), variable=lambda y: y, equality=lambda x, y: x.sum(1) - 1.0, lower=0.0
    )
    y = jax.random.normal(jax.random.key(0), (40, 5))
    assert rows._plan((y,)).groups
    found = rows.reverse_differentiate(y, cotangents={"x": jnp.cos(y)})
    assert found.equality.linear.shape == (40, 200)
    move = rows.forward_differentiate(y, equality=lambda x, y: x[:, 0] + 0.5)
    expected = jnp.vdot(jnp.cos(y), move.x)
    moved = jnp.sum(found.equality.linear[jnp.arange(40), 5 * jnp.arange(40)]) + 0.5 * found.equality.constant.sum()
    np.testing.assert_allclose(moved, expected, atol=1e-8)


def test_names_are_checked():
    with pytest.raises(ArgumentError, match=r"tangents: got tangents of 'w'.*among y"):
        program().forward_differentiate(Y, tangents={"w": Y})
    with pytest.raises(ArgumentError, match=r"cotangents of 'dual'.*z_lower"):
        program().reverse_differentiate(Y, cotangents={"dual": Y})
    with pytest.raises(DtypeError, match=r"tangents: got a .*; expected a dict by name; write tangents={'y': …}"):
        program().forward_differentiate(Y, tangents=Y)


def test_directions_of_functions_that_are_not_there():
    relu = Program(lambda x, y: jnp.sum((x - y) ** 2), variable=lambda y: y, lower=0.0)
    with pytest.raises(ArgumentError, match="a direction of inequality, which the program has not"):
        relu.forward_differentiate(jnp.ones(2), inequality=lambda x, y: x)
