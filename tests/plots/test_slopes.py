import numpy as np
import pytest

from argflux.errors import DataError
from argflux.plots import sensitivity_bars
from argflux.plots.style import PALETTE

SLOPES = {"rhs": {"iron": -1.5, "none": 0.0}, "cost": {"oats": 0.5, "a name of more than twenty-four letters": 2.0}}


def test_bars_are_in_order_and_in_the_colour_of_their_block():
    axes = sensitivity_bars(SLOPES, of="price").axes[0]
    assert [bar.get_width() for bar in axes.patches] == [2.0, -1.5, 0.5]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a name of more than twe…", "iron", "oats"]
    rgb = [tuple(int(hexes[i : i + 2], 16) / 255 for i in (1, 3, 5)) for hexes in (PALETTE[1], PALETTE[0], PALETTE[1])]
    np.testing.assert_allclose([bar.get_facecolor()[:3] for bar in axes.patches], rgb)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["rhs", "cost"]
    assert (axes.get_title("left"), axes.get_xlabel()) == (
        "What price depends on most",
        "change of price for one unit more",
    )


def test_the_twenty_largest_are_drawn():
    axes = sensitivity_bars({"rhs": {f"r{k}": float(k) for k in range(100)}}).axes[0]
    assert [bar.get_width() for bar in axes.patches] == list(range(99, 79, -1))


def test_all_zero_and_nothing():
    assert len(sensitivity_bars({"rhs": {"a": 0.0, "b": 0.0}}).axes[0].patches) == 1
    for slopes in ({}, {"rhs": {}}, {"rhs": {"a": np.nan}}):
        with pytest.raises(DataError, match="no finite slopes"):
            sensitivity_bars(slopes)
