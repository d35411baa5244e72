"""Dense: what it computes, how it starts, and every complaint it makes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.nn.initialisers import kaiming_normal, ones

W = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def test_computes_the_formula():
    x = np.array([[1.0, 0.0, -1.0], [2.0, 1.0, 0.0]])
    layer = nn.Dense(W, nn.relu, bias=np.array([1.0, -5.0]))
    np.testing.assert_allclose(layer(x), np.maximum(x @ W.T + [1.0, -5.0], 0))


@pytest.mark.parametrize("lead", [(), (4,), (2, 3, 4), (0,)])
def test_any_leading_axes(lead):
    assert nn.Dense(3, 2)(jnp.ones((*lead, 3))).shape == (*lead, 2)


def test_leading_axes_are_independent():
    layer, x = nn.Dense(3, 2, nn.tanh), jax.random.normal(jax.random.key(0), (4, 5, 3))
    np.testing.assert_allclose(layer(x)[1, 2], layer(x[1, 2]), rtol=1e-6)


def test_starts_with_glorot_weights_and_no_bias():
    layer = nn.Dense(30, 20)
    assert layer.weight.shape == (20, 30)
    assert layer.weight.dtype == layer.bias.dtype == jnp.float32
    assert float(jnp.abs(layer.weight).max()) <= np.sqrt(6 / 50)
    assert not layer.bias.any()


def test_bias_off_means_no_array():
    layer = nn.Dense(3, 2, bias=False)
    assert layer.bias is None
    assert len(jax.tree.leaves(layer)) == 1


def test_given_bias_and_widths():
    np.testing.assert_array_equal(nn.Dense(3, 2, bias=[1.0, 2.0]).bias, [1.0, 2.0])


def test_same_key_same_weights():
    a, b, c = (nn.Dense(3, 2, key=jax.random.key(n)).weight for n in (1, 1, 2))
    assert (a == b).all()
    assert (a != c).any()


def test_default_stream_gives_different_layers():
    assert (nn.Dense(3, 2).weight != nn.Dense(3, 2).weight).any()


@pytest.mark.parametrize("init", [ones, ones(), kaiming_normal(gain=2.0), lambda key, shape, dtype: jnp.ones(shape)])
def test_init_in_every_form(init):
    assert nn.Dense(3, 2, init=init).weight.shape == (2, 3)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_dtype(dtype):
    layer = nn.Dense(3, 2, dtype=dtype)
    assert layer.weight.dtype == layer.bias.dtype == dtype
    assert layer(np.ones((4, 3))).dtype == dtype


def test_float64_input_does_not_creep_in(x64):
    layer = nn.Dense(3, 2)
    assert layer(np.ones((4, 3))).dtype == jnp.float32
    assert nn.SkipConnection(nn.Dense(3, 3), jnp.add)(np.ones((4, 3))).dtype == jnp.float32


def test_float64_on_request(x64):
    assert nn.Dense(3, 2, dtype=jnp.float64)(np.ones(3)).dtype == jnp.float64
    assert nn.Dense(W).weight.dtype == jnp.float64
    assert nn.Dense(W, dtype=jnp.float32).weight.dtype == jnp.float32


def test_prints():
    assert repr(nn.Dense(784, 10, nn.relu)) == "Dense(784 => 10, relu)"
    assert str(nn.Dense(784, 10)) == "Dense(784 => 10)  # 7_850 parameters"
    assert repr(nn.Dense(2, 3, bias=False)) == "Dense(2 => 3, bias=False)"


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            np.ones((32, 7)),
            ShapeError,
            r"Dense\(10 => 5\): got an input of shape \(32, 7\), last dimension 7; expected \(\.\.\., 10\), a last "
            r"dimension of 10; change the input, or the layer to Dense\(7, 5\)",
        ),
        (np.ones((10, 32)), ShapeError, r"pass x\.T: the batch comes first"),
        (np.float32(1.0), ShapeError, r"Dense\(10 => 5\): got a single number; expected \(\.\.\., 10\)"),
        (np.ones((3, 10), int), DtypeError, r"dtype int32; expected floating.*jnp\.asarray\(x, jnp\.float32\)"),
        (np.ones((3, 10), np.uint8), DtypeError, "dtype uint8; expected floating"),
        (np.ones((3, 10), bool), DtypeError, "dtype bool; expected floating"),
        (np.ones((3, 10), complex), DtypeError, "dtype complex64; expected floating"),
    ],
)
def test_bad_input(x, error, message):
    with pytest.raises(error, match=message):
        nn.Dense(10, 5)(x)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Dense(0, 5), ArgumentError, r"Dense\(0 => 5\): got inputs=0; expected an integer of at least 1"),
        (lambda: nn.Dense(3, -1), ArgumentError, "got outputs=-1; expected an integer"),
        (lambda: nn.Dense(3, 2.5), ArgumentError, "got outputs=2.5"),
        (lambda: nn.Dense(3), ArgumentError, r"got outputs=None.*Dense\(10, 5, relu\)"),
        (lambda: nn.Dense(3, nn.relu), ArgumentError, "got outputs=relu"),
        (lambda: nn.Dense(True, 2), ArgumentError, "got inputs=True"),
        (lambda: nn.Dense(3, 2, dtype=int), DtypeError, r"Dense\(3 => 2\): got dtype int\d+; expected a floating"),
        (lambda: nn.Dense(3, 2, dtype="float64"), DtypeError, "float64; expected a dtype that is switched on"),
        (lambda: nn.Dense(3, 2, bias=np.ones(3)), ShapeError, r"bias of shape \(3,\); expected \(2,\)"),
        (lambda: nn.Dense(3, 2, init=lambda k, s, d: jnp.ones((3, 2))), ShapeError, r"shape \(3, 2\) from init"),
        (lambda: nn.Dense(3, 2, key=0), DtypeError, r"key: got int 0; expected one random key"),
        (lambda: nn.Dense(3, 2, "relu"), DtypeError, "got activation 'relu'; expected a function"),
        (lambda: nn.Dense(3, 2, nn.Dense), DtypeError, "got activation Dense"),
        (lambda: nn.Dense(3, 2, nn.Dense(2, 2)), ArgumentError, "holds arrays.*into the Chain as a layer"),
        (lambda: nn.Dense(np.ones(3)), ShapeError, r"Dense: got a weight of shape \(3,\); expected a matrix"),
        (lambda: nn.Dense(np.ones((2, 3), int)), DtypeError, "Dense: got dtype int32; expected a floating"),
    ],
)
def test_bad_construction(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_no_key_inside_jit():
    with pytest.raises(ArgumentError, match=r"no key inside a function that JAX is tracing.*pass key="):
        jax.jit(lambda: nn.Dense(2, 2).weight)()
