"""Batches of nonlinear programs, transformations, dtypes, and instances that fail beside others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.programs import Program, ProgramLayer, Status

disc = Program(
    lambda x, target, radius: jnp.sum(jnp.exp(x - target) - x + target),
    2,
    inequality=lambda x, target, radius: x @ x - radius,
    lower=-3.0,
)
TARGETS = jnp.array([[0.2, 0.1], [2.0, 1.0], [0.0, 1.5], [1.0, -4.0]])
RADII = jnp.array([1.0, 1.0, -1.0, 20.0])
total = lambda x: jnp.sum(x * jnp.array([1.0, 2.0], x.dtype))


def test_one_bad_element_leaves_the_others_exact(x64):
    targets, radii = jnp.asarray(TARGETS, float).at[3, 0].set(jnp.nan), jnp.asarray(RADII, float)
    found = jax.vmap(disc.solve)(targets, radii)
    assert found.status.tolist() == [Status.SOLVED, Status.SOLVED, Status.LOCALLY_INFEASIBLE, Status.BAD_DATA]
    slope = lambda *params: jax.grad(lambda *params: total(disc(*params)), (0, 1))(*params)
    slopes = jax.vmap(slope)(targets, radii)
    alone = [(disc(t, r), slope(t, r)) for t, r in zip(targets[:2], radii[:2], strict=True)]
    for i, (x, (to_target, to_radius)) in enumerate(alone):
        np.testing.assert_allclose(found.x[i], x, rtol=1e-12)
        np.testing.assert_allclose(slopes[0][i], to_target, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(slopes[1][i], to_radius, rtol=1e-10, atol=1e-14)
    assert not np.any(slopes[0][2:])
    assert not np.any(slopes[1][2:])


def test_failed_elements_and_shared_parameters(x64):
    """What is shared gets the derivatives of those that were solved alone, to second order."""
    radii = jnp.asarray(RADII, float)
    loss = lambda target, radii: jnp.sum(jax.vmap(lambda r: total(disc(target, r)))(radii))
    target = jnp.array([2.0, 1.0])
    first = jax.grad(loss)(target, radii)
    np.testing.assert_allclose(first, jax.grad(loss)(target, radii[jnp.array([0, 1, 3])]), rtol=1e-10)
    second = jax.hessian(loss)(target, radii)
    np.testing.assert_allclose(second, jax.hessian(loss)(target, radii[jnp.array([0, 1, 3])]), rtol=1e-8, atol=1e-10)


def test_nan_on_failure(x64):
    program = Program(lambda x, a: jnp.sum(jnp.exp(x) - x), 2, inequality=lambda x, a: x @ x - a, on_failure="nan")
    run = jax.vmap(jax.value_and_grad(lambda a: total(program(a))))
    values, slopes = run(jnp.array([-1.0, 0.5]))
    assert np.isnan(values).tolist() == np.isnan(slopes).tolist() == [True, False]


def test_single_precision_and_compiled():
    """Users of float32 get float32, of numbers computed in float64, inside `jit` and outside."""
    found = disc.solve(TARGETS[1], 1.0)
    assert found.x.dtype == found.z.dtype == found.objective.dtype == jnp.float32
    np.testing.assert_allclose(found.x @ found.x, 1.0, rtol=1e-6)
    grad = jax.grad(lambda target: total(disc(target, 1.0)))
    np.testing.assert_allclose(jax.jit(grad)(TARGETS[1]), grad(TARGETS[1]), rtol=1e-5)
    with jax.enable_x64(True):
        exact = jax.grad(lambda t: total(disc(t, 1.0)))(jnp.asarray(TARGETS[1], jnp.float64))
    np.testing.assert_allclose(grad(TARGETS[1]), exact, rtol=2e-5)
    (mine,) = jax.jit(lambda t: af.gradient(lambda t: total(disc(t, 1.0)), t))(TARGETS[1])
    np.testing.assert_allclose(mine, exact, rtol=2e-5)


def test_values_that_functions_captured(x64):
    """A program made inside a function of what is being differentiated."""

    def run(target, radius):
        inner = Program(
            lambda x: jnp.sum(jnp.exp(x - target) - x + target), 2, inequality=lambda x: x @ x - radius, lower=-3.0
        )
        return total(inner())

    target = jnp.asarray(TARGETS[1], float)
    expected = jax.grad(lambda *params: total(disc(*params)), (0, 1))(target, 1.0)
    for found in (jax.jit(jax.grad(run, (0, 1)))(target, 1.0), af.gradient(run, target, 1.0)):
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-9)
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-9)


def test_a_layer_that_learns(x64):
    """Targets come in a batch; the radius is learned."""
    layer = ProgramLayer(disc, radius=jnp.array(0.5))
    x = layer(jnp.asarray(TARGETS[:2], float))
    assert x.shape == (2, 2)
    (slope,) = af.gradient(lambda layer: jnp.sum(layer(jnp.asarray(TARGETS[:2], float))), layer)
    h = 1e-5
    moved = [jnp.sum(jax.vmap(lambda t, r=r: disc(t, r))(jnp.asarray(TARGETS[:2], float))) for r in (0.5 + h, 0.5 - h)]
    (found,) = jax.tree.leaves(slope)
    np.testing.assert_allclose(found, (moved[0] - moved[1]) / (2 * h), rtol=1e-6)


def test_program_inside_a_program(x64):
    """The leader moves where the follower's answer, itself a solution, lies on a line."""
    follower = Program(lambda y, x: jnp.sum(jnp.exp(y) - x * y), 1)
    leader = Program(lambda x, goal: (x[0] - 5.0) ** 2, 1, equality=lambda x, goal: follower(x)[0] - goal, lower=0.1)
    found = leader.solve(jnp.array(1.0), start=jnp.array([2.0]))
    np.testing.assert_allclose(found.x, np.exp([1.0]), rtol=1e-8)
    slope = jax.grad(lambda goal: leader.solve(goal, start=jnp.array([2.0])).x[0])(jnp.array(1.0))
    np.testing.assert_allclose(slope, np.exp(1.0), rtol=1e-7)


@pytest.mark.parametrize("batch", [1, 3])
def test_parameters_that_are_no_floats(batch, x64):
    """Integers and keys pass through, and have no derivative."""
    program = Program(lambda x, which, a: jnp.sum(jnp.cosh(x - a[which])), 2)
    which = jnp.arange(2 * batch).reshape(batch, 2) % 3
    a = jnp.array([0.3, -0.2, 1.0])
    run = lambda a: jnp.sum(jax.vmap(lambda w: program(w, a))(which))
    np.testing.assert_allclose(jax.vmap(lambda w: program(w, a))(which), a[which], atol=1e-8)
    np.testing.assert_allclose(jax.grad(run)(a), jnp.bincount(which.ravel(), length=3), rtol=1e-9)
