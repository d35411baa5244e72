"""ProgramLayer: learned parameters, batches, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.errors import ArgumentError
from argflux.programs import Program, ProgramLayer

nearest = Program(
    lambda x, y, normal: jnp.sum((x - y) ** 2),
    variable=lambda y, normal: y,
    inequality=lambda x, y, normal: jnp.vdot(normal, x) - 1.0,
)


def test_maps_over_the_batch(x64):
    layer = ProgramLayer(nearest, normal=jnp.array([1.0, 2.0]))
    y = jax.random.normal(jax.random.key(0), (6, 2)) * 2
    excess = np.maximum(y @ jnp.array([1.0, 2.0]) - 1, 0) / 5
    np.testing.assert_allclose(layer(y), y - excess[:, None] * np.array([1.0, 2.0]), atol=1e-9)
    assert layer.solve(y).status.shape == (6,)


def test_gradients_reach_learned_parameters(x64):
    y = jax.random.normal(jax.random.key(0), (6, 2)) * 2
    loss = lambda normal: jnp.sum(ProgramLayer(nearest, normal=normal)(y) ** 3)
    normal = jnp.array([1.0, 2.0])
    numeric = [(loss(normal + d) - loss(normal - d)) / 2e-6 for d in 1e-6 * jnp.eye(2)]
    layer = ProgramLayer(nearest, normal=normal)
    (found,) = af.gradient(lambda layer: jnp.sum(layer(y) ** 3), layer)
    np.testing.assert_allclose(found.learned["normal"], jnp.stack(numeric), rtol=1e-5)


@pytest.mark.slow
def test_learns_a_constraint(x64):
    """From points and their projections the layer finds the half-space."""
    y = jax.random.normal(jax.random.key(1), (40, 2)) * 2
    truth = ProgramLayer(nearest, normal=jnp.array([0.8, -0.6]))(y)
    layer = ProgramLayer(nearest, normal=jnp.array([0.5, -0.1]))
    loss = lambda layer, y, x: jnp.mean((layer(y) - x) ** 2)
    layer, _ = af.train(loss, layer, [(y, truth)], af.Adam(0.03), epochs=200, progress=False)
    np.testing.assert_allclose(layer.learned["normal"], [0.8, -0.6], atol=1e-2)


def test_in_a_chain():
    layer = ProgramLayer(nearest, normal=jnp.array([1.0, 2.0]))
    model = af.Chain(af.Dense(3, 2), layer)
    assert model(jnp.ones((4, 3))).shape == (4, 2)
    assert "ProgramLayer(Program(y, normal); learns normal[2])" in str(model)
    assert len(jax.tree.leaves(model)) == 3


def test_bad_input():
    with pytest.raises(ArgumentError, match=r"slope to learn.*names among y, normal"):
        ProgramLayer(nearest, slope=1.0)
    with pytest.raises(ArgumentError, match="left for the input"):
        ProgramLayer(nearest, y=jnp.ones(2), normal=jnp.ones(2))
    with pytest.raises(ArgumentError, match=r"2 inputs.*\(y\)"):
        ProgramLayer(nearest, normal=jnp.ones(2))(1.0, 2.0)
