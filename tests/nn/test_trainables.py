"""Trainable arrays by name and as a vector."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import DtypeError, ShapeError


def test_only_floating_arrays():
    model = {"count": jnp.arange(2), "w": jnp.ones(2), "np": np.ones(1), "rate": 0.1, "f": nn.relu, "none": None}
    assert [name for name, _ in nn.trainables(model)] == ["['np']", "['w']"]


def test_round_trip_and_order():
    m = nn.Chain(nn.Dense(3, 2), nn.relu, nn.Dense(2, 1))
    vector, rebuild = nn.destructure(m)
    np.testing.assert_array_equal(vector, np.concatenate([np.ravel(a) for _, a in nn.trainables(m)]))
    again = rebuild(vector)
    assert again[1] is nn.relu
    np.testing.assert_array_equal(again(jnp.ones((1, 3))), m(jnp.ones((1, 3))))
    assert rebuild(vector + 1)[2].bias.tolist() == [1.0]


def test_hessian_of_a_model():
    vector, rebuild = nn.destructure(nn.Dense(2, 1))
    x = jnp.array([[1.0, 2.0]])
    hessian = jax.hessian(lambda v: jnp.sum(rebuild(v)(x) ** 2))(vector)
    np.testing.assert_allclose(hessian, 2 * np.outer([1, 2, 1], [1, 2, 1]))


def test_other_leaves_are_kept():
    _, rebuild = nn.destructure({"w": jnp.ones(2), "n": jnp.arange(2), "rate": 0.1})
    assert rebuild(jnp.zeros(2))["n"].tolist() == [0, 1]
    assert rebuild(jnp.zeros(2))["rate"] == 0.1


def test_wrong_length():
    _, rebuild = nn.destructure(nn.Dense(3, 2))
    with pytest.raises(ShapeError, match=r"rebuild: got shape \(7,\); expected \(8,\)"):
        rebuild(jnp.ones(7))


def test_two_dtypes():
    with pytest.raises(DtypeError, match="destructure: got arrays of dtypes bfloat16, float32; expected one dtype"):
        nn.destructure([nn.Dense(1, 1), nn.Dense(1, 1, dtype=jnp.bfloat16)])


def test_model_without_parameters():
    vector, rebuild = nn.destructure(nn.Chain(nn.relu))
    assert vector.shape == (0,)
    assert rebuild(vector)[0] is nn.relu
