import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.errors import ArgumentError, DataError, ShapeError


def key(number):
    return jax.random.key(number)


@pytest.fixture(scope="module")
def x():
    return af.load_digits()[0].x[:200]


def test_a_layer_starts_with_few_zeros(x):
    usual, made = [af.Dense(64, 32, af.relu, init=init, key=key(0)) for init in (af.init.uniform, af.designed(x))]
    assert (made(x) == 0).mean() < (usual(x) == 0).mean() / 2
    assert made.weight.dtype == jnp.float32
    again = af.Dense(64, 32, af.relu, init=af.designed(x), key=key(0))
    np.testing.assert_array_equal(made.weight, again.weight)


def test_the_start_gives_the_scale(x):
    start = af.init.uniform(gain=0.1)
    small = af.Dense(64, 32, af.relu, init=af.designed(x, start=start), key=key(0))
    usual = af.Dense(64, 32, af.relu, init=start, key=key(0))
    passed = float((af.relu(x @ small.weight.T) ** 2).mean())
    assert passed == pytest.approx(float(((x @ usual.weight.T) ** 2).mean()) / 2, rel=0.2)


def test_options_reach_the_programs(x):
    raw = af.designed(x, kappa=3.0, scale=None, balanced=True)(key(0), (16, 64))
    np.testing.assert_allclose(raw.sum(1), 0, atol=1e-5)
    assert (x @ raw.T <= 0).mean() < 0.05


def test_patches_of_a_convolution():
    patches = np.random.default_rng(0).random((300, 2, 3, 3)).astype("float32")
    weight = af.designed(patches)(key(0), (8, 2, 3, 3))
    assert weight.shape == (8, 2, 3, 3)
    assert (jnp.einsum("nihw,oihw->no", patches, weight) <= 0).mean() < 0.25


def test_what_does_not_fit(x):
    with pytest.raises(ShapeError, match=r"designed: got data of width 64 for a weight of shape \(32, 60\)"):
        af.Dense(60, 32, init=af.designed(x))
    with pytest.raises(ShapeError, match=r"got data of width 64 for a weight of shape \(64,\)"):
        af.designed(x)(key(0), (64,))
    with pytest.raises(ArgumentError, match="designed: got kappa=-2"):
        af.designed(x, kappa=-2)
    with pytest.raises(ArgumentError, match="write kappa="):
        af.designed(x, kapa=2)
    with pytest.raises(DataError, match="designed: got nan"):
        af.designed(x * np.nan)
    with pytest.raises(DataError, match="designed: got 9 rows on which no unit varies"):
        af.designed(np.ones((9, 64), "float32"))(key(0), (3, 64))
