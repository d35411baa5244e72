"""Parallel, PairwiseFusion and Maxout: which input goes where, order, errors."""

import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, DtypeError, ShapeError

ONE, TWO = jnp.ones((2, 1)), 2 * jnp.ones((2, 1))


def times(factor):
    return lambda x: factor * x


def test_one_input_goes_to_all_and_several_go_to_one_each():
    m = nn.Parallel(nn.cat, times(3.0), times(5.0))
    np.testing.assert_array_equal(m(ONE), [[3, 5]] * 2)
    np.testing.assert_array_equal(m(ONE, TWO), [[3, 10]] * 2)
    np.testing.assert_array_equal(m((ONE, TWO)), [[3, 10]] * 2)


def test_three_are_joined_from_left_to_right():
    m = nn.Parallel(jnp.subtract, times(10.0), times(3.0), times(2.0))
    np.testing.assert_array_equal(m(ONE), [[5]] * 2)
    assert nn.Parallel(lambda *ys: len(ys), times(1.0), times(1.0), times(1.0))(ONE) == 3


def test_pairwise_fusion_feeds_each_output_on():
    m = nn.PairwiseFusion(jnp.add, times(2.0), times(3.0), times(5.0))
    assert [float(y[0, 0]) for y in m(ONE)] == [2.0, 9.0, 50.0]
    assert [float(y[0, 0]) for y in m(ONE, TWO, ONE)] == [2.0, 12.0, 65.0]


def test_maxout_is_the_maximum():
    np.testing.assert_array_equal(nn.Maxout(times(2.0), times(-1.0))(jnp.array([-3.0, 1.0])), [3.0, 2.0])
    m = nn.Maxout(lambda: nn.Dense(3, 2), 4)
    assert len({float(layer.weight[0, 0]) for layer in m.layers}) == 4


def test_names_and_parts():
    m = nn.Parallel(nn.cat, a=nn.Dense(1, 2), b=nn.Dense(1, 3))
    assert m["b"].weight.shape == (3, 1)
    assert [name for name, _ in nn.trainables(m)][2] == "layers['b'].weight"


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (
            lambda: nn.Parallel(nn.cat, times(1.0), times(1.0))(ONE, ONE, ONE),
            ArgumentError,
            "got 3 inputs; expected 1 inp",
        ),
        (
            lambda: nn.Parallel(jnp.add, nn.Dense(1, 2), nn.Dense(1, 3))(ONE),
            ShapeError,
            r"\(2, 2\) and \(2, 3\); expected eq",
        ),
        (
            lambda: nn.Parallel(nn.cat, nn.relu, nn.Dense(3, 2))(ONE),
            ShapeError,
            r"layers\[1\] Dense\(3 => 2\): got an input",
        ),
        (lambda: nn.Parallel(nn.cat), ArgumentError, "Parallel: got no layer; expected at least one"),
        (lambda: nn.Parallel("add", nn.relu), DtypeError, "Parallel: got connection 'add'"),
        (lambda: nn.Maxout(nn.Dense, 2), ArgumentError, "missing a required argument"),
        (lambda: nn.Maxout(lambda: nn.relu, 0), ArgumentError, "count=0"),
        (lambda: nn.PairwiseFusion(jnp.add, nn.relu, nn.relu)(ONE, ONE, ONE), ArgumentError, "3 inputs"),
    ],
)
def test_misuse(run, error, message):
    with pytest.raises(error, match=message):
        run()
