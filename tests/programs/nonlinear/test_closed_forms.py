"""Solutions and derivatives of nonlinear programs against closed forms and programs solved again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import argflux as af
from argflux.programs import Regularity, Status
from tests.programs.nonlinear.problems import FIELDS, ROWS, floats

rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def vector_of(row, like):
    """All fields with derivatives as one vector, as a function of all parameters as one vector."""
    _, rebuild = ravel_pytree(floats(row.params))

    def run(theta):
        solution = row.program.solve(*rebuild(theta), start=like)
        return ravel_pytree([getattr(solution, name) for name in FIELDS])[0]

    return run


def solved(row):
    found = row.program.solve(*floats(row.params), start=row.start)
    assert int(found.status) == Status.SOLVED
    assert int(found.regularity) == Regularity.REGULAR
    return found


@rows
def test_solution(row, x64):
    assert row.program.kind(*floats(row.params)) == "nonlinear"
    found = solved(row)
    for name, closed in row.known.items():
        mine, other = (ravel_pytree(tree)[0] for tree in (getattr(found, name), closed(*floats(row.params))))
        np.testing.assert_allclose(mine, other, rtol=1e-8, atol=1e-8, err_msg=name)


@rows
def test_derivatives(row, x64):
    """Forward, reverse and our engine's agree; and all with differences of programs solved again."""
    run = vector_of(row, solved(row))
    theta, _ = ravel_pytree(floats(row.params))
    rng = np.random.default_rng(0)
    direction, weights = jnp.asarray(rng.normal(size=theta.shape)), jnp.asarray(rng.normal(size=run(theta).shape))
    _, along = jax.jvp(run, (theta,), (direction,))
    scalar = lambda theta: weights @ run(theta)
    (slope,), (mine,) = jax.vjp(run, theta)[1](weights), af.gradient(scalar, theta)
    np.testing.assert_allclose(slope, mine, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(weights @ along, slope @ direction, rtol=1e-9, atol=1e-9)
    h = 1e-5
    difference = (run(theta + h * direction) - run(theta - h * direction)) / (2 * h)
    np.testing.assert_allclose(along, difference, rtol=1e-5, atol=1e-5 * (1 + np.max(np.abs(difference))))


@rows
def test_second_derivatives(row, x64):
    run = vector_of(row, solved(row))
    theta, _ = ravel_pytree(floats(row.params))
    rng = np.random.default_rng(1)
    direction, weights = jnp.asarray(rng.normal(size=theta.shape)), jnp.asarray(rng.normal(size=run(theta).shape))
    slope = jax.grad(lambda theta: weights @ run(theta))
    _, bent = jax.jvp(slope, (theta,), (direction,))
    h = 1e-5
    difference = (slope(theta + h * direction) - slope(theta - h * direction)) / (2 * h)
    np.testing.assert_allclose(bent, difference, rtol=1e-4, atol=1e-4 * (1 + np.max(np.abs(difference))))
