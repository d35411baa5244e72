"""What every layer must do, by the rows of `layers.py`."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.training import load, save
from tests.nn.checks import finite_difference
from tests.nn.layers import LAYERS


@pytest.fixture(params=LAYERS)
def row(request):
    nn.seed(0)
    return LAYERS[request.param]


@pytest.fixture
def layer(row):
    return row.make()


def trained(row, layer):
    if not nn.trainables(layer):
        pytest.skip("this row has no parameters")


def test_every_layer_has_a_row():
    nn.seed(0)
    made = {type(node) for row in LAYERS.values() for node in nodes(row.make())}
    public = [getattr(nn, name) for name in nn.__all__]
    layers = {value for value in public if inspect.isclass(value) and issubclass(value, eqx.Module)}
    assert not layers - made


def nodes(tree):
    """Return a tree's modules, at every depth."""
    found, todo = [], [tree]
    while todo:
        node = todo.pop()
        found.append(node)
        todo += jax.tree.leaves(node, is_leaf=lambda other, node=node: other is not node)
        todo = [other for other in todo if not isinstance(other, jax.Array)]
    return found


def test_shape_and_dtype(row, layer):
    y = layer(row.batch())
    assert y.shape == (5, *row.gives)
    assert y.dtype == jnp.float32


def test_outputsize_is_the_shape(row, layer):
    dtype = int if row.entries else None
    assert nn.outputsize(layer, (7, *row.takes), dtype=dtype) == (7, *row.gives)
    assert nn.outputsize(layer, (None, *row.takes), dtype=dtype) == (None, *row.gives)
    assert nn.outputsize(layer, row.batch()) == (5, *row.gives)


def test_jit_of_the_layer_as_an_argument_equals_eager(row, layer):
    jitted = jax.jit(lambda layer, x: layer(x))
    np.testing.assert_allclose(jitted(layer, row.batch()), layer(row.batch()), rtol=2e-6, atol=2e-6)


def test_vmap_over_examples_equals_batch(row, layer):
    if not row.by_example:
        pytest.skip("examples of a batch depend on each other")
    got = jax.jit(jax.vmap(lambda x: layer(x[None])[0]))(row.batch())
    np.testing.assert_allclose(got, layer(row.batch()), rtol=2e-6, atol=2e-6)


def test_gradient_in_every_parameter_and_the_input(row, layer):
    with jax.enable_x64(True):
        layer = jax.tree.map(lambda a: jnp.asarray(np.asarray(a, np.float64)), layer)
        vector, rebuild = nn.destructure(layer)
        x = row.batch(jnp.float64, examples=2)

        def of_parameters(vector):
            return jnp.sum(jnp.sin(rebuild(vector)(x)))

        def of_input(x):
            return jnp.sum(jnp.sin(layer(x)))

        for f, at in [(of_parameters, vector), (of_input, x)][: 1 if row.entries else 2]:
            np.testing.assert_allclose(jax.jit(jax.grad(f))(at), finite_difference(f, at), rtol=1e-7, atol=1e-8)


def test_gradient_is_a_tree_that_maps_with_the_layer(row, layer):
    x = row.batch()

    @jax.jit
    def move(layer):
        gradient = jax.grad(lambda layer: jnp.sum(layer(x)))(layer)
        return jax.tree.map(lambda p, g: p - 0.1 * g, layer, gradient)

    moved = move(layer)
    assert type(moved) is type(layer)
    assert [name for name, _ in nn.trainables(moved)] == [name for name, _ in nn.trainables(layer)]
    assert moved(x).shape == layer(x).shape


def test_dtype_follows_the_parameters(row, layer):
    trained(row, layer)
    half = jax.eval_shape(lambda layer: jax.tree.map(lambda a: a.astype(jnp.bfloat16), layer), layer)
    x = jax.eval_shape(lambda: row.batch(jnp.bfloat16))
    assert jax.eval_shape(lambda layer, x: layer(x), half, x).dtype == jnp.bfloat16


def test_saved_and_loaded_it_gives_the_same(row, layer, tmp_path):
    save(tmp_path / "layer.safetensors", layer)
    nn.seed(1)
    other = row.make()
    loaded = load(tmp_path / "layer.safetensors", like=other)
    np.testing.assert_array_equal(loaded(row.batch()), layer(row.batch()))


def test_prints_each_parameter_once(row, layer):
    size = sum(array.size for _, array in nn.trainables(layer))
    text = nn.summary(layer)
    counts = [int(line.split("# ")[1].split(" parameter")[0].replace("_", "")) for line in noted(text)]
    assert sum(counts) == size
    assert f"{size} parameters" in text or not size


def noted(text):
    return [line for line in text.splitlines() if " parameter" in line and "Total" not in line]


def test_prints_under_jit_and_after_losing_its_values(row, layer):
    seen = []
    jax.jit(lambda layer: seen.append(nn.summary(layer)))(layer)
    assert seen
    assert nn.summary(jax.eval_shape(lambda: layer))
    assert nn.summary(jax.tree.map(lambda _: None, layer))
    assert nn.label(jax.tree.map(lambda _: None, layer))


def test_train_by_hand_lowers_the_loss(row, layer):
    trained(row, layer)
    x, y = row.batch(), jnp.full((5, *row.gives), 0.3)

    @jax.jit
    def step(layer):
        value, gradient = jax.value_and_grad(lambda layer: nn.mse(layer(x), y))(layer)
        return value, jax.tree.map(lambda p, g: p - 0.01 * g, layer, gradient)

    first, layer = step(layer)
    for _ in range(5):
        last, layer = step(layer)
    assert last < first
