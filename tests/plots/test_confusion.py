import numpy as np
import pytest

from argflux.errors import DataError, DtypeError, ShapeError
from argflux.plots import confusion, confusion_matrix


def test_rows_are_true_and_columns_predicted():
    counts = confusion_matrix([0, 0, 0, 1, 2], [0, 2, 2, 1, 2], 4)
    assert counts.tolist() == [[1, 0, 2, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_cells_show_counts_and_the_side_shows_recall():
    figure = confusion([0, 0, 0, 0, 1], [0, 0, 0, 1, 1], ["cat", "dog", "emu"])
    (axes,) = figure.axes
    cells = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "3", (1, 0): "1", (1, 1): "1", (2, 2): "0"}
    (side,) = axes.child_axes
    assert [label.get_text() for label in side.get_yticklabels()] == ["75 %", "100 %", "–"]
    assert axes.get_title("left") == "80.0 % right, 1 mistake in 5"


def test_a_single_mistake_has_a_colour_of_its_own():
    labels = np.repeat([0, 1], 5000)
    predictions = labels.copy()
    predictions[0] = 1
    (image,) = confusion(labels, predictions, "ab").axes[0].get_images()
    colours = np.asarray(image.get_array())
    assert np.abs(colours[0, 1] - colours[1, 0]).max() > 0.3
    assert colours[1, 0].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("labels", "predictions", "classes", "error", "message"),
    [
        ([0, 3], [0, 1], "abc", DataError, "got label 3 at index 1; expected 0 to 2"),
        ([0, 1], [0, -1], "abc", DataError, "got prediction -1 at index 1; expected 0 to 2"),
        ([0, 1], [0], "abc", ShapeError, "got 2 and 1 labels and predictions; expected equally many"),
        ([0.0, 1.0], [0, 1], "abc", DtypeError, "got label of dtype float64; expected integer"),
        ([0, 1], np.eye(2, dtype=int), "abc", ShapeError, r"got prediction of shape \(2, 2\).*onecold"),
        (np.array([], int), np.array([], int), "abc", DataError, "got no labels and predictions"),
        ([0], [0], "", DataError, "got no classes"),
    ],
)
def test_bad_labels(labels, predictions, classes, error, message):
    with pytest.raises(error, match=message):
        confusion(labels, predictions, classes)
