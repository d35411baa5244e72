"""Half precision: values and gradients are those of 32 bits, rounded, for every activation, loss and layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.autodiff import gradient
from tests.compiling import QUICK
from tests.nn.layers import LAYERS
from tests.nn.losses.test_losses import ROWS

HALVES = [jnp.float16, jnp.bfloat16]
GRID = np.array([0, 1e-7, 1e-4, 0.3, 1, 3, 50, 148, 600, 3e4, 6e4])
GRID = np.concatenate([GRID, -GRID])
WIDE_LOSSES = ["mse", "mae", "huber_loss", "msle", "logitcrossentropy", "logitbinarycrossentropy", "hinge_loss"]
LARGE = 600.0
INSIDE = ["Scale", "Bilinear", "LayerNorm", "GroupNorm", "InstanceNorm", "BatchNorm", "BatchNorm in training"]
INSIDE += ["InstanceNorm with statistics", "MeanPool", "GlobalMeanPool", "AdaptiveMeanPool", "MaxPool"]
INSIDE += ["Dense", "Conv", "Upsample linearly", "LSTMCell", "GRUCell"]


def weighted(y):
    """Return a sum that treats all entries differently and does not overflow in 32 bits."""
    y = y.astype(jnp.float32)
    return jnp.sum(y * jnp.linspace(0.5, 1.5, y.size).reshape(y.shape)) / 64


def all_of(fs):
    """Return, compiled as one, the value and both libraries' gradients of every function at its arguments."""

    def each(f, args):
        total = lambda *args: (weighted(y := f(*args)), y)
        (_, y), theirs = jax.value_and_grad(total, tuple(range(len(args))), has_aux=True)(*args)
        return y, theirs, gradient(lambda *args: total(*args)[0], *args)

    return jax.jit(lambda args: {name: each(f, args[name]) for name, f in fs.items()}, compiler_options=QUICK)


def assert_rounded(fs, args, dtype, ulps, relative_to_largest=False):
    """Hold functions at arguments in half precision against those in 32 bits, rounded."""
    cast = lambda tree, to: jax.tree.map(lambda a: a.astype(to) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)
    args = cast(args, dtype)
    run = all_of(fs)
    got, wanted = run(args), run(cast(args, jnp.float32))
    for name in fs:
        for ours, single in zip(jax.tree.leaves(got[name]), jax.tree.leaves(wanted[name]), strict=True):
            assert ours.dtype == dtype, name
            close(ours, single.astype(dtype), ulps * float(jnp.finfo(dtype).eps), name, relative_to_largest)


def close(ours, wanted, rtol, name, relative_to_largest):
    ours, wanted = np.asarray(ours, np.float32), np.asarray(wanted, np.float32)
    assert np.isfinite(wanted).any(), name
    scale = np.max(np.abs(wanted[np.isfinite(wanted)]), initial=0) if relative_to_largest else 0
    np.testing.assert_allclose(ours, wanted, rtol=rtol, atol=rtol * scale + 3e-4 * rtol, err_msg=name)


@pytest.mark.parametrize("dtype", HALVES)
def test_activations(dtype):
    fs = {name: getattr(nn, name) for name in nn.activation.__all__}
    args = {name: (jnp.asarray(GRID, jnp.float32),) for name in fs}
    assert_rounded(fs, args, dtype, ulps=1)


@pytest.mark.parametrize("dtype", HALVES)
def test_losses(dtype):
    single = lambda a, times=1.0: jnp.asarray(np.asarray(a) * times, jnp.float32)
    rows = {name: (getattr(nn, name), (single(yhat), single(y))) for name, (yhat, y, _) in ROWS.items()}
    rows |= {f"large {n}": (rows[n][0], (LARGE / 4 * rows[n][1][0], rows[n][1][1])) for n in WIDE_LOSSES}
    assert_rounded({n: f for n, (f, _) in rows.items()}, {n: args for n, (_, args) in rows.items()}, dtype, ulps=1)


