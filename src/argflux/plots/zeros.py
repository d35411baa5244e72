"""Zeros of ReLU-like units: which part of each layer is dead, always on or in between, and zeros by class."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from matplotlib.figure import Figure

from argflux.errors import DataError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Reals, Row, having
from argflux.plots.style import BLUE, INK, colour, label_ends, styled, tint

ZeroCounts = Annotated[Any, having("per_unit", "what count_zeros returns")]


@explained
@styled
def zero_fractions(
    per_unit: ZeroCounts | Mapping[str, Reals], observations: int | None = None, *, title: str = ""
) -> Figure:
    """Draw for each layer how often its units are zero, from the unit that is zero least often to the one most.

    A flat end at 1 are dead units, a flat start at 0 units that are always on.

    Args:
        per_unit: the zeros of each unit by layer, a dict of arrays; or the result of `argflux.count_zeros`.
        observations: how many observations they were counted over; with a dict.
        title: above the axes; the part of all outputs that is zero by default.

    Returns:
        A matplotlib Figure.

    Raises:
        DataError: for no layers.
        ShapeError: for counts above the number of observations.

    Example:
        >>> from argflux.plots import zero_fractions
        >>> figure = zero_fractions({"hidden": [0, 5, 10], "output": [10, 10]}, observations=10)
        >>> figure.axes[0].get_title("left")
        '35 of 50 outputs are zero (70 %)'
    """
    observations = getattr(per_unit, "observations", observations)
    counts = {name: np.sort(np.ravel(units)) for name, units in getattr(per_unit, "per_unit", per_unit).items()}
    if not counts:
        raise DataError("no layers", "at least one", "pass what count_zeros returned", where="zero_fractions")
    largest = max(int(units.max(initial=0)) for units in counts.values())
    if observations is None or largest > observations:
        got, todo = f"{largest} zeros of a unit on {observations} observations", "pass observations="
        raise ShapeError(got, "no more zeros than observations", todo, where="zero_fractions")
    zeros, size = (sum(f(units) for units in counts.values()) for f in (np.sum, np.size))
    size *= observations
    figure = Figure(figsize=(7.2, 4.2))
    part = f"{zeros:,} of {size:,} outputs are zero ({zeros / size:.0%})".replace("%", " %")
    axes = figure.add_subplot(title=title or part, ylabel="part of the data on which a unit is zero")
    for i, units in enumerate(counts.values()):
        places = (np.arange(len(units)) + 0.5) / len(units)
        axes.plot(places, units / observations, color=colour(i), marker="o" if len(units) < 60 else "", ms=4)
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02), xlabel="units of a layer, in the order of their zeros")
    axes.set_xticks([0, 1], ["least", "most"])
    label_ends(axes, [units[-1] / observations for units in counts.values()], list(counts))
    return figure


@explained
@styled
def class_zeros(counts: Reals, sizes: Row, classes: Sequence[Hashable], *, title: str = "") -> Figure:
    """Draw on what part of each class every unit is zero.

    Args:
        counts: the zeros of each unit on each class, shape (classes, units).
        sizes: the number of observations of each class, shape (classes,).
        classes: the name of each class.
        title: above the axes.

    Returns:
        A matplotlib Figure; the darker a cell, the more often the unit is zero.

    Raises:
        ShapeError: for shapes that do not fit.

    Example:
        >>> from argflux.plots import class_zeros
        >>> figure = class_zeros([[0, 4], [6, 0]], [4, 6], ["cat", "dog"])
        >>> figure.axes[0].get_xlabel()
        'unit'
    """
    counts, sizes = np.asarray(counts, float), np.asarray(sizes, float)
    if counts.ndim != 2 or sizes.shape != counts.shape[:1] or len(classes) != len(counts):
        got = f"counts of shape {counts.shape}, {sizes.size} sizes and {len(classes)} classes"
        todo = "pass an entry of per_class and class_sizes of what count_zeros returned"
        raise ShapeError(got, "one row for each class", todo, where="class_zeros")
    parts = counts / np.maximum(sizes, 1)[:, None]
    figure = Figure(figsize=(min(max(1.8 + 0.42 * counts.shape[1], 4.6), 12), 1.6 + 0.34 * len(sizes)))
    axes = figure.add_subplot(
        title=title or "part of each class on which a unit is zero", xlabel="unit", ylabel="class"
    )
    axes.imshow(tint(BLUE, 0.9 * parts), aspect="auto", interpolation="nearest")
    axes.grid(False)
    axes.set_yticks(range(len(sizes)), [str(name) for name in classes])
    if counts.shape[1] <= 24:
        axes.set_xticks(range(counts.shape[1]))
        for (row, column), part in np.ndenumerate(parts):
            shade = "white" if part > 0.6 else INK
            axes.text(column, row, f"{100 * part:.0f}", ha="center", va="center", fontsize=10, color=shade)
    return figure
