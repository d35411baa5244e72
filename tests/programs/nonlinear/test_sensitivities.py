"""Directional derivatives of nonlinear programs by name: parameters, functions, coefficients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.errors import ArgumentError
from argflux.programs import Program

OBJECTIVE = lambda x, a: jnp.sum(jnp.exp(x["v"]) - a * x["v"]) + jnp.cosh(x["t"])
EQUALITY = lambda x, a: {"sum": jnp.sum(x["v"]) - x["t"] ** 2}
INEQUALITY = lambda x, a: [x["v"] @ x["v"] - 0.5]
program = Program(OBJECTIVE, {"t": (), "v": (2,)}, equality=EQUALITY, inequality=INEQUALITY, lower=-1.0, upper=0.6)
START = {"t": 0.5, "v": np.array([0.1, 0.2])}
DIRECTIONS = {
    "objective": lambda x, a: jnp.sum(x["v"]) * x["t"] + 1.0,
    "equality": lambda x, a: {"sum": jnp.sin(x["t"]) + a[0]},
    "inequality": lambda x, a: [x["v"][0] * 2 - 0.1],
}
a = np.array([0.9, 2.0])


def pushed(what, t, a):
    """The program solved again with a function that has moved."""
    functions = {"objective": OBJECTIVE, "equality": EQUALITY, "inequality": INEQUALITY}
    moved = dict(functions)
    moved[what] = lambda x, a: jax.tree.map(lambda y, d: y + t * d, functions[what](x, a), DIRECTIONS[what](x, a))
    again = Program(moved.pop("objective"), {"t": (), "v": (2,)}, **moved, lower=-1.0, upper=0.6)
    return again.solve(a, start=START)


@pytest.mark.parametrize("what", DIRECTIONS)
def test_forward_along_functions(what, x64):
    found = program.forward_differentiate(a, **{what: DIRECTIONS[what]}, start=START)
    h = 1e-5
    ends = [pushed(what, t, a) for t in (h, -h)]
    for name in ("x", "y", "z", "z_lower", "z_upper", "objective"):
        near = jax.tree.map(lambda p, m: (p - m) / (2 * h), *[getattr(end, name) for end in ends])
        for mine, other in zip(jax.tree.leaves(getattr(found, name)), jax.tree.leaves(near), strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-6, err_msg=name)


def test_forward_along_parameters_and_functions(x64):
    move = lambda **given: program.forward_differentiate(a, **given, start=START)
    both = move(tangents={"a": jnp.ones(2)}, objective=DIRECTIONS["objective"])
    parts = move(tangents={"a": jnp.ones(2)}), move(objective=DIRECTIONS["objective"])
    for mine, one, two in zip(*map(jax.tree.leaves, (both, *parts)), strict=True):
        np.testing.assert_allclose(mine, one + two, atol=1e-12)


def test_reverse_is_the_transpose_of_forward(x64):
    dx = {"t": jnp.array(0.3), "v": jnp.array([1.0, -2.0])}
    cotangents = {"x": dx, "z": [jnp.array(0.7)], "y": {"sum": jnp.array(-0.4)}, "objective": 1.5}
    found = program.reverse_differentiate(a, cotangents=cotangents, start=START)

    def paired(**given):
        moved = program.forward_differentiate(a, **given, start=START)
        parts = dx["t"] * moved.x["t"], dx["v"] @ moved.x["v"], 0.7 * moved.z[0], -0.4 * moved.y["sum"]
        return sum(parts) + 1.5 * moved.objective

    np.testing.assert_allclose(found.parameters["a"][1], paired(tangents={"a": jnp.array([0.0, 1.0])}), atol=1e-10)
    one = lambda x, a: jnp.ones(())
    np.testing.assert_allclose(found.objective.constant, paired(objective=one), atol=1e-10)
    np.testing.assert_allclose(found.objective.linear["v"][1], paired(objective=lambda x, a: x["v"][1]), atol=1e-10)
    np.testing.assert_allclose(
        found.equality.constant["sum"], paired(equality=lambda x, a: {"sum": one(x, a)}), atol=1e-10
    )
    np.testing.assert_allclose(found.equality.linear[0, 0], paired(equality=lambda x, a: {"sum": x["t"]}), atol=1e-10)
    np.testing.assert_allclose(found.inequality.linear[0, 2], paired(inequality=lambda x, a: [x["v"][1]]), atol=1e-10)
    assert found.lower["v"].shape == (2,)


def test_directions_of_functions_that_are_not_there():
    with pytest.raises(ArgumentError, match="a direction of inequality, which the program has not"):
        Program(lambda x: jnp.sum(jnp.cosh(x)), 2).forward_differentiate(inequality=lambda x: x)