def test_layers():
    nn.seed(0)
    made = {name: LAYERS[name].make() for name in INSIDE}
    args = {name: (layer, LARGE * LAYERS[name].batch()) for name, layer in made.items()}
    args["MultiHeadAttention"] = (LAYERS["MultiHeadAttention"].make(), LAYERS["MultiHeadAttention"].batch())
    assert_rounded(dict.fromkeys(args, called), args, jnp.float16, ulps=20, relative_to_largest=True)


def called(layer, x):
    return layer(x)


def test_scores_beyond_half_choose_as_those_of_single():
    one = jnp.eye(2, dtype=jnp.float16)[None] * LARGE
    layer = nn.MultiHeadAttention(2, heads=1, init=nn.initialisers.identity_init, dtype=jnp.float16)
    np.testing.assert_allclose(layer(one), one)  # scores of 360,000 / √2 and 0
    (of_input,) = gradient(lambda x: weighted(layer(x)), one)
    assert jnp.isfinite(of_input).all()


@pytest.mark.parametrize("dtype", HALVES)
def test_running_statistics_stay_in_single(dtype):
    x = jnp.array([[-600.0], [0.0], [600.0]], dtype)
    for make in (nn.BatchNorm, lambda n, dtype: nn.InstanceNorm(n, track=True, dtype=dtype)):
        layer, x = make(1, dtype=dtype), x if make is nn.BatchNorm else x[None]
        y, after = nn.withstate(lambda m, x: m(x))(layer, x)
        assert y.dtype == dtype
        np.testing.assert_allclose(y.ravel().astype(jnp.float32), [-1.2247, 0, 1.2247], rtol=1e-2)
        assert after.variance.value.dtype == jnp.float32
        np.testing.assert_allclose(after.variance.value, 0.9 + 0.1 * np.var(x.astype(jnp.float32), ddof=1), rtol=1e-3)
        assert nn.testmode(after)(x).dtype == dtype


def test_running_statistics_made_half_stop_at_the_largest_number():
    layer = jax.tree.map(lambda a: a.astype(jnp.float16), nn.BatchNorm(1))
    _, after = nn.withstate(lambda m, x: m(x))(layer, jnp.array([[-3e4], [3e4]], jnp.float16))
    assert after.variance.value.tolist() == [65504.0]


@pytest.mark.parametrize("dtype", HALVES)
def test_an_entry_met_often_gets_its_whole_gradient(dtype):
    layer = nn.Embedding(2, 1, dtype=dtype)
    index = jnp.zeros(5000, int)
    for of in (jax.grad, lambda f: lambda m: gradient(f, m)[0]):
        got = of(lambda m: jnp.sum(m(index).astype(jnp.float32)))(layer).weight
        np.testing.assert_allclose(got.ravel().astype(jnp.float32), [5000, 0], rtol=1e-2)


@pytest.mark.parametrize("dtype", HALVES)
def test_initialisers_round_what_single_draws(dtype):
    key = jax.random.key(0)
    for draw in nn.initialisers.INITIALISERS:
        options = {"sparsity": 0.5} if draw.__name__ == "sparse_init" else {}
        got, single = draw(key, (6, 4), dtype, **options), draw(key, (6, 4), **options)
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, single.astype(dtype))


@pytest.mark.parametrize("dtype", [*HALVES, jnp.float32])
def test_dropping_everything_has_gradient_zero(dtype):
    for layer in (nn.Dropout(1.0, training=True), nn.AlphaDropout(1.0, training=True)):
        x = jnp.array([1.0, -2.0], dtype)
        assert layer(x).tolist() == [0, 0]
        assert jax.grad(lambda x: jnp.sum(layer(x)))(x).tolist() == [0, 0]  # noqa: B023


def test_label_smoothing_and_xlogy_round_once():
    y = jnp.array([[1.0, 0.0, 0.0]])
    for dtype in HALVES:
        got = nn.label_smoothing(y.astype(dtype), 0.1)
        np.testing.assert_array_equal(got, nn.label_smoothing(y, 0.1).astype(dtype))
        x = jnp.array([0.0, 0.5, 6e4], dtype)
        np.testing.assert_array_equal(nn.xlogx(x / 64), nn.xlogx((x / 64).astype(jnp.float32)).astype(dtype))
