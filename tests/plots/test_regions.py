import numpy as np
import pytest

from argflux.errors import DataError, ShapeError
from argflux.plots import line_pieces, linear_regions

SQUARE = [[(0, 0), (2, 0), (0, 1)], [(2, 0), (2, 1), (0, 1)]]


class Record:
    polygons = SQUARE


def test_every_polygon_is_drawn_to_scale():
    figure = linear_regions(Record(), [[0.5, 0.5], [1.5, 0.5]], [0, 1])
    (axes,) = figure.axes
    drawn, points = axes.collections
    assert [len(path.vertices) - 1 for path in drawn.get_paths()] == [3, 3]
    assert axes.get_aspect() == 1
    assert (*axes.get_xlim(), *axes.get_ylim()) == (0, 2, 0, 1)
    assert len({tuple(c) for c in points.get_facecolor()}) == 2
    assert axes.get_title("left") == "2 linear regions"


def test_line_shows_outputs_and_breakpoints_by_layer():
    figure = line_pieces([0.0, 0.2, 0.6, 1.0], np.arange(8.0).reshape(4, 2), ["a", "b"], title="walk")
    upper, lower = figure.axes
    assert [line.get_xdata().tolist() for line in upper.get_lines()] == [[0.0, 0.2, 0.6, 1.0]] * 2
    assert [line.get_xdata().tolist() for line in lower.get_lines()] == [[0.2], [0.6]]
    assert [label.get_text() for label in lower.get_yticklabels()] == ["a  1", "b  1"]
    assert upper.get_title("left") == "walk"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: linear_regions([]), DataError, "linear_regions: got no polygons"),
        (lambda: linear_regions([[(0, 0, 0)]]), ShapeError, r"polygon of shape \(1, 3\); expected shape \(n, 2\)"),
        (lambda: linear_regions(SQUARE, [1.0, 2.0]), ShapeError, r"points of shape \(2,\)"),
        (lambda: line_pieces([0, 1], [0, 1, 2]), ShapeError, "expected n places, n outputs and n - 2 sites"),
        (lambda: line_pieces([0, 1], [0, 1], ["a"]), ShapeError, "1 sites"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
