"""Members of cones in a program's inequalities: shapes, bounds, duals, classes of functions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import programs
from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.programs import NonlinearError, Program, Status, cones


def test_bounds_that_are_not_there(x64):
    program = Program(
        lambda x, c: jnp.vdot(c, x["w"]) + x["t"],
        variable={"w": (2,), "t": ()},
        inequality=lambda x, c: cones.second_order(x["t"], 2 * x["w"]),
        lower={"w": 0.0, "t": -jnp.inf},
        upper={"w": jnp.inf, "t": jnp.array(3.0)},
    )
    s = program.solve(jnp.array([-3.0, 1.0]))
    assert int(s.status) == Status.SOLVED
    np.testing.assert_allclose(s.x["w"], [1.5, 0.0], atol=1e-8)
    np.testing.assert_allclose(s.z_upper["t"], 0.5, atol=1e-8)
    np.testing.assert_allclose(s.z_lower["w"], [0.0, 1.0], atol=1e-8)


def test_arrays_of_members_have_duals_in_parts(x64):
    centres = jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.5]])
    ball = Program(
        lambda x, c: jnp.vdot(c, x),
        (2,),
        inequality=lambda x, c: {"near": cones.second_order(1.0, x - centres), "b": x[0]},
    )
    s = jax.vmap(ball.solve)(jnp.array([[1.0, 0.2], [0.0, -1.0]]))
    t, v = s.z["near"]
    assert (t.shape, v.shape, s.z["b"].shape) == ((2, 3), (2, 3, 2), (2,))
    assert np.all(np.asarray(t) >= np.linalg.norm(v, axis=-1) - 1e-8)


def test_directional_derivatives(x64):
    ball = Program(lambda x, c: jnp.vdot(c, x), (2,), inequality=lambda x, c: cones.second_order(1.0, x))
    c = jnp.array([3.0, 4.0])
    forward = ball.forward_differentiate(c, tangents={"c": jnp.array([1.0, 0.0])})
    np.testing.assert_allclose(forward.x, [-0.128, 0.096], atol=1e-9)
    back = ball.reverse_differentiate(c, cotangents={"x": jnp.array([1.0, 0.0])})
    np.testing.assert_allclose(back.parameters["c"], [-0.128, 0.096], atol=1e-9)


@pytest.mark.parametrize("size", [2, 40])
def test_sparse_functions(size, x64):
    """Many cones on few unknowns each, on both sides of the size from which matrices are kept sparse."""
    program = Program(
        lambda x, c: jnp.vdot(c, x) + jnp.sum(x * x) / 2,
        variable=(size, 8),
        inequality=lambda x, c: cones.second_order(1.0, x),
    )
    c = jnp.asarray(np.random.default_rng(0).normal(size=(size, 8)))
    length = jnp.linalg.norm(c, axis=1, keepdims=True)
    np.testing.assert_allclose(program(c), -c / jnp.maximum(length, 1.0), atol=1e-8)


BAD = {
    "not affine": (lambda x: cones.second_order(1.0, x * x), NonlinearError, "quadratic in the variable"),
    "axes": (lambda x: cones.second_order(jnp.ones(3), x), ShapeError, r"t of shape \[3\] and v of shape \[2\]"),
    "square": (lambda x: cones.semidefinite(x), ShapeError, "square matrix"),
    "broadcast": (lambda x: cones.exponential(x, jnp.ones(3), 1.0), ShapeError, "y of shape"),
    "exponent": (lambda x: cones.power(x[0], x[1], 1.0, 2.0), ArgumentError, "a=2.0"),
    "text": (lambda x: cones.second_order("a", x), DtypeError, "t='a'"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_cone_is_refused(name):
    inequality, kind, message = BAD[name]
    with pytest.raises(kind, match=message):
        Program(lambda x: jnp.sum(x), (2,), inequality=inequality)()


def test_cones_are_inequalities():
    with pytest.raises(ArgumentError, match=r"a cone in equalities.*put it into `inequality`"):
        Program(lambda x: jnp.sum(x), (2,), equality=lambda x: cones.second_order(1.0, x))()
    with pytest.raises(ArgumentError, match="solver='daqp' for a program over cones"):
        Program(lambda x: jnp.sum(x), (2,), inequality=lambda x: cones.second_order(1.0, x), solver="daqp")()
    assert programs.cones is cones


@pytest.mark.parametrize("gap", [15.0, 23.0, 30.0, 40.0])
def test_exponentials_that_are_lost_to_rounding_have_derivatives(gap):
    """The smallest terms are below the accuracy of the solver, and negative at what it returns for some of the gaps."""

    def members(x, c):
        return {"each": cones.exponential(c - x["t"], 1.0, x["u"]), "sum": jnp.sum(x["u"]) - 1}

    log_sum_exp = Program(
        lambda x, c: x["t"], lambda c: {"t": jnp.zeros_like(c[0]), "u": jnp.zeros_like(c)}, inequality=members
    )
    c = jnp.array([0.0, 0.3, -gap / 2, -gap])
    value, slope = jax.value_and_grad(lambda c: log_sum_exp(c)["t"])(c)
    np.testing.assert_allclose(value, jax.nn.logsumexp(c), atol=1e-6)
    np.testing.assert_allclose(slope, jax.nn.softmax(c), rtol=1e-4, atol=1e-9)
    bent = jax.hessian(lambda c: log_sum_exp(c)["t"])(c)
    np.testing.assert_allclose(bent, jax.jacobian(jax.nn.softmax)(c), rtol=1e-4, atol=1e-6)
