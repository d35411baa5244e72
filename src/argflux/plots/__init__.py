"""Figures from arrays and records; every function returns a matplotlib Figure and touches no global state."""

from argflux.plots.boundary import decision_boundary
from argflux.plots.confusion import confusion, confusion_matrix
from argflux.plots.curves import loss_curve
from argflux.plots.digits import digit_grid
from argflux.plots.saving import save_figure

__all__ = [
    "confusion",
    "confusion_matrix",
    "decision_boundary",
    "digit_grid",
    "loss_curve",
    "save_figure",
]
