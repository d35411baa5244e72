"""Sensitivities: the numbers on which a solution depends most."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from argflux.errors import DataError
from argflux.keywords import explained
from argflux.plots.style import INK, colour, styled

MOST = 20


@explained
@styled
def sensitivity_bars(slopes: Mapping[str, Mapping[str, float]], *, of: str = "objective", title: str = "") -> Figure:
    """Draw the derivatives that are largest in size as bars, strongest on top.

    Args:
        slopes: derivatives by the name of the number, by block: `{"rhs": {"iron": 1.5}, "cost": …}`.
        of: what they are derivatives of.
        title: above the axes.

    Returns:
        A matplotlib Figure with the twenty largest that are not zero, coloured by block.

    Raises:
        DataError: for slopes of which none is a number.

    Example:
        >>> from argflux.plots import sensitivity_bars
        >>> figure = sensitivity_bars({"rhs": {"iron": 1.5}, "cost": {"oats": 0.0, "kale": 2.0}}, of="price")
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['kale', 'iron']
    """
    blocks = list(slopes)
    found = [(name, float(v), blocks.index(block)) for block in blocks for name, v in slopes[block].items()]
    found = sorted((row for row in found if np.isfinite(row[1])), key=lambda row: -abs(row[1]))[:MOST]
    found = [row for row in found if row[1]] or found[:1]
    if not found:
        raise DataError("no finite slopes", "at least one", "pass {block: {name: slope}}", where="sensitivity_bars")
    names, values, owners = zip(*found, strict=True)
    figure = Figure(figsize=(7.2, 1.4 + 0.3 * len(found)))
    axes = figure.add_subplot(title=title or f"What {of} depends on most", xlabel=f"change of {of} for one unit more")
    places = np.arange(len(found))
    axes.barh(places, values, color=[colour(owner) for owner in owners], height=0.7)
    axes.axvline(0.0, color=INK, linewidth=1.0)
    axes.set_yticks(places, [name if len(name) <= 24 else name[:23] + "…" for name in names])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    shown = [k for k in range(len(blocks)) if k in owners]
    axes.legend(handles=[Patch(color=colour(k), label=blocks[k]) for k in shown], loc="best", title="one unit more of")
    return figure
