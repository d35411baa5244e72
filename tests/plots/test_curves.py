from types import SimpleNamespace

import numpy as np
import pytest

from argflux.errors import DataError
from argflux.plots import loss_curve
from argflux.plots.curves import _running_mean
from argflux.plots.style import PALETTE


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("losses", [[3.0, 2.0, 1.5], SimpleNamespace(losses=np.array([3.0, 2.0, 1.5]))])
def test_one_run_is_drawn_from_step_1_with_its_last_value(losses):
    figure = loss_curve(losses, title="digits")
    (line,) = figure.axes[0].get_lines()
    assert line.get_xydata().tolist() == [[1, 3.0], [2, 2.0], [3, 1.5]]
    assert texts(figure) == ["1.5"]
    assert figure.axes[0].get_title("left") == "digits"


def test_runs_are_named_in_their_colours():
    figure = loss_curve({"slow": [2.0, 1.5], "fast": [2.0, 0.5]})
    assert texts(figure) == ["slow  1.5", "fast  0.5"]
    labels, lines = figure.axes[0].texts, figure.axes[0].get_lines()
    assert [t.get_color() for t in labels] == [line.get_color() for line in lines] == list(PALETTE[:2])


@pytest.mark.parametrize(("losses", "scale"), [([10.0, 0.1], "log"), ([2.0, 1.0], "linear"), ([9.0, 0.0], "linear")])
def test_scale_is_logarithmic_for_a_wide_positive_range(losses, scale):
    assert loss_curve(losses).axes[0].get_yscale() == scale


def test_long_run_shows_single_steps_and_their_mean():
    figure = loss_curve(np.tile([1.0, 3.0], 500))
    faint, mean = figure.axes[0].get_lines()
    assert faint.get_alpha() < 0.5
    assert mean.get_ydata()[-1] == 2.0
    assert figure.axes[0].get_xlabel() == "step   (bold: mean of 20)"


def test_running_mean_leaves_gaps_out():
    run = np.array([1.0, np.nan, 3.0, 5.0])
    np.testing.assert_allclose(_running_mean(run, 2), [1, 1, 3, 4])
    np.testing.assert_allclose(_running_mean(run, 1), run)


def test_the_mean_does_not_lag_behind_a_steep_start():
    run = 100.0 - np.arange(1000.0)
    np.testing.assert_allclose(_running_mean(run, 20)[:985], run[:985], atol=0.5)
    assert _running_mean(run, 20)[0] == run[0]


def test_diverged_run_is_drawn_up_to_its_end():
    assert texts(loss_curve([1.0, 50.0, np.inf, np.nan])) == ["50"]


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([], "loss_curve: got no losses; expected at least one finite loss; train for at least one step"),
        ({}, "loss_curve: got no runs"),
        ({"a": [1.0], "b": [np.nan]}, r"loss_curve\['b'\]: got 1 losses, none of them finite"),
    ],
)
def test_nothing_to_draw(losses, message):
    with pytest.raises(DataError, match=message):
        loss_curve(losses)
