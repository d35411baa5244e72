import numpy as np
import pytest

from argflux.errors import DataError
from argflux.patterns import Study
from argflux.plots import families_compared, forest_of_correlations, learning_curves, scatter_starts
from tests.patterns.studies import made_up

EMPTY = Study({"families": ["a"], "epochs": 1, "every": 1}, [])


def test_every_start_is_a_point_in_every_panel():
    study = made_up(10)
    figure = scatter_starts(study)
    assert [axes.get_xlabel() for axes in figure.axes] == ["zeros", "L_gen"]
    one, two = figure.axes[0].get_lines()[:2]
    np.testing.assert_array_equal(np.r_[one.get_xdata(), two.get_xdata()], study.measure("zeros"))
    np.testing.assert_array_equal(np.r_[one.get_ydata(), two.get_ydata()], study.outcome("test accuracy"))
    assert one.get_color() != two.get_color()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_panels_are_headed_by_both_correlations():
    study = made_up()
    within = next(e for e in study.correlations(within=True) if (e.measure, e.outcome) == ("zeros", "gap"))
    title = scatter_starts(study, ["zeros"], "gap").axes[0].get_title("left")
    assert title.startswith("all starts: ρ = ")
    low, high = within.spearman_interval
    assert f"within families: ρ = {within.spearman:+.2f} [{low:+.2f}, {high:+.2f}]" in title


def test_forest_fills_what_stands():
    figure = forest_of_correlations(made_up())
    assert [axes.get_title("left") for axes in figure.axes] == ["test accuracy", "gap", "epochs to level"]
    dots = [line for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    faces = {float(dot.get_xdata()[0]): dot.get_markerfacecolor() for dot in dots}
    assert faces[min(faces)] != "white"
    assert faces[max(faces)] == "white"


def test_forest_of_several_studies_names_each():
    figure = forest_of_correlations({"one": made_up(10), "two": made_up(10, seed=1)})
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "one: zeros", "one: L_gen", "two: zeros", "two: L_gen",
    ]  # fmt: skip


def test_families_show_their_means():
    study = made_up(10)
    axes = families_compared(study).axes[0]
    means = [float(line.get_xdata()[0]) for line in axes.get_lines() if line.get_marker() == "|"]
    outcome = study.outcome("test accuracy")
    assert means == pytest.approx([outcome[:10].mean(), outcome[10:].mean()])


def test_learning_curves_are_medians():
    study = made_up(11)
    curve = learning_curves(study).axes[0].get_lines()[0]
    np.testing.assert_allclose(curve.get_ydata(), np.median(study.curves[:11], axis=0))


@pytest.mark.parametrize("draw", [scatter_starts, families_compared, learning_curves, forest_of_correlations])
def test_nothing_to_draw(draw):
    with pytest.raises(DataError, match="expected"):
        draw(EMPTY)
