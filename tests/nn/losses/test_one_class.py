"""Binary labels in a column, where classes are expected: right, or an error that says what is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.data import accuracy
from argflux.errors import ArgumentError, DataError, ShapeError

COLUMN = jnp.array([[0.0], [1.0], [0.0], [1.0]])


def test_smoothing_of_binary_labels():
    for y in (COLUMN, COLUMN.ravel()):
        got = nn.label_smoothing(y, 0.2, axis=None)
        np.testing.assert_allclose(got.ravel(), [0.1, 0.9, 0.1, 0.9], rtol=1e-6)
    two = nn.label_smoothing(jnp.concatenate([1 - COLUMN, COLUMN], 1), 0.2)
    np.testing.assert_allclose(two[:, 1], [0.1, 0.9, 0.1, 0.9], rtol=1e-6)


def test_smoothing_of_a_column_over_classes():
    with pytest.raises(ShapeError, match=r"y of shape \(4, 1\), 1 classes along axis -1; .*pass axis=None"):
        nn.label_smoothing(COLUMN, 0.2)
    with pytest.raises(ShapeError, match="0 classes"):
        nn.label_smoothing(jnp.ones((4, 0)), 0.2)
    with pytest.raises(ShapeError, match="1 classes"):
        jax.jit(lambda y: nn.label_smoothing(y, 0.2))(COLUMN)


def test_smoothing_of_a_vector_of_binary_labels():
    with pytest.raises(DataError, match=r"values along axis -1 add up to 2; .*pass axis=None"):
        nn.label_smoothing(COLUMN.ravel(), 0.2)
    onehot = jnp.array([0.0, 1.0, 0.0, 0.0])
    np.testing.assert_allclose(nn.label_smoothing(onehot, 0.2), [0.05, 0.85, 0.05, 0.05], rtol=1e-6)
    assert jax.jit(lambda y: nn.label_smoothing(y, 0.2))(COLUMN.ravel()).shape == (4,)


@pytest.mark.parametrize("loss", ["crossentropy", "logitcrossentropy", "kldivergence", "focal_loss"])
def test_losses_of_one_class(loss):
    f = getattr(nn, loss)
    with pytest.raises(ShapeError, match=rf"{loss}: got .*one class.*call .*binary"):
        f(COLUMN, COLUMN)
    with pytest.raises(ShapeError, match="one class along axis 0"):
        f(COLUMN.T, COLUMN.T, axis=0)
    with pytest.raises(ArgumentError, match=f"{loss}: got axis=5"):
        f(COLUMN, COLUMN, axis=5)
    with pytest.raises(ShapeError, match="one class"):
        jax.jit(f)(COLUMN, COLUMN)
    assert f(jnp.ones((4, 1)), jnp.ones((4, 1))).shape == ()
    assert f(jnp.full((4, 2), 0.5), jnp.full((4, 2), 0.5)).shape == ()


def test_accuracy_of_one_class():
    scores = jnp.array([[-1.0], [2.0], [1.0], [3.0]])
    with pytest.raises(ShapeError, match=r"one class; .*take jnp.mean\(\(scores > 0\) == \(y > 0\)\)"):
        accuracy(scores, COLUMN)
    assert float(jnp.mean((scores > 0) == (COLUMN > 0))) == 0.75
