"""What errors advise for a single example computes what the batch does."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ShapeError
from tests.nn.layers import LAYERS

REFUSED = ["LSTM", "GRU", "RNN", "Recurrence", "MultiHeadAttention", "Upsample to a size"]
MORE = {
    "GlobalMeanPool of a sequence": (lambda: nn.GlobalMeanPool(), (4, 3)),
    "GlobalMaxPool of a sequence": (lambda: nn.GlobalMaxPool(), (4, 3)),
    "BatchNorm of vectors": (lambda: nn.testmode(nn.BatchNorm(3)), (3,)),
    "Upsample": (lambda: nn.Upsample((2, 2)), (3, 2, 2)),
    "LSTM of numbers": (lambda: nn.LSTM(1, 2), (4, 1)),
    "InstanceNorm of a sequence": (lambda: nn.InstanceNorm(3), (4, 3)),
}
CASES = {name: (row.make, row.takes) for name, row in LAYERS.items() if not row.entries and row.by_example} | MORE
del CASES["Equinox layer"]  # written for one example, in a class of the tests


@pytest.mark.parametrize("name", CASES)
def test_a_single_example(name):
    nn.seed(0)
    make, takes = CASES[name]
    layer, x = make(), jnp.linspace(-1.0, 2.0, 5 * math.prod(takes)).reshape(5, *takes)
    todo = refusal(layer, x[2])
    advised = re.search(r"x\[[^\]]+\]", todo)
    assert advised or name not in [*REFUSED, *MORE], todo
    if advised:
        np.testing.assert_allclose(layer(eval(advised[0], {"x": x[2]}))[0], layer(x)[2], rtol=2e-5, atol=1e-6)


def refusal(layer, x):
    try:
        jax.eval_shape(layer, x)
    except ShapeError as error:
        return error.todo
    return ""


def test_sequences_of_numbers_without_the_axis_of_inputs():
    layer = nn.LSTM(1, 2)
    x = jnp.arange(8.0).reshape(2, 4)
    with pytest.raises(ShapeError, match=re.escape("add the axis of the inputs: x[..., None]")):
        layer(x)
    assert layer(x[..., None]).shape == (2, 4, 2)


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])
def test_one_sequence(make):
    with pytest.raises(ShapeError, match=re.escape("for one sequence: x[None]")):
        make(3, 4)(jnp.ones((6, 3)))


def test_a_number_for_a_layer_of_more_inputs():
    with pytest.raises(ShapeError, match=re.escape("pass an array of shape (..., 3)")):
        nn.Dense(3, 2)(1.0)
    assert nn.Dense(1, 2)(jnp.ones(())[None]).shape == (2,)
