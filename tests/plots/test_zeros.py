import numpy as np
import pytest

from argflux.errors import DataError, ShapeError
from argflux.plots import class_zeros, zero_fractions


class Record:
    observations = 4
    per_unit = {"hidden": np.array([[4, 0], [2, 1]]), "output": np.array([4, 4])}  # noqa: RUF012


def test_units_are_sorted_by_their_zeros():
    (axes,) = zero_fractions(Record()).axes
    hidden, output = axes.get_lines()
    assert hidden.get_ydata().tolist() == [0, 0.25, 0.5, 1]
    assert output.get_ydata().tolist() == [1, 1]
    assert axes.get_title("left") == "15 of 24 outputs are zero (62 %)"
    assert {text.get_text() for text in axes.texts} == {"hidden", "output"}


def test_cells_are_parts_of_classes():
    (axes,) = class_zeros([[0, 4], [6, 3]], [4, 6], ["cat", "dog"]).axes
    assert [text.get_text() for text in axes.texts] == ["0", "100", "100", "50"]
    image = np.asarray(axes.get_images()[0].get_array())
    assert image[0, 0].min() == 1
    assert image[1, 1].sum() > image[0, 1].sum()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: zero_fractions({}, 3), DataError, "zero_fractions: got no layers"),
        (lambda: zero_fractions({"a": [5]}, 3), ShapeError, "got 5 zeros of a unit on 3 observations"),
        (lambda: zero_fractions({"a": [5]}), ShapeError, "pass observations="),
        (lambda: class_zeros([[1, 2]], [4, 6], ["cat", "dog"]), ShapeError, r"counts of shape \(1, 2\), 2 sizes"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
