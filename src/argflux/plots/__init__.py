"""Figures from arrays and records; every function returns a matplotlib Figure and touches no global state."""

from argflux.plots.boundary import decision_boundary
from argflux.plots.confusion import confusion, confusion_matrix
from argflux.plots.curves import loss_curve
from argflux.plots.digits import digit_grid
from argflux.plots.saving import save_figure
from argflux.plots.starts import families_compared, forest_of_correlations, learning_curves, scatter_starts
from argflux.plots.study_page import study_page

__all__ = [
    "confusion",
    "confusion_matrix",
    "decision_boundary",
    "digit_grid",
    "families_compared",
    "forest_of_correlations",
    "learning_curves",
    "loss_curve",
    "save_figure",
    "scatter_starts",
    "study_page",
]
