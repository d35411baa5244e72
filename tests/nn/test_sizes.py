"""What layers with windows, sequences and norms say about input and arguments that do not fit, and their details."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.autodiff import gradient
from argflux.errors import ArgumentError, DtypeError, ShapeError

PICTURE = jnp.ones((2, 5, 5, 3))


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (
            lambda: nn.Conv((3, 3), 1, 2)(jnp.ones((2, 28, 28))),
            ShapeError,
            r"add the axis of channels: x\[\.\.\., None\]",
        ),
        (lambda: nn.Conv((3, 3), 3, 2)(jnp.ones((2, 3, 8, 9))), ShapeError, r"moveaxis\(x, 1, -1\)"),
        (lambda: nn.Conv((7, 7), 3, 2)(PICTURE), ShapeError, r"sizes \(5, 5\); expected at least \(7, 7\)"),
        (lambda: nn.Conv((3, 3), 3, 2)(np.ones((2, 5, 5, 3), np.uint8)), DtypeError, "dtype uint8; expected floating"),
        (lambda: nn.Conv(3, 3, 2), ArgumentError, r"window 3; expected one size for each spatial axis; call it with a"),
        (lambda: nn.Conv((3, 3), 3, 2, stride=(1, 1, 1)), ArgumentError, r"stride=\(1, 1, 1\); expected 2 integers"),
        (lambda: nn.Conv((3, 3), 3, 2, stride=0), ArgumentError, "stride=0; expected an integer of at least 1"),
        (lambda: nn.Conv((3, 3), 3, 2, padding="full"), ArgumentError, "padding='full'; expected 'same', 'valid' or"),
        (lambda: nn.Conv((3, 3), 3, 2, padding=-1), ArgumentError, "padding=-1"),
        (lambda: nn.Conv((3, 3), 3, 2, groups=2), ArgumentError, "2 groups of 3 => 2 channels"),
        (lambda: nn.Conv((3, 3), 3, 2, nn.Dense(2, 2)), ArgumentError, "holds arrays"),
        (lambda: nn.DepthwiseConv((3, 3), 3, 4), ArgumentError, "3 groups of 3 => 4 channels"),
        (lambda: nn.DepthwiseConv((3, 3), None, 4), ArgumentError, "its channels are not inferred"),
        (
            lambda: nn.ConvTranspose((3,), 2, 3, padding=3)(jnp.ones((1, 3, 2))),
            ShapeError,
            "the padding leaves",
        ),
        (lambda: nn.MaxPool((6, 6))(PICTURE), ShapeError, r"MaxPool\(\(6, 6\)\): got spatial axes of sizes \(5, 5\)"),
        (lambda: nn.MaxPool((2, 2), padding=2), ArgumentError, "in every window"),
        (lambda: nn.AdaptiveMaxPool((6, 1))(PICTURE), ShapeError, r"expected at least \(6, 1\)"),
        (lambda: nn.GlobalMeanPool()(jnp.ones((2, 3))), ShapeError, r"expected \(batch, \*spatial, channels\)"),
        (lambda: nn.Upsample(2, "cubic"), ArgumentError, "mode='cubic'; expected one of nearest"),
        (lambda: nn.Upsample(), ArgumentError, "neither scale nor size"),
        (lambda: nn.Upsample(2, size=(3, 3)), ArgumentError, "scale and size"),
        (lambda: nn.Upsample(size=(9,))(PICTURE), ShapeError, r"1 spatial axes"),
        (lambda: nn.PixelShuffle(2)(PICTURE), ShapeError, r"channels a multiple of 2 \*\* 2"),
        (lambda: nn.LayerNorm(4)(PICTURE), ShapeError, r"LayerNorm\(4\): got an input of shape \(2, 5, 5, 3\)"),
        (lambda: nn.LayerNorm(3, eps=-1), ArgumentError, "eps=-1; expected a number of at least 0"),
        (lambda: nn.GroupNorm(3, 2), ArgumentError, "2 groups of 3 channels"),
        (lambda: nn.InstanceNorm(3)(jnp.ones((2, 3))), ShapeError, "one value a channel"),
        (lambda: nn.Embedding(5, 2)(jnp.ones(3)), DtypeError, "dtype float32; expected integers"),
        (lambda: nn.Embedding(5, 2)(jnp.array([0, 5])), ArgumentError, "index 5; expected indices from 0 to 4"),
        (lambda: nn.Embedding(5, 2)(jnp.array([-1])), ArgumentError, "index -1"),
        (lambda: nn.Embedding(5, 2, padding=5), ArgumentError, "padding=5; expected an index below 5"),
        (lambda: nn.LSTM(3, 2)(jnp.ones((4, 3))), ShapeError, r"for one sequence: x\[None\]"),
        (lambda: nn.LSTM(3, 2)(jnp.ones((4, 7, 5))), ShapeError, "last dimension 5"),
        (lambda: nn.LSTM(3, 2)(jnp.ones((4, 7, 3)), jnp.ones((4, 2))), ShapeError, r"a pair \(h, c\)"),
        (
            lambda: nn.GRU(3, 2)(jnp.ones((4, 7, 3)), jnp.ones((5, 2))),
            ShapeError,
            r"expected \(4, 2\), one row",
        ),
        (lambda: nn.GRU(3, 2)(jnp.ones((4, 7, 3)), jnp.ones((4, 3))), ShapeError, "a state of shape"),
        (lambda: nn.Recurrence(nn.relu), DtypeError, "cell relu; expected a layer with"),
        (lambda: nn.MultiHeadAttention(6, heads=4), ArgumentError, "4 heads of a hidden width of 6"),
        (lambda: nn.MultiHeadAttention(8)(jnp.ones((2, 8))), ShapeError, "expected three axes each"),
        (
            lambda: nn.MultiHeadAttention(8)(jnp.ones((2, 3, 8)), mask=jnp.ones((3, 4), bool)),
            ShapeError,
            r"a mask of shape \(3, 4\); expected one that broadcasts to \(2, 8, 3, 3\)",
        ),
        (lambda: nn.MultiHeadAttention(8)(jnp.ones((2, 3, 8)), mask=jnp.ones((3, 3))), DtypeError, "expected booleans"),
        (lambda: nn.Bilinear((3, 4), 2)(jnp.ones((5, 3))), ShapeError, "a second input of shape"),
        (lambda: nn.Bilinear(3, 2)((jnp.ones(3),) * 3), ArgumentError, "3 inputs; expected two"),
        (lambda: nn.Bilinear(3, 2)(jnp.ones((2, 3)), jnp.ones((4, 3))), ShapeError, "the same axes before the last"),
        (lambda: nn.Scale((2, 3))(jnp.ones(3)), ShapeError, r"expected \(\.\.\., 2, 3\)"),
    ],
)
def test_misuse(run, error, message):
    with pytest.raises(error, match=message):
        run()


@pytest.mark.parametrize(("size", "stride", "dilation"), [(2, 1, 1), (3, 2, 1), (4, 3, 2)])
def test_the_same_padding(size, stride, dilation):
    options = {"stride": stride, "dilation": dilation, "padding": "same"}
    down = nn.Conv((size,), 1, 1, **options)
    for length in range(9, 14):
        assert nn.outputsize(down, (1, length, 1)) == (1, -(-length // stride), 1)
        assert nn.outputsize(nn.ConvTranspose((size,), 1, 1, **options), (1, length, 1)) == (1, length * stride, 1)


def test_any_axes_may_stand_for_the_batch():
    layer = nn.Conv((2,), 3, 2)
    x = jax.random.normal(jax.random.key(0), (4, 2, 5, 3))
    np.testing.assert_allclose(layer(x)[1, 0], layer(x[1, 0]), rtol=1e-5, atol=1e-6)


def test_an_index_out_of_range_is_nan_under_jit_and_padding_is_never_trained():
    layer = nn.Embedding(5, 2, padding=1)
    y = jax.jit(lambda m, i: m(i))(layer, jnp.array([5, -1, 1, 0]))
    assert np.isnan(np.asarray(y[:2])).all()
    assert y[2].tolist() == [0.0, 0.0]
    slope = jax.grad(lambda m: jnp.sum(m(jnp.array([0, 1, 1]))))(layer).weight
    np.testing.assert_array_equal(slope[:2], [[1, 1], [0, 0]])


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_sequence_is_its_halves_and_its_steps(layer):
    m = layer(3, 2, return_state=True)
    x = jax.random.normal(jax.random.key(0), (4, 6, 3))
    whole, last = m(x)
    first, state = m(x[:, :2])
    second, end = m(x[:, 2:], state)
    np.testing.assert_allclose(jnp.concatenate([first, second], 1), whole, rtol=1e-5, atol=1e-6)
    y, state = m.cell(x[:, 2], state)
    np.testing.assert_allclose(y, whole[:, 2], rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), end, last)


def test_attention_sees_no_future_and_what_the_mask_allows():
    m = nn.MultiHeadAttention(8, heads=2, causal=True, return_weights=True)
    x = jax.random.normal(jax.random.key(0), (2, 4, 8))
    y, weights = m(x)
    np.testing.assert_allclose(weights.sum(-1), np.ones((2, 2, 4)), rtol=1e-5)
    assert (np.triu(np.asarray(weights), 1) == 0).all()
    np.testing.assert_allclose(m(x.at[:, 3].set(0.0))[0][:, :3], y[:, :3], rtol=1e-5, atol=1e-6)
    only_first = jnp.zeros((4, 4), bool).at[:, 0].set(True)
    np.testing.assert_allclose(m(x, mask=only_first)[1][..., 0], np.ones((2, 2, 4)), rtol=1e-6)


def test_alpha_dropout_keeps_mean_and_variance():
    layer = nn.trainmode(nn.AlphaDropout(0.3))
    y = layer(jax.random.normal(jax.random.key(0), (20000,)), key=jax.random.key(1))
    assert abs(float(y.mean())) < 0.03
    assert float(y.var()) == pytest.approx(1.0, abs=0.05)


def test_instance_norm_follows_the_batch():
    x = jax.random.normal(jax.random.key(0), (4, 6, 2)) * 3 + 1
    _, after = nn.withstate(lambda m, x: m(x))(nn.InstanceNorm(2, track=True, momentum=1.0), x)
    np.testing.assert_allclose(after.mean.value, x.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(after.variance.value, x.var(1, ddof=1).mean(0), rtol=1e-5)
    normal = (x - after.mean.value) / np.sqrt(after.variance.value + 1e-5)
    np.testing.assert_allclose(nn.testmode(after)(x), normal, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(2, 2), (5, 5)])  # compared tap by tap, and by XLA's own windows
def test_max_pooling_gives_the_derivative_to_the_first_of_equal_entries(size):
    slope = gradient(lambda x: jnp.sum(nn.MaxPool(size, stride=1)(x)), jnp.zeros((1, *size, 1)))[0]
    assert float(slope.sum()) == float(slope[0, 0, 0, 0]) == 1.0


def test_max_pooling_keeps_nan():
    x = jnp.array([[[1.0], [jnp.nan], [2.0], [3.0]]])
    np.testing.assert_array_equal(nn.MaxPool((2,))(x)[0, :, 0], [jnp.nan, 3.0])
