"""What every layer must do, by the rows of `layers.py`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from tests.nn.checks import finite_difference
from tests.nn.layers import LAYERS


@pytest.fixture(params=LAYERS)
def row(request):
    nn.seed(0)
    make, inputs, outputs = LAYERS[request.param]
    return make(), inputs, outputs


def batch(inputs, dtype=jnp.float32):
    return jax.random.normal(jax.random.key(1), (5, inputs), dtype)


def test_shape_and_dtype(row):
    layer, inputs, outputs = row
    y = layer(batch(inputs))
    assert y.shape == (5, outputs)
    assert y.dtype == jnp.float32


def test_jit_of_the_layer_as_an_argument_equals_eager(row):
    layer, inputs, _ = row
    jitted = jax.jit(lambda layer, x: layer(x))
    np.testing.assert_allclose(jitted(layer, batch(inputs)), layer(batch(inputs)), rtol=2e-6, atol=1e-6)


def test_vmap_over_examples_equals_batch(row):
    layer, inputs, _ = row
    expected = layer(batch(inputs))
    got = jax.vmap(lambda x: layer(x[None])[0])(batch(inputs))
    np.testing.assert_allclose(got, expected, rtol=2e-6, atol=1e-6)


def test_gradient_in_every_parameter_and_the_input(row):
    layer, inputs, _ = row
    with jax.enable_x64(True):
        layer = jax.tree.map(lambda a: a.astype(jnp.float64), layer)
        vector, rebuild = nn.destructure(layer)
        x = batch(inputs, jnp.float64)

        def of_parameters(vector):
            return jnp.sum(jnp.sin(rebuild(vector)(x)))

        def of_input(x):
            return jnp.sum(jnp.sin(layer(x)))

        for f, at in ((of_parameters, vector), (of_input, x)):
            np.testing.assert_allclose(jax.jit(jax.grad(f))(at), finite_difference(f, at), rtol=1e-7, atol=1e-9)


def test_gradient_is_a_tree_that_maps_with_the_layer(row):
    layer, inputs, _ = row
    x = batch(inputs)
    gradient = jax.grad(lambda layer: jnp.sum(layer(x)))(layer)
    moved = jax.tree.map(lambda p, g: p - 0.1 * g, layer, gradient)
    assert type(moved) is type(layer)
    assert [name for name, _ in nn.trainables(moved)] == [name for name, _ in nn.trainables(layer)]
    assert moved(x).shape == layer(x).shape


def test_dtype_follows_the_parameters(row):
    layer, inputs, _ = row
    if not nn.trainables(layer):
        pytest.skip("this row has no parameters")
    half = jax.tree.map(lambda a: a.astype(jnp.bfloat16), layer)
    assert half(batch(inputs, jnp.bfloat16)).dtype == jnp.bfloat16


def test_prints_each_parameter_once(row):
    layer, _, _ = row
    size = sum(array.size for _, array in nn.trainables(layer))
    text = nn.summary(layer)
    counts = [int(line.split("# ")[1].split(" parameter")[0].replace("_", "")) for line in noted(text)]
    assert sum(counts) == size
    assert f"{size} parameters" in text or not size


def noted(text):
    return [line for line in text.splitlines() if " parameter" in line and "Total" not in line]


def test_prints_under_jit_and_after_losing_its_values(row):
    layer, _, _ = row
    seen = []
    jax.jit(lambda layer: seen.append(nn.summary(layer)))(layer)
    assert seen
    assert nn.summary(jax.eval_shape(lambda: layer))
    assert nn.summary(jax.tree.map(lambda _: None, layer))


def test_train_by_hand_lowers_the_loss(row):
    layer, inputs, outputs = row
    if not nn.trainables(layer):
        pytest.skip("this row has no parameters")
    x, y = batch(inputs), jnp.full((5, outputs), 0.3)

    @jax.jit
    def step(layer):
        value, gradient = jax.value_and_grad(lambda layer: nn.mse(layer(x), y))(layer)
        return value, jax.tree.map(lambda p, g: p - 0.01 * g, layer, gradient)

    first, layer = step(layer)
    for _ in range(5):
        last, layer = step(layer)
    assert last < first
