"""The decision boundary of a classifier of points in the plane."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Labels, Reals, fits, shortened
from argflux.plots.checks import class_names, class_numbers, in_the_plane, same_length
from argflux.plots.style import INK, colour, styled, tint

CELLS = 240  # along the longer side


@explained
@styled
def decision_boundary(
    predict: Callable[[np.ndarray], Any],
    x: Reals,
    y: Labels,
    classes: Sequence[Hashable] | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draw the probabilities that a classifier gives to the points of the plane, and the data on top.

    A place has the colour of its most likely class, the paler the less certain. Lines are where the class
    changes.

    Args:
        predict: takes points of shape (m, 2), float32, and gives probabilities of shape (m, k), rows that sum
            to 1, such as `lambda x: softmax(model(x))`.
        x: the points of the data, shape (n, 2).
        y: their class numbers, shape (n,), integers.
        classes: the names of the classes, for the legend.
        title: above the axes.

    Returns:
        A matplotlib Figure with equal scales on both axes.

    Raises:
        ShapeError: for points that are not in the plane, or probabilities of another shape.
        ArgumentError: when `predict` gives logits instead of probabilities.
        DataError: for a label outside the classes.

    Example:
        >>> import numpy as np
        >>> from argflux.plots import decision_boundary
        >>> def predict(x):
        ...     right = 1 / (1 + np.exp(-4 * x[:, 0]))
        ...     return np.stack([1 - right, right], axis=1)
        >>> figure = decision_boundary(predict, [[-1.0, 0.0], [1.0, 0.5]], [0, 1], ["left", "right"])
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['left', 'right']
    """
    x = in_the_plane(x, "points", "choose two columns of the data", "decision_boundary").astype(np.float32)
    ticks = _ticks(x)
    probabilities = _probabilities(predict, ticks)
    count = probabilities.shape[-1]
    y = class_numbers(y, count, "label", "decision_boundary")
    names = class_names(classes, count, "decision_boundary")
    same_length(x, y, "points and labels", "decision_boundary")
    width, height = (side[-1] - side[0] for side in ticks)
    figure = Figure(figsize=(6.4, min(max(6.4 * height / width, 3.0), 9.0) + 0.9))
    axes = figure.add_subplot(title=title, xlabel="x₁", ylabel="x₂", aspect="equal")
    axes.grid(False)
    _draw_field(axes, ticks, probabilities)
    _draw_points(axes, x, y, names)
    figure.legend(loc="outside lower center", ncols=min(count, 6), handletextpad=0.1)
    return figure


def _ticks(x: np.ndarray) -> list[np.ndarray]:
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.08 * max(float((high - low).max()), 1e-3)
    spans = high - low + 2 * margin
    cells = np.maximum(np.ceil(CELLS * spans / spans.max()).astype(int), 2)
    bounds = zip(low - margin, high + margin, cells, strict=True)
    return [np.linspace(*bound, dtype=np.float32) for bound in bounds]


def _probabilities(predict: Callable, ticks: list[np.ndarray]) -> np.ndarray:
    columns, rows = np.meshgrid(*ticks)
    points = np.stack([columns.ravel(), rows.ravel()], axis=1)
    given = predict(points)
    if not fits(given, Reals):
        got, todo = f"predict gave {shortened(given)}", "pass a model with softmax behind it"
        raise DtypeError(got, "an array of probabilities", todo, where="decision_boundary")
    values = np.asarray(given, dtype=float)
    if values.ndim != 2 or len(values) != len(points) or values.shape[1] < 2:
        got, expected = (
            f"predict gave shape {values.shape}",
            f"probabilities of shape ({len(points)}, k), k >= 2",
        )
        raise ShapeError(got, expected, "give one column a class", where="decision_boundary")
    if values.min() < -1e-3 or not np.allclose(values.sum(axis=1), 1, atol=1e-3):
        got = f"predict gave a row that sums to {values.sum(axis=1)[0]:.3g}"
        raise ArgumentError(got, "probabilities", "put softmax after the model", where="decision_boundary")
    return values.reshape(*columns.shape, -1)


def _draw_field(axes: Axes, ticks: list[np.ndarray], probabilities: np.ndarray) -> None:
    count = probabilities.shape[-1]
    winner = probabilities.argmax(axis=-1)
    certainty = (probabilities.max(axis=-1) - 1 / count) / (1 - 1 / count)
    tints = np.stack([tint(colour(k), 0.55 * certainty) for k in range(count)])
    field = np.take_along_axis(tints, winner[None, ..., None], axis=0)[0]
    (left, right), (bottom, top) = ((side[0], side[-1]) for side in ticks)
    axes.imshow(field, origin="lower", extent=(left, right, bottom, top), interpolation="bilinear")
    for k in range(count if count > 2 else 1):
        lead = probabilities[..., k] - np.delete(probabilities, k, axis=-1).max(axis=-1)
        if lead.min() < 0 < lead.max():
            axes.contour(*ticks, lead, levels=[0], colors=INK, linewidths=1.5)


def _draw_points(axes: Axes, x: np.ndarray, y: np.ndarray, names: list[str]) -> None:
    for k, name in enumerate(names):
        shape = "os^Dv<>"[k % 7]
        axes.scatter(*x[y == k].T, s=26, c=colour(k), marker=shape, edgecolors="white", linewidths=0.7, label=name)
