import jax
import jax.numpy as jnp
import numpy as np

from argflux.training.split import Split, strong, trainable
from tests.training.models import assert_same_bits, network

MODEL = {"w": jnp.ones(2), "n": jnp.arange(3), "f": jnp.tanh, "b": np.zeros(1, np.float32), "p": 0.5}


def test_a_model_is_put_together_as_it_was():
    split, moving, fixed = Split.of(MODEL)
    assert [array.shape for array in moving] == [(1,), (2,)]
    joined = split.join(moving, fixed)
    assert joined["f"] is jnp.tanh
    assert joined["p"] == 0.5
    assert_same_bits([joined["w"], joined["n"], joined["b"]], [MODEL["w"], MODEL["n"], MODEL["b"]])


def test_frozen_arrays_are_fixed():
    split, moving, fixed = Split.of(MODEL, ["['w']"])
    assert [array.shape for array in moving] == [(1,)]
    assert [array.shape for array in fixed] == [(3,), (2,)]
    assert split.spread(moving)["w"] is None
    assert split.take(split.join(moving, fixed))[0][0].shape == (1,)


def test_equal_models_have_equal_splits():
    one, other = Split.of(network(0))[0], Split.of(network(1))[0]
    assert one == other
    assert hash(one) == hash(other)
    assert Split.of(MODEL)[0] != Split.of(MODEL | {"p": 0.25})[0]
    assert Split.of(MODEL | {"p": 1})[0] != Split.of(MODEL | {"p": True})[0]


def test_collect_undoes_spread():
    split, moving, _ = Split.of(MODEL)
    assert_same_bits(split.collect(split.spread(moving)), moving)


def test_strong_arrays_stay_what_they_are():
    array = jnp.ones(2)
    assert strong(array) is array
    weak = jnp.asarray(1.0)
    assert weak.weak_type
    assert not strong(weak).weak_type
    assert isinstance(strong(np.ones(2, np.float32)), jax.Array)


def test_trainable_keeps_floating_arrays_only():
    assert {name for name, leaf in trainable(MODEL).items() if leaf is not None} == {"w", "b"}
