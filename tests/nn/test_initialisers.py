"""Every initialiser, one row each: moments and bounds over many draws, both ways to call it, bad options."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.nn import initialisers as init

SHAPE = (300, 200)  # fan-in 200, fan-out 300
CUT_DEVIATION = 0.8796256610342398  # of a standard normal cut at two

# name: (options, standard deviation, largest magnitude)
ROWS = {
    "glorot_uniform": ({}, math.sqrt(2 / 500), math.sqrt(6 / 500)),
    "glorot_normal": ({}, math.sqrt(2 / 500), math.inf),
    "kaiming_uniform": ({}, math.sqrt(2 / 200), math.sqrt(6 / 200)),
    "kaiming_normal": ({}, math.sqrt(2 / 200), math.inf),
    "lecun_normal": ({}, math.sqrt(1 / 200), 2 / CUT_DEVIATION * math.sqrt(1 / 200)),
    "truncated_normal": ({}, CUT_DEVIATION, 2.0),
    "orthogonal": ({}, math.sqrt(1 / 300), 1.0),
    "sparse_init": ({"sparsity": 0.75, "std": 0.1}, 0.05, math.inf),
    "identity_init": ({}, None, 1.0),
    "uniform": ({}, math.sqrt(1 / 600), math.sqrt(1 / 200)),
    "normal": ({"std": 0.1}, 0.1, math.inf),
    "zeros": ({}, None, 0.0),
    "ones": ({}, None, 1.0),
}
RANDOM = [name for name, (_, deviation, _) in ROWS.items() if deviation]
WITH_GAIN = ["glorot_uniform", "glorot_normal", "kaiming_uniform", "kaiming_normal", "orthogonal", "uniform"]


def draw(name, key=0, shape=SHAPE, **more):
    return getattr(init, name)(jax.random.key(key), shape, **ROWS[name][0], **more)


def test_every_initialiser_has_a_row():
    assert set(ROWS) == {f.__name__ for f in init.INITIALISERS}


@pytest.mark.parametrize("name", RANDOM)
def test_moments_and_bounds(name):
    values = np.asarray(draw(name), np.float64)
    _, deviation, largest = ROWS[name]
    assert abs(values.mean()) < 5 * deviation / math.sqrt(values.size)
    assert values.std() == pytest.approx(deviation, rel=0.02)
    assert abs(values).max() <= largest * (1 + 1e-6)
    if math.isfinite(largest) and name != "orthogonal":
        assert abs(values).max() > 0.99 * largest


@pytest.mark.parametrize("name", RANDOM)
def test_the_key_decides(name):
    assert (draw(name) == draw(name)).all()
    assert (draw(name) != draw(name, key=1)).any()


@pytest.mark.parametrize("name", WITH_GAIN)
def test_gain_scales(name):
    np.testing.assert_allclose(draw(name, gain=3.0), 3 * draw(name, gain=1.0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ROWS)
def test_options_alone_give_a_function(name):
    later = getattr(init, name)(**ROWS[name][0])
    np.testing.assert_array_equal(later(jax.random.key(0), SHAPE, jnp.float32), draw(name))


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_dtype_shape_and_jit(name, dtype):
    values = draw(name, shape=(6, 4), dtype=dtype)
    assert (values.shape, values.dtype) == ((6, 4), dtype)
    jitted = jax.jit(lambda key: getattr(init, name)(key, (6, 4), dtype, **ROWS[name][0]))
    np.testing.assert_allclose(
        jitted(jax.random.key(0)).astype(jnp.float32), values.astype(jnp.float32), rtol=2e-2, atol=1e-3
    )


@pytest.mark.parametrize("name", ROWS)
def test_float64(name, x64):
    values = draw(name, shape=(6, 4), dtype=jnp.float64)
    assert values.dtype == jnp.float64


@pytest.mark.parametrize("name", RANDOM)
def test_without_a_key_the_default_stream_moves(name):
    nn.seed(0)
    make = getattr(init, name)
    a, b = (make(shape=(4, 4), **ROWS[name][0]) for _ in range(2))
    assert (a != b).any()


@pytest.mark.parametrize(
    ("shape", "fans"), [((5, 10), (10, 5)), ((7,), (1, 7)), ((), (1, 1)), ((8, 3, 2, 5), (30, 80))]
)
def test_nfan(shape, fans):
    assert nn.nfan(shape) == fans


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (4, 2, 3, 3)])
def test_orthogonal(shape):
    rows = np.asarray(init.orthogonal(jax.random.key(0), shape, gain=2.0)).reshape(shape[0], -1)
    short = rows @ rows.T if rows.shape[0] <= rows.shape[1] else rows.T @ rows
    np.testing.assert_allclose(short, 4 * np.eye(len(short)), atol=1e-5)


def test_sparse_init_empties_the_same_share_of_each_column():
    values = init.sparse_init(jax.random.key(0), (10, 50), sparsity=0.25)
    assert ((values == 0).sum(axis=0) == 3).all()
    assert len(np.unique(np.asarray(values == 0), axis=1).T) > 20


def test_identity_init():
    np.testing.assert_array_equal(init.identity_init(shape=(2, 3), gain=2.0), [[2, 0, 0], [0, 2, 0]])
    assert init.identity_init(shape=(3,)).tolist() == [0.0, 0.0, 0.0]
    window = init.identity_init(shape=(2, 2, 3, 3))
    assert window[0, 0, 1, 1] == window[1, 1, 1, 1] == window.sum() / 2 == 1


def test_truncated_normal_between_bounds():
    values = init.truncated_normal(jax.random.key(0), (100, 100), mean=3.0, std=2.0, lower=2.0, upper=3.5)
    assert float(values.min()) >= 2.0
    assert float(values.max()) <= 3.5
    assert float(values.min()) < 2.01
    assert float(values.max()) > 3.49


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda key: init.kaiming_normal(gian=2), ArgumentError, r"got keyword gian=2; expected.*write gain="),
        (lambda key: init.zeros(gain=2), ArgumentError, "zeros: got keyword gain=2; expected key, shape, dtype"),
        (lambda key: init.ones((2, 3)), ShapeError, r"ones: got shape None; expected a tuple.*ones\(key, \(5, 10\)\)"),
        (lambda key: init.uniform(key), ShapeError, "uniform: got shape None"),
        (lambda key: init.uniform(key, (2.5, 3)), ShapeError, r"got shape \(2\.5, 3\)"),
        (lambda key: init.uniform(key, (2, -3)), ShapeError, r"got shape \(2, -3\)"),
        (lambda key: init.uniform(key, (2, 3), int), DtypeError, "uniform: got dtype int.*expected a floating"),
        (lambda key: init.uniform(0, (2, 3)), DtypeError, "key: got int 0"),
        (lambda key: init.orthogonal(key, (3,)), ShapeError, r"orthogonal: got shape \(3,\); expected two axes"),
        (lambda key: init.sparse_init(key, (3,), sparsity=0.5), ShapeError, r"sparse_init: got shape \(3,\)"),
        (lambda key: init.sparse_init(key, (3, 3), sparsity=2), ArgumentError, "got sparsity=2; expected a share"),
        (lambda key: init.truncated_normal(key, (3, 3), std=0.0), ArgumentError, "std=0.0; expected lower < upper"),
    ],
)
def test_misuse(call, error, message):
    with pytest.raises(error, match=message):
        call(jax.random.key(0))


def test_a_single_size_is_a_vector():
    assert init.ones(shape=3).shape == (3,)
