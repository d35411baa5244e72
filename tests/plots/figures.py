"""One small figure of every kind, for the tests that hold for all of them."""

import numpy as np

from argflux.plots import confusion, decision_boundary, digit_grid, loss_curve


def two_halves(x):
    right = 1 / (1 + np.exp(-4 * x[:, 0]))
    return np.stack([1 - right, right], axis=1)


FIGURES = {
    "loss_curve": lambda: loss_curve({"ReLU": [2.0, 1.0, 0.05], "ReLU as a QP": [2.0, 1.1, 0.051]}),
    "confusion": lambda: confusion([0, 0, 1, 2], [0, 1, 1, 2], ["cat", "dog", "elephant"], title="animals"),
    "decision_boundary": lambda: decision_boundary(two_halves, [[-1.0, 0.0], [1.0, 0.5]], [0, 1], title="half"),
    "digit_grid": lambda: digit_grid(np.eye(64)[:11], np.arange(11) % 10, np.arange(11) % 7, title="pictures"),
}
