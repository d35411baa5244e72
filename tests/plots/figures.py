"""One small figure of every kind, for the tests that hold for all of them."""

import numpy as np

from argflux.plots import (
    class_zeros,
    confusion,
    decision_boundary,
    digit_grid,
    families_compared,
    forest_of_correlations,
    learning_curves,
    line_pieces,
    linear_regions,
    loss_curve,
    scatter_starts,
    sensitivity_bars,
    zero_fractions,
)
from tests.patterns.studies import made_up


def two_halves(x):
    right = 1 / (1 + np.exp(-4 * x[:, 0]))
    return np.stack([1 - right, right], axis=1)


FIGURES = {
    "loss_curve": lambda: loss_curve({"ReLU": [2.0, 1.0, 0.05], "ReLU as a QP": [2.0, 1.1, 0.051]}),
    "confusion": lambda: confusion([0, 0, 1, 2], [0, 1, 1, 2], ["cat", "dog", "elephant"], title="animals"),
    "decision_boundary": lambda: decision_boundary(two_halves, [[-1.0, 0.0], [1.0, 0.5]], [0, 1], title="half"),
    "digit_grid": lambda: digit_grid(np.eye(64)[:11], np.arange(11) % 10, np.arange(11) % 7, title="pictures"),
    "zero_fractions": lambda: zero_fractions({"hidden": [4, 0, 2, 1], "output": [4, 4]}, 4, title="zeros"),
    "sensitivity_bars": lambda: sensitivity_bars({"rhs": {"iron": 1.5}, "cost": {"oats": -0.5}}, title="price"),
    "class_zeros": lambda: class_zeros([[0, 4], [6, 3]], [4, 6], ["cat", "dog"], title="zeros by class"),
    "linear_regions": lambda: linear_regions([[(0, 0), (2, 0), (0, 1)], [(2, 0), (2, 1), (0, 1)]], title="plane"),
    "line_pieces": lambda: line_pieces([0.0, 0.2, 0.6, 1.0], np.arange(8.0).reshape(4, 2), ["a", "b"], title="line"),
    "scatter_starts": lambda: scatter_starts(made_up(10)),
    "forest_of_correlations": lambda: forest_of_correlations(made_up(10)),
    "families_compared": lambda: families_compared(made_up(10)),
    "learning_curves": lambda: learning_curves(made_up(10)),
}
