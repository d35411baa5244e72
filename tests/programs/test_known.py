"""Known values: solved in NumPy as under `jit`, and without compiling anything."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs import solve_lp, solve_qp
from argflux.programs.forms.arrays import known, namespace

FIELDS = ("x", "y", "z", "z_lower", "z_upper", "objective", "status", "regularity")


def blocks(n: int, m: int, p: int, seed: int = 0) -> list:
    r = np.random.default_rng(seed)
    F, x0 = r.normal(size=(n, n)), r.normal(size=n)
    G, A = r.normal(size=(m, n)), r.normal(size=(p, n))
    arrays = (F @ F.T + np.eye(n), r.normal(size=n), A, A @ x0, G, G @ x0 + r.uniform(size=m))
    return [np.asarray(a, np.float32) for a in arrays]


def quadratic(n, m, p):
    P, q, *rest = blocks(n, m, p)
    return lambda q: solve_qp(P, q, *rest, lower=-3.0), q


CASES = {
    "pivoting": quadratic(6, 4, 2),
    "daqp": quadratic(20, 15, 3),
    "free": (lambda q: solve_qp(jnp.asarray(blocks(5, 1, 1)[0]), q), blocks(5, 1, 1)[1]),
    "highs": (lambda c: solve_lp(c, np.ones((2, 4), np.float32), np.ones(2, np.float32), lower=0.0, upper=0.7),
              np.array([1, 2, 3, 4], np.float32)),
    "separable": (lambda c: solve_lp(c, np.ones((1, 4), np.float32), np.ones(1, np.float32), lower=0.0, smoothing=1.0),
                  np.array([1, 2, 3, 4], np.float32)),
    "infeasible": (lambda q: solve_qp(jnp.eye(3), q, G=-jnp.eye(3), h=-jnp.ones(3), upper=0.0), np.ones(3, np.float32)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_fields_and_derivatives_are_those_under_jit(name):
    solve, q = CASES[name]
    outside, inside = solve(q), jax.jit(solve)(q)
    for field in FIELDS:
        a, b = (np.asarray(getattr(s, field)) for s in (outside, inside))
        assert (a.shape, a.dtype) == (b.shape, b.dtype), field
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=field)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(outside))
    slope = jax.grad(lambda q: jnp.sum(solve(q).x ** 2))
    np.testing.assert_allclose(slope(q), jax.jit(slope)(q), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(7, 4, 2), (22, 15, 3)])
def test_nothing_is_compiled(size):
    given, compiled = jax.device_put(blocks(*size)), []
    solve_qp(*blocks(3, 2, 1))
    jax.monitoring.register_event_duration_secs_listener(lambda event, *_, **__: compiled.append(event))
    solve_qp(*given)
    assert not [event for event in compiled if "backend_compile" in event]


def test_values_that_are_known():
    assert known([np.ones(2), jnp.ones(2)])[1].__class__ is np.ndarray
    jax.jit(lambda x: [np.testing.assert_equal(known([x, np.ones(2)])[0] is x, True), x][1])(jnp.ones(2))
    there = jax.device_put(jnp.ones(2), jax.devices()[0])
    assert known([there])[0] is there  # it is tied to its device, and so are results
    assert namespace(np.ones(1), jnp.ones(1)) is jnp
