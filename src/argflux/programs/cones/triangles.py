"""Symmetric matrices as vectors of their lower triangles, entries off the diagonal times √2."""

import functools
from typing import Any

import numpy as np


def triangle(k: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each entry of the lower triangle, column by column."""
    columns, rows = np.triu_indices(k)
    return rows, columns


@functools.cache
def places_of(k: int) -> np.ndarray:
    """Where each entry of a matrix lies in the vector of its lower triangle."""
    rows, columns = triangle(k)
    place = np.zeros((k, k), int)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return place


def matrix_of(v: Any, k: int) -> Any:
    """The symmetric matrix whose lower triangle a vector is."""
    rows, columns = triangle(k)
    weights = np.where(rows == columns, 1.0, np.sqrt(0.5))
    return (v * weights.astype(v.dtype))[..., places_of(k)]


def vector_of(M: Any) -> Any:
    """The lower triangle of a symmetric matrix as a vector."""
    rows, columns = triangle(M.shape[-1])
    weights = np.where(rows == columns, 1.0, np.sqrt(2.0))
    return M[..., rows, columns] * weights.astype(M.dtype)
