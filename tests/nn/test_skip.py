"""SkipConnection and cat: which value comes first, parts with arrays, shapes that would broadcast."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import DtypeError, ShapeError


def test_connection_takes_the_output_first():
    assert float(nn.SkipConnection(lambda x: 5 * x, operator.sub)(jnp.array(2.0))) == 8.0


def test_cat_takes_the_last_axis_in_order():
    y = nn.SkipConnection(lambda x: 5 * x, nn.cat)(jnp.ones((2, 1)))
    np.testing.assert_array_equal(y, [[5, 1], [5, 1]])


def test_connection_with_arrays_of_its_own():
    class Weighed(nn.Dense):
        def __call__(self, y, x):
            return super().__call__(y) + x

    m = nn.SkipConnection(nn.Dense(3, 3), Weighed(3, 3))
    assert [name for name, _ in nn.trainables(m)][2:] == ["connection.weight", "connection.bias"]
    assert m(jnp.ones((2, 3))).shape == (2, 3)


def test_functions_are_no_leaves():
    assert len(jax.tree.leaves(nn.SkipConnection(nn.relu, jnp.add))) == 0


@pytest.mark.parametrize("connection", [jnp.add, jnp.multiply, operator.add, operator.mul, operator.sub])
def test_shapes_that_would_broadcast(connection):
    m = nn.Chain(nn.SkipConnection(nn.Dense(3, 1), connection))
    name = connection.__name__
    with pytest.raises(ShapeError, match=rf"layers\[0\] SkipConnection\(Dense\(3 => 1\), {name}\): got an output"):
        m(jnp.ones((2, 3)))


def test_cat_of_unequal_batches():
    with pytest.raises(ShapeError, match=r"cat: got shapes \(2, 3\) and \(4, 3\); expected the same axes"):
        nn.cat(jnp.ones((2, 3)), jnp.ones((4, 3)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.SkipConnection(3, jnp.add), "SkipConnection: got layer 3; expected something callable"),
        (lambda: nn.SkipConnection(nn.relu, "add"), "SkipConnection: got connection 'add'"),
        (lambda: nn.SkipConnection(nn.Dense, jnp.add), "SkipConnection: got layer Dense"),
    ],
)
def test_misuse(make, message):
    with pytest.raises(DtypeError, match=message):
        make()
