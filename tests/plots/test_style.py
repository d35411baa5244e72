import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

import argflux.plots as plots
from argflux.plots.style import BLUE, PALETTE, _spread, colour, tint
from tests.plots.figures import FIGURES


def test_every_drawing_function_has_a_row():
    assert set(plots.__all__) - {"confusion_matrix", "save_figure", "study_page"} == set(FIGURES)


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_figure_is_one_and_leaves_the_users_settings_alone(draw):
    before = dict(matplotlib.rcParams)
    assert isinstance(draw(), Figure)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_style_does_not_depend_on_the_users_settings(draw):
    with matplotlib.rc_context({"font.size": 4, "text.color": "red", "axes.facecolor": "black"}):
        figure = draw()
    sizes = {text.get_fontsize() for text in figure.findobj(Text) if text.get_text()}
    assert min(sizes) >= 10


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_nothing_is_cut_off(draw):
    figure = draw()
    figure.draw_without_rendering()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(drawn.x0, drawn.y0) >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height


def test_pyplot_is_not_imported_and_the_backend_stays_unset():
    code = (
        "import sys; from tests.plots.figures import FIGURES; [draw() for draw in FIGURES.values()];"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_tint_runs_from_white_to_the_colour():
    assert tint(BLUE, np.array(0.0)).tolist() == [1, 1, 1]
    assert tint(BLUE, np.array(1.0)) == pytest.approx(to_rgb(BLUE))


def test_colours_repeat_after_the_palette():
    assert [colour(i) for i in range(11)] == [*PALETTE, BLUE]


def lab(colour):
    """The colour in CIE L*a*b*, where distances are as large as they look."""
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)])
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_colours_differ_from_each_other_and_from_paper():
    """Eight families, as in the study, have a colour each; a difference of 20 is seen at a glance."""
    colours = np.array([lab(each) for each in PALETTE])
    apart = np.linalg.norm(colours[:, None] - colours, axis=-1) + 1e3 * np.eye(len(PALETTE))
    assert len(PALETTE) >= 8
    assert apart.min() > 20
    assert colours[:, 0].max() < 75


@pytest.mark.parametrize("heights", [[0.5, 0.5, 0.5], [1.0, 0.99, 0.2], [0.1], [0.0, 0.01]])
def test_labels_are_moved_apart_in_their_order(heights):
    placed = _spread(np.array(heights), 0.1)
    order = np.argsort(heights, kind="stable")
    assert (np.diff(placed[order]) >= 0.1 - 1e-9).all()
    assert placed.max() <= 1.0
