"""Programs under JAX's own switches: what people debug with and shard with changes no value and no gradient."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.programs import Program, ProgramLayer, project, simplex, soft_rank, soft_sort, solve_lp, solve_qp

Y = jnp.array([0.6, 0.2, -0.4])
ROW, ONE = jnp.ones((1, 3)), jnp.ones(1)
M = jnp.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
bounded = Program(lambda x, y: jnp.sum((x - y) ** 2), variable=lambda y: y, lower=0.0, on_failure="nan")
coupled = Program(
    lambda x, y: x @ M @ x / 2 - x @ y, lambda y: y, equality=lambda x, y: jnp.sum(x) - 1, lower=0.0, solver="daqp"
)
layer = ProgramLayer(
    Program(lambda x, y, n: jnp.sum((x - y) ** 2), lambda y, n: y, inequality=lambda x, y, n: n @ x - 0.1), n=ROW[0]
)
PUBLIC = {
    "solve_qp": lambda y: solve_qp(M, -y, ROW, ONE, lower=0.0, on_failure="nan").x,
    "solve_qp on the host": lambda y: solve_qp(M, -y, ROW, ONE, lower=0.0, solver="clarabel").x,
    "solve_lp": lambda y: solve_lp(y, ROW, ONE, lower=0.0).objective,
    "smoothing": lambda y: solve_lp(y, ROW, ONE, lower=0.0, smoothing=1.0).x,
    "closest": lambda y: solve_qp(M, -y, jnp.ones((2, 3)), jnp.array([1.0, 1.1]), on_failure="closest").x,
    "Program with bounds": bounded,
    "Program": coupled,
    "ProgramLayer": lambda y: layer(y[None]),
    "vmap": lambda y: jax.vmap(coupled)(jnp.stack([y, 2 * y])),
    "project": project(simplex(3)),
    "soft_sort": soft_sort,
    "soft_rank": soft_rank,
    "forward_differentiate": lambda y: coupled.forward_differentiate(y, tangents={"y": ONE}).x,
    "reverse_differentiate": lambda y: coupled.reverse_differentiate(y, cotangents={"x": ROW[0]}).parameters["y"],
}


def evaluate(name, orders=(0, 1)):
    function = PUBLIC[name]
    loss = lambda y: jnp.sum(jnp.sin(function(y)))
    ours = lambda y: af.gradient(loss, y)[0]
    return [(function, jax.grad(loss), ours)[order](Y) for order in orders]


@pytest.mark.parametrize("name", PUBLIC)
def test_disable_jit_and_debug_nans(name):
    expected = evaluate(name)
    with jax.debug_nans(True):
        np.testing.assert_allclose(
            np.hstack([v.ravel() for v in evaluate(name)]), np.hstack([v.ravel() for v in expected])
        )
    with jax.disable_jit():
        assert jax.config.jax_disable_jit
        for found, value in zip(evaluate(name), expected, strict=True):
            np.testing.assert_allclose(found, value, atol=1e-5)


@pytest.mark.parametrize("name", ["Program", "solve_lp", "Program with bounds"])
def test_leaks_and_ranks(name):
    expected = evaluate(name, (0, 2))
    with jax.checking_leaks(), jax.numpy_rank_promotion("raise"):
        for found, value in zip(evaluate(name, (0, 2)), expected, strict=True):
            np.testing.assert_allclose(found, value, atol=1e-5)


def test_instances_that_fail_still_say_nan():
    run = lambda low: solve_qp(M, -Y, lower=low * ROW[0], upper=ROW[0], on_failure="nan").x
    found = jax.jit(jax.vmap(run))(jnp.array([0.0, 2.0]))
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
    slope = jax.jit(jax.grad(lambda y: jnp.sum(bounded(y))))(Y.at[0].set(jnp.nan))
    np.testing.assert_array_equal(np.isnan(slope), [True, False, False])


def host(y):
    return 2 * np.asarray(y)


WAYS = {
    "fft": lambda y: jnp.abs(jnp.fft.fft(y)),
    "while": lambda y: jax.lax.while_loop(lambda v: jnp.max(v) < 10, lambda v: 2 * v, y),
    "eig": lambda y: jnp.real(jnp.linalg.eig(jnp.diag(y) + 0.1)[0]),
    "schur": lambda y: jnp.diag(jax.scipy.linalg.schur(jnp.diag(y) + 0.1)[0]),
    "callback": lambda y: jax.pure_callback(host, jax.ShapeDtypeStruct(y.shape, y.dtype), y),
    "integers": lambda y: (10 * y).astype(jnp.int32).astype(y.dtype),
    "sort": jnp.sort,
}


@pytest.mark.parametrize("way", WAYS)
def test_parameters_enter_through_anything(way):
    enter = WAYS[way]
    program = Program(
        lambda x, y: jnp.sum((x - enter(y)) ** 2), (3,), inequality=lambda x, y: x - jnp.max(enter(y)) + 0.1
    )
    wanted = enter(Y)
    np.testing.assert_allclose(program(Y), jnp.minimum(wanted, jnp.max(wanted) - 0.1), atol=1e-5)
    other = lambda scale: jnp.sum(program(jax.lax.stop_gradient(Y)) * scale)
    np.testing.assert_allclose(af.gradient(other, 1.0)[0], jnp.sum(program(Y)), rtol=1e-5)
    if way in ("while", "schur", "callback"):
        with pytest.raises(af.errors.MissingRuleError, match=rf"primitive `(pure_)?{way}` called at test_switches.py"):
            af.gradient(lambda y: jnp.sum(program(y)), Y)


def test_programs_are_opaque_and_travel():
    """A program is one leaf of a network whatever was solved; pickled and copied without what was traced."""
    cp = pytest.importorskip("cvxpy")
    x, a = cp.Variable(3), cp.Parameter(3, name="a")
    modelled = Program.from_cvxpy(cp.Problem(cp.Minimize(cp.sum_squares(x - 2 * a)), [x >= 0]), [a], [x])
    expected = modelled(Y)
    for copied in (pickle.loads(pickle.dumps(modelled)), copy.deepcopy(modelled), copy.copy(modelled)):
        np.testing.assert_allclose(copied(Y), expected, atol=1e-6)
    stated = Program(lambda x, y: jnp.sum((x - y) ** 2), variable=jnp.zeros(3), lower=0.0)
    model = af.Chain(af.Dense(3, 3), stated)
    tree = jax.tree.structure(model)
    for value in (jnp.asarray(1.0), Y, 1.0):
        stated(value)
    assert jax.tree.structure(model) == tree
    assert len(jax.tree.leaves(af.params(model))) == 2
    assert "Program(y)" in repr(model)
    assert hash(stated) == hash(stated)
