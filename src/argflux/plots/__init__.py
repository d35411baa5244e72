"""Figures from arrays and records; every function returns a matplotlib Figure and touches no global state."""

from argflux.plots.boundary import decision_boundary
from argflux.plots.confusion import confusion, confusion_matrix
from argflux.plots.curves import loss_curve
from argflux.plots.digits import digit_grid
from argflux.plots.regions import line_pieces, linear_regions
from argflux.plots.saving import save_figure
from argflux.plots.slopes import sensitivity_bars
from argflux.plots.starts import families_compared, forest_of_correlations, learning_curves, scatter_starts
from argflux.plots.study_page import study_page
from argflux.plots.zeros import class_zeros, zero_fractions

__all__ = [
    "class_zeros",
    "confusion",
    "confusion_matrix",
    "decision_boundary",
    "digit_grid",
    "families_compared",
    "forest_of_correlations",
    "learning_curves",
    "line_pieces",
    "linear_regions",
    "loss_curve",
    "save_figure",
    "scatter_starts",
    "sensitivity_bars",
    "study_page",
    "zero_fractions",
]
