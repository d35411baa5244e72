"""What the figures require of labels, names and studies."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from argflux.errors import DataError, DtypeError, ShapeError
from argflux.kinds import having

Study = Annotated[Any, having("correlations", "a Study")]
Studies = Study | Mapping[str, Study]


def class_names(classes: Sequence[Hashable] | None, count: int, where: str) -> list[str]:
    """Return the names of so many classes, their numbers by default."""
    names = [str(name) for name in (range(count) if classes is None else classes)]
    if len(names) != count:
        got, todo = f"{len(names)} classes", "name each class once, in the order of the numbers"
        raise ShapeError(got, f"{count}", todo, where=where)
    return names


def class_numbers(labels: Any, count: int | None, what: str, where: str) -> np.ndarray:
    """Return labels as a NumPy vector of integers 0 to count-1, or raise."""
    labels = np.asarray(labels)
    if labels.ndim != 1:
        got, todo = f"{what} of shape {labels.shape}", "pass onecold(scores) for rows of scores"
        raise ShapeError(got, "one class number each, shape (n,)", todo, where=where)
    if not np.issubdtype(labels.dtype, np.integer):
        got, todo = f"{what} of dtype {labels.dtype.name}", "convert them with .astype(int)"
        raise DtypeError(got, "integer class numbers", todo, where=where)
    outside = np.flatnonzero((labels < 0) | (labels >= (np.inf if count is None else count)))
    if outside.size:
        got = f"{what} {labels[outside[0]]} at index {outside[0]}"
        expected = "0 or more" if count is None else f"0 to {count - 1}"
        raise DataError(got, expected, "number the classes from 0, one name for each", where=where)
    return labels


def in_the_plane(array: Any, what: str, todo: str, where: str) -> np.ndarray:
    """Return points of shape (n, 2), at least one, all of them finite, or raise."""
    points = np.asarray(array, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ShapeError(f"{what} of shape {points.shape}", "shape (n, 2)", todo, where=where)
    if not np.isfinite(points).all():
        raise DataError(f"{what} with a number that is not finite", "finite numbers", "drop those rows", where=where)
    return points


def same_length(first: np.ndarray, second: np.ndarray, names: str, where: str) -> None:
    """Raise unless two arrays have equally many rows, at least one."""
    if len(first) != len(second):
        got = f"{len(first)} and {len(second)} {names}"
        raise ShapeError(got, "equally many", "pass both for the same observations", where=where)
    if not len(first):
        raise DataError(f"no {names}", "at least one", "check the filter that chose them", where=where)
