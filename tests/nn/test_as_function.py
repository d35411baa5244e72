"""Models as the functions of JAX's own transformations: jit, checkpoint, cond, and what caches do with them."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.module import Module
from argflux.programs import Program, ProgramLayer
from tests.nn.layers import LAYERS, IdentitySkip


def is_floating(leaf):
    return jnp.issubdtype(leaf.dtype, jnp.floating)


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_has_a_hash_of_its_own(name):
    nn.seed(0)
    layer, other = LAYERS[name].make(), LAYERS[name].make()
    if not isinstance(layer, Module):
        pytest.skip("a class of the tests")
    assert hash(layer) == hash(layer)
    assert {layer: 1}[layer] == 1
    moved = jax.tree.map(lambda a: a + 1 if is_floating(a) else a, layer)
    if jax.tree.leaves(layer):
        assert hash(layer) != hash(other)
        assert moved != layer
        assert jax.tree.map(lambda a: a + 0, layer) == layer


def test_models_are_compared_by_value():
    a, b = nn.Dense(jnp.eye(2)), nn.Dense(jnp.eye(2))
    assert a == b
    assert a != nn.Dense(2 * jnp.eye(2))
    assert a != nn.Scale(2)
    assert eqx.tree_equal(a, b)


def test_transformations_take_a_model():
    model, x = nn.Chain(nn.Dense(2, 3, nn.relu), IdentitySkip(nn.Dense(3, 3)), nn.Dense(3, 1)), jnp.ones((4, 2))
    calls = [
        jax.jit(model),
        jax.checkpoint(model),
        lambda x: jax.lax.cond(True, model, model, x),
        eqx.filter_jit(model),
    ]
    for call in calls:
        np.testing.assert_allclose(call(x), model(x), rtol=1e-6)


def test_two_models_of_one_structure_are_two_programs():
    nn.seed(0)
    x, models = jnp.ones((4, 2)), [nn.Dense(2, 3), nn.Dense(2, 3)]
    for model in models:
        np.testing.assert_allclose(jax.jit(model)(x), model(x), rtol=1e-6)
    np.testing.assert_allclose(jax.lax.cond(False, *models, x), models[1](x), rtol=1e-6)


def test_a_model_is_traced_once():
    traces = []

    class Counting(Module):
        inner: Any

        def __call__(self, x):
            traces.append(1)
            return self.inner(x)

    model = Counting(nn.Dense(2, 1))
    for _ in range(3):
        jax.jit(model)(jnp.ones(2))
    assert len(traces) == 1


def test_a_checkpointed_model_of_tracers_has_its_own_gradient():
    x = jnp.ones((4, 2))

    def slope(model):
        return jax.grad(lambda m: jnp.sum(jax.checkpoint(m)(x) ** 2))(model).weight

    for compiled in (slope, jax.jit(slope)):
        for size in (1.0, 2.0):
            model = nn.Dense(jnp.full((1, 2), size))
            np.testing.assert_allclose(compiled(model), [[16 * size, 16 * size]])


def test_a_dataclass_that_a_model_has_held():
    @dataclasses.dataclass
    class Scaled:
        factor: Any

        def __call__(self, x):
            return self.factor * x

    layer = Scaled(jnp.full(2, 3.0))
    model = nn.Chain(layer)
    for f in (model, layer):
        assert jax.jit(f)(jnp.ones(2)).tolist() == [3.0, 3.0]


def test_a_layer_with_a_program():
    nearest = Program(
        lambda x, y, price: jnp.sum((x - price * y) ** 2), variable=lambda y, price: y, lower=lambda y, price: 0.0 * y
    )
    layer = ProgramLayer(nearest, price=jnp.ones(2))
    np.testing.assert_allclose(jax.jit(layer)(jnp.array([[1.0, -1.0]])), [[1.0, 0.0]], atol=1e-5)
