"""Confusion: which class was taken for which."""

from collections.abc import Hashable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argflux.errors import DataError
from argflux.keywords import explained
from argflux.kinds import Labels
from argflux.plots.checks import class_numbers, same_length
from argflux.plots.style import BLUE, INK, VERMILLION, styled, tint


@explained
def confusion_matrix(labels: Labels, predictions: Labels, count: int) -> np.ndarray:
    """Count the pairs of true and predicted class.

    Args:
        labels: true class numbers, shape (n,), integers 0 to count-1.
        predictions: predicted class numbers, the same shape.
        count: number of classes.

    Returns:
        Counts of shape (count, count), int64; a row is a true class, a column a predicted one.

    Raises:
        ShapeError: for unequal lengths.
        DtypeError: for labels that are not integers.
        DataError: for a label outside the classes, or none at all.

    Example:
        >>> from argflux.plots import confusion_matrix
        >>> confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], 2).tolist()
        [[1, 1], [0, 2]]
    """
    labels = class_numbers(labels, count, "label", "confusion")
    predictions = class_numbers(predictions, count, "prediction", "confusion")
    same_length(labels, predictions, "labels and predictions", "confusion")
    return np.bincount(labels * count + predictions, minlength=count * count).reshape(count, count)


@explained
@styled
def confusion(labels: Labels, predictions: Labels, classes: Sequence[Hashable], *, title: str = "") -> Figure:
    """Draw how often each class was taken for each, with the part of every class that was found.

    Right answers lie on the diagonal in blue, by the part of the class. Mistakes are vermillion, by their
    number, so that a few of them stay visible beside thousands of right answers.

    Args:
        labels: true class numbers, shape (n,), integers.
        predictions: predicted class numbers, shape (n,), integers.
        classes: the name of every class, in the order of the numbers.
        title: above the axes; the accuracy by default.

    Returns:
        A matplotlib Figure.

    Raises:
        ShapeError: for unequal lengths.
        DtypeError: for labels that are not integers.
        DataError: for a label outside the classes, or none at all.

    Example:
        >>> from argflux.plots import confusion
        >>> figure = confusion([0, 0, 1, 1], [0, 1, 1, 1], ["cat", "dog"])
        >>> figure.axes[0].get_title("left")
        '75.0 % right, 1 mistake in 4'
    """
    if not len(classes):
        raise DataError("no classes", "at least one name", "pass the names of the classes", where="confusion")
    counts = confusion_matrix(labels, predictions, len(classes))
    side = 1.9 + 0.52 * len(classes)
    figure = Figure(figsize=(max(side + 0.6, 4.6), max(side, 3.8)))
    axes = figure.add_subplot(title=title or _summary(counts))
    axes.imshow(_colours(counts))
    _write_counts(axes, counts)
    _name_axes(axes, counts, [str(name) for name in classes])
    return figure


def _summary(counts: np.ndarray) -> str:
    total, wrong = counts.sum(), counts.sum() - np.trace(counts)
    mistakes = "1 mistake" if wrong == 1 else f"{wrong:,} mistakes"
    return f"{1 - wrong / total:.1%} right, {mistakes} in {total:,}".replace("%", " %")


def _recall(counts: np.ndarray) -> np.ndarray:
    totals = counts.sum(axis=1)
    return np.divide(np.diag(counts), totals, out=np.full(len(totals), np.nan), where=totals > 0)


def _colours(counts: np.ndarray) -> np.ndarray:
    mistakes = counts - np.diag(np.diag(counts))
    strength = np.where(mistakes > 0, 0.15 + 0.6 * mistakes / max(mistakes.max(), 1), 0.0)
    colours = tint(VERMILLION, strength)
    index = np.arange(len(counts))
    colours[index, index] = tint(BLUE, 0.1 + 0.8 * np.nan_to_num(_recall(counts)))
    return colours


def _write_counts(axes: Axes, counts: np.ndarray) -> None:
    size = 11 if counts.max() < 10_000 else 8
    for row, column in np.argwhere((counts > 0) | np.eye(len(counts), dtype=bool)):
        right = row == column
        axes.text(
            column,
            row,
            f"{counts[row, column]}",
            ha="center",
            va="center",
            fontsize=size,
            color="white" if right and _recall(counts)[row] > 0.6 else INK,
        )


def _name_axes(axes: Axes, counts: np.ndarray, names: list[str]) -> None:
    ticks = range(len(names))
    turned = {"rotation": 45, "ha": "right"} if max(map(len, names)) > 5 else {}
    axes.set_xticks(ticks, names, **turned)
    axes.set_yticks(ticks, names)
    axes.set(xlabel="predicted", ylabel="true")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(names) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    _write_recall(axes, counts)


def _write_recall(axes: Axes, counts: np.ndarray) -> None:
    found = axes.secondary_yaxis("right")
    percent = ["–" if np.isnan(part) else f"{part:.0%}".replace("%", " %") for part in _recall(counts)]
    found.set_yticks(range(len(counts)), percent)
    found.set_ylabel("found")
    found.tick_params(length=0)
    found.spines[:].set_visible(False)
