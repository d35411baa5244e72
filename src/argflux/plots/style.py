"""The one style of all figures: colours, sizes, grid. Imports only matplotlib and NumPy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY = "#CC79A7", "#56B4E9"
BROWN, VIOLET, OLIVE, GREY = "#6B3E26", "#5B2A86", "#7D8A00", "#8A8A8A"
PALETTE = (  # the first six by Okabe and Ito (2008), told apart by all eyes; the others differ in lightness too
    BLUE,
    VERMILLION,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    BROWN,
    VIOLET,
    OLIVE,
    GREY,
)
INK, MUTED, GRID = "#222222", "#666666", "#DDDDDD"

RC: dict[Any, Any] = {
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
}

styled = rc_context(RC)  # a decorator: the function draws in this style, whatever the user's settings are


def colour(index: int) -> str:
    """Return the colour of the series or class of that number; they repeat after the tenth."""
    return PALETTE[index % len(PALETTE)]


def tint(base: str, strength: np.ndarray) -> np.ndarray:
    """Mix a colour into white: strength 0 is white, 1 the colour; shape (...) gives RGB of shape (..., 3)."""
    return 1 - np.asarray(strength, dtype=float)[..., None] * (1 - np.array(to_rgb(base)))


def label_ends(axes: Axes, heights: Sequence[float], texts: Sequence[str]) -> None:
    """Write each series' name in its colour right of its last point, moved apart where they would overlap.

    Call it when the axes have their final limits and scale.
    """
    to_fraction = axes.transData + axes.transAxes.inverted()
    wanted = np.array([to_fraction.transform((1.0, height))[1] for height in heights])
    gap = 0.065
    for index, height in enumerate(_spread(np.clip(wanted, 0, 1), gap)):
        axes.annotate(
            texts[index],
            (1, height),
            xycoords="axes fraction",
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour(index),
            fontweight="bold",
            annotation_clip=False,
        )


def _spread(heights: np.ndarray, gap: float) -> np.ndarray:
    order = np.argsort(heights, kind="stable")
    placed = heights[order].copy()
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + gap)
    placed[-1] = min(placed[-1], 1.0)
    for i in range(len(placed) - 1, 0, -1):
        placed[i - 1] = min(placed[i - 1], placed[i] - gap)
    return placed[np.argsort(order, kind="stable")]
