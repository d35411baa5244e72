"""Nothing in, nothing out: batches and sequences without entries, in every layer; losses of nothing."""

import jax
import jax.numpy as jnp
import pytest

from argflux import nn
from argflux.autodiff import gradient
from argflux.errors import ArgfluxError, ShapeError
from tests.nn.layers import LAYERS
from tests.nn.losses.test_losses import ROWS

NO_SEQUENCE = ["RNN", "LSTM", "GRU", "LSTM without bias", "MultiHeadAttention", "MultiHeadAttention causal"]
NO_SEQUENCE += ["Dense of more axes", "LayerNorm", "Embedding", "Embedding with padding"]
OF_A_BATCH = ["BatchNorm in training"]  # moments of nothing


def output_and_gradient(layer, x):
    return layer(x), gradient(lambda layer: jnp.sum(layer(x)), layer)[0]


@pytest.mark.parametrize("name", [name for name in LAYERS if name not in OF_A_BATCH])
def test_no_examples(name):
    nn.seed(0)
    layer, row = LAYERS[name].make(), LAYERS[name]
    y, slope = jax.eval_shape(output_and_gradient, layer, row.batch(examples=0))
    assert y.shape == (0, *row.gives)
    assert [a.shape for a in jax.tree.leaves(slope)] == [a.shape for a in jax.tree.leaves(layer) if is_floating(a)]


def is_floating(leaf):
    return jnp.issubdtype(leaf.dtype, jnp.floating)


@pytest.mark.parametrize("name", NO_SEQUENCE)
def test_no_entries_in_the_sequence(name):
    nn.seed(0)
    row = LAYERS[name]
    y, _ = jax.eval_shape(output_and_gradient, row.make(), row.batch()[:, :0])
    assert y.shape == (5, 0, *row.gives[1:])


@pytest.mark.parametrize("name", ["Conv", "MaxPool", "LSTM", "MultiHeadAttention", "Upsample linearly", "GroupNorm"])
def test_values_of_nothing(name):
    layer, x = LAYERS[name].make(), LAYERS[name].batch(examples=0)
    assert layer(x).shape == (0, *LAYERS[name].gives)
    (slopes,) = gradient(lambda layer: jnp.sum(layer(x)), layer)
    assert all(not leaf.any() for leaf in jax.tree.leaves(slopes))


def test_reading_from_nothing_gives_the_bias():
    layer = nn.MultiHeadAttention(4, heads=2, bias=True)
    y = layer(jnp.ones((2, 3, 4)), jnp.ones((2, 0, 4)))
    assert y.shape == (2, 3, 4)
    assert jnp.allclose(y, layer.output.bias)


@pytest.mark.parametrize("name", OF_A_BATCH)
def test_moments_of_nothing_are_an_error(name):
    with pytest.raises(ShapeError, match="at least two values to a feature"):
        LAYERS[name].make()(LAYERS[name].batch(examples=0))


def test_no_examples_leave_running_statistics_alone():
    layer = nn.InstanceNorm(2, track=True)
    y, after = nn.withstate(lambda m, x: m(x))(layer, jnp.ones((0, 3, 2)))
    assert y.shape == (0, 3, 2)
    assert after.mean.value.tolist() == [0, 0]
    assert after.variance.value.tolist() == [1, 1]


@pytest.mark.parametrize("name", [name for name in LAYERS if len(LAYERS[name].takes) > 1 and not LAYERS[name].entries])
def test_no_entries_along_an_axis_are_an_answer_or_an_error_of_ours(name):
    layer, x = LAYERS[name].make(), LAYERS[name].batch()
    for axis in range(1, x.ndim):
        none = jax.ShapeDtypeStruct([n * (i != axis) for i, n in enumerate(x.shape)], x.dtype)
        try:
            y = jax.eval_shape(layer, none)
        except ArgfluxError:
            continue
        assert y.shape[0] == 5


@pytest.mark.parametrize("name", ROWS)
def test_a_loss_of_nothing_is_an_error(name):
    with pytest.raises(ShapeError, match="empty batch"):
        getattr(nn, name)(jnp.ones((0, 3)), jnp.ones((0, 3)))


@pytest.mark.parametrize("name", nn.activation.__all__)
def test_activations_of_nothing(name):
    wanted = {"glu": (0, 2), "logsumexp": (0,)}.get(name, (0, 4))
    assert jax.eval_shape(getattr(nn, name), jnp.ones((0, 4))).shape == wanted
