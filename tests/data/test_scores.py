import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.data import accuracy, onehotbatch
from argflux.errors import DataError, DtypeError, ShapeError

SCORES = jnp.array([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 5.0], [0.0, 1.0, -1.0]])
LABELS = np.array([0, 1, 0, 2])


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])
def test_counts_the_rows_that_are_right(dtype, wrap):
    found = wrap(accuracy)(SCORES, LABELS.astype(dtype))
    assert found.dtype == jnp.float32
    assert found.shape == ()
    assert found == 0.5


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])
def test_one_hot_rows_serve_as_labels(wrap):
    assert wrap(accuracy)(SCORES, onehotbatch(LABELS, range(3))) == 0.5
    assert wrap(accuracy)(SCORES, onehotbatch(LABELS, range(3), bool)) == 0.5


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.int32])
def test_scores_of_any_dtype(dtype):
    assert accuracy(SCORES.astype(dtype), LABELS) == 0.5


def test_leading_dimensions_and_a_single_row():
    assert accuracy(SCORES.reshape(2, 2, 3), LABELS.reshape(2, 2)) == 0.5
    assert accuracy(SCORES[0], 0) == 1.0
    assert accuracy(SCORES[0], jnp.array([0.0, 1.0, 0.0])) == 0.0


def test_float32_under_x64(x64):
    assert accuracy(SCORES.astype(jnp.float64), LABELS).dtype == jnp.float32


def test_rows_with_nan_are_wrong():
    scores = jnp.array([[jnp.nan, 0.0], [1.0, 0.0]])
    assert accuracy(scores, np.array([0, 0])) == 0.5


BAD = [
    (
        lambda: accuracy(SCORES, LABELS[:3]),
        ShapeError,
        "scores of shape (4, 3) and labels of shape (3,); expected labels of shape (4,)",
    ),
    (lambda: accuracy(SCORES, jnp.ones((4, 2))), ShapeError, "or one-hot rows of shape (4, 3)"),
    (lambda: accuracy(1.0, 1), ShapeError, "scores of shape ()"),
    (
        lambda: accuracy(jnp.ones((0, 3)), jnp.ones((0,), int)),
        DataError,
        "scores of shape (0, 3); expected at least one row",
    ),
    (
        lambda: accuracy(SCORES, LABELS + 1),
        DataError,
        "label 3 at index [3]; expected labels 0 to 2 for 3 scores",
    ),
    (lambda: accuracy(SCORES, LABELS - 1), DataError, "label -1 at index [0]"),
    (
        lambda: accuracy(SCORES, LABELS.astype(np.float32)),
        DtypeError,
        "float32 labels; expected integer labels",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), BAD, ids=[row[2] for row in BAD])
def test_bad_input(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)
    assert str(caught.value).startswith("accuracy: got ")
