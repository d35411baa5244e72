import jax.numpy as jnp
import numpy as np
import pytest

from argflux.errors import ArgumentError, DataError, ShapeError
from argflux.plots import decision_boundary
from tests.plots.figures import two_halves

X, Y = np.array([[-1.0, 0.0], [1.0, 0.5], [1.5, -0.5]]), np.array([0, 1, 1])


def thirds(x):
    near = -np.abs(x[:, :1] - np.array([-1.0, 0.0, 1.0])) * 5
    return np.exp(near) / np.exp(near).sum(axis=1, keepdims=True)


def test_field_has_the_colour_of_the_likely_class_and_is_pale_at_the_boundary():
    (axes,) = decision_boundary(two_halves, X, Y).axes
    (image,) = axes.get_images()
    left, right, *_ = image.get_extent()
    row = np.asarray(image.get_array())[10]
    zero = round((0 - left) / (right - left) * (len(row) - 1))
    assert row[0, 2] > row[0, 0]
    assert row[-1, 0] > row[-1, 2]
    assert row[zero].min() > 0.95
    assert axes.get_aspect() == 1


def test_boundary_is_drawn_where_the_class_changes():
    (axes,) = decision_boundary(two_halves, X, Y).axes
    lines = [c for c in axes.collections if hasattr(c, "levels")]
    path = np.concatenate([p.vertices for p in lines[0].get_paths()])
    assert len(lines) == 1
    assert np.abs(path[:, 0]).max() < 0.02


def test_every_class_has_its_points_and_its_name():
    figure = decision_boundary(thirds, np.array([[-1.0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 2, 2], "abc")
    points = [c for c in figure.axes[0].collections if not hasattr(c, "levels")]
    assert [len(c.get_offsets()) for c in points] == [1, 1, 2]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c"]
    assert len({tuple(c.get_facecolor()[0]) for c in points}) == 3


def test_takes_jax_arrays_and_gives_float32_points():
    def predict(x):
        assert x.dtype == np.float32
        return jnp.asarray(two_halves(x))

    decision_boundary(predict, jnp.asarray(X, jnp.float32), jnp.asarray(Y, jnp.int32))


def test_points_on_one_spot_and_one_class_everywhere():
    decision_boundary(lambda x: np.tile([1.0, 0.0], (len(x), 1)), [[2.0, 2.0]], [0])


@pytest.mark.parametrize(
    ("predict", "x", "y", "error", "message"),
    [
        (two_halves, np.ones((3, 4)), Y, ShapeError, r"got points of shape \(3, 4\); expected shape \(n, 2\)"),
        (two_halves, np.ones((0, 2)), [], ShapeError, r"got points of shape \(0, 2\)"),
        (two_halves, X, [0, 1], ShapeError, "got 3 and 2 points and labels"),
        (two_halves, X, [0, 1, 2], DataError, "got label 2 at index 2; expected 0 to 1"),
        (lambda x: x[:, 0], X, Y, ShapeError, "predict gave shape"),
        (lambda x: x[:5], X, Y, ShapeError, "predict gave shape"),
        (lambda x: 3 * x, X, Y, ArgumentError, "put softmax after the model"),
    ],
)
def test_bad_input(predict, x, y, error, message):
    with pytest.raises(error, match=message):
        decision_boundary(predict, x, y)
