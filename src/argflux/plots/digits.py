"""Pictures of digits with what they are and what they were taken for."""

from collections.abc import Hashable, Sequence
from math import isqrt
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from argflux.errors import ArgumentError, DataError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Labels, Reals
from argflux.plots.checks import class_names, class_numbers, same_length
from argflux.plots.style import INK, MUTED, VERMILLION, styled


@explained
@styled
def digit_grid(
    images: Reals,
    labels: Labels,
    predictions: Labels = None,
    *,
    classes: Sequence[Hashable] | None = None,
    columns: int = 8,
    limit: int = 32,
    title: str = "",
) -> Figure:
    """Draw grey pictures in rows, each under its label; a wrong prediction follows the label, as in `3 → 5`.

    Args:
        images: shape (n, height, width), or (n, pixels) for square pictures; dark where the value is high.
        labels: true class numbers, shape (n,), integers.
        predictions: predicted class numbers, shape (n,), integers.
        classes: the names to write instead of the numbers.
        columns: pictures in a row.
        limit: draw only the first so many.
        title: above all pictures.

    Returns:
        A matplotlib Figure.

    Raises:
        ShapeError: for unequal lengths, or pixels that make no square.
        DataError: for no pictures.
        ArgumentError: for fewer than one column or picture.

    Example:
        >>> import numpy as np
        >>> from argflux.plots import digit_grid
        >>> figure = digit_grid(np.zeros((2, 64)), [3, 4], [3, 9])
        >>> [axes.get_title("center") for axes in figure.axes]
        ['3', '4 → 9']
    """
    if min(columns, limit) < 1:
        got = f"columns={columns}, limit={limit}"
        raise ArgumentError(got, "1 or more of both", "leave them out for 8 and 32", where="digit_grid")
    images = _pictures(images)
    count = None if classes is None else len(classes)
    labels = class_numbers(labels, count, "label", "digit_grid")
    predictions = labels if predictions is None else class_numbers(predictions, count, "prediction", "digit_grid")
    same_length(images, labels, "pictures and labels", "digit_grid")
    same_length(images, predictions, "pictures and predictions", "digit_grid")
    names = class_names(classes, 1 + max(labels.max(), predictions.max()) if count is None else count, "digit_grid")
    captions = [(names[true], names[guess]) for true, guess in zip(labels, predictions, strict=True)]
    return _draw(images[:limit], captions, columns, title)


def _draw(images: np.ndarray, captions: list[tuple[str, str]], columns: int, title: str) -> Figure:
    columns = min(columns, max(len(images), 4 if title else 1))
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(1.05 * columns + 0.2, 1.3 * rows + (0.5 if title else 0.1)))
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    for i, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(image, cmap="gray_r", interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set(visible=True, color=MUTED)
        true, guess = captions[i]
        text, ink = (true, INK) if true == guess else (f"{true} → {guess}", VERMILLION)
        axes.set_title(text, loc="center", fontsize=11, color=ink, pad=4)
    return figure


def _pictures(images: Any) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim == 2 and isqrt(images.shape[1]) ** 2 == images.shape[1]:
        side = isqrt(images.shape[1])
        images = images.reshape(-1, side, side)
    if images.ndim != 3:
        expected = "shape (n, height, width), or (n, pixels) with a square number of pixels"
        todo = "reshape them to (n, height, width)"
        raise ShapeError(f"pictures of shape {images.shape}", expected, todo, where="digit_grid")
    if not len(images):
        raise DataError("no pictures", "at least one", "check the filter that chose them", where="digit_grid")
    return images
