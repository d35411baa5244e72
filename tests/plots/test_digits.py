import numpy as np
import pytest

from argflux.errors import ArgumentError, DataError, ShapeError
from argflux.plots import digit_grid
from argflux.plots.style import VERMILLION

IMAGES = np.arange(5 * 64).reshape(5, 64) / 320


def captions(figure):
    return [axes.get_title("center") for axes in figure.axes]


def test_wrong_predictions_follow_the_label_in_colour():
    figure = digit_grid(IMAGES, [0, 1, 2, 3, 4], [0, 1, 2, 8, 4])
    assert captions(figure) == ["0", "1", "2", "3 → 8", "4"]
    assert [axes.title.get_color() == VERMILLION for axes in figure.axes] == [False] * 3 + [True, False]


@pytest.mark.parametrize("shape", [(5, 64), (5, 8, 8)])
def test_pictures_are_drawn_upright(shape):
    figure = digit_grid(IMAGES.reshape(shape), [0] * 5)
    drawn = np.asarray(figure.axes[2].get_images()[0].get_array())
    np.testing.assert_array_equal(drawn, IMAGES[2].reshape(8, 8))


def test_oblong_pictures_and_names():
    figure = digit_grid(np.zeros((2, 4, 6)), [0, 1], [1, 1], classes=["cat", "dog"])
    assert captions(figure) == ["cat → dog", "dog"]


def test_limit_and_columns():
    figure = digit_grid(IMAGES, [0] * 5, columns=2, limit=3)
    assert len(figure.axes) == 3
    assert figure.axes[2].get_subplotspec().rowspan.start == 1


@pytest.mark.parametrize(
    ("images", "labels", "options", "error", "message"),
    [
        (np.zeros((2, 63)), [0, 0], {}, ShapeError, r"got pictures of shape \(2, 63\).*square"),
        (np.zeros((0, 64)), [], {}, DataError, "got no pictures"),
        (IMAGES, [0], {}, ShapeError, "got 5 and 1 pictures and labels"),
        (IMAGES, [0] * 5, {"predictions": [0]}, ShapeError, "got 5 and 1 pictures and predictions"),
        (IMAGES, [0, 1, 2, 0, 0], {"classes": "ab"}, DataError, "got label 2 at index 2"),
        (IMAGES, [0] * 5, {"columns": 0}, ArgumentError, "columns=0"),
    ],
)
def test_bad_input(images, labels, options, error, message):
    with pytest.raises(error, match=message):
        digit_grid(images, labels, **options)
