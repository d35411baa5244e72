"""Observations: the rows that every array of a tree has in common."""

from typing import Any

import jax
import numpy as np

from argflux.errors import DataError, DtypeError
from argflux.keywords import explained
from argflux.tree import is_array, is_differentiable, named_leaves


def count_observations(data: Any, where: str) -> int:
    """Return the length of the first axis that all arrays of a tree share, or say which leaf differs."""
    leaves = [(name or "data", leaf) for name, leaf in named_leaves(data)]
    if not leaves:
        raise DataError("no arrays", "at least one array", "pass an array or a tuple of arrays", where=where)
    for name, leaf in leaves:
        _check_has_rows(name, leaf, where)
    first, nobs = leaves[0][0], leaves[0][1].shape[0]
    for name, leaf in leaves:
        if leaf.shape[0] != nobs:
            raise DataError(
                f"{leaf.shape[0]} observations in {name} of shape {leaf.shape} and {nobs} in {first}",
                "the same length along the first axis of every array",
                "put the batch first, and one row a label",
                where=where,
            )
    if nobs == 0:
        raise DataError("0 observations", "at least one", "check the filter or the file before this", where=where)
    return nobs


def _check_has_rows(name: str, leaf: Any, where: str) -> None:
    if not is_array(leaf):
        got, todo = f"{type(leaf).__name__} at {name}", "convert lists and numbers with numpy.asarray first"
        raise DtypeError(got, "only arrays in the tree", todo, where=where)
    if leaf.ndim == 0:
        got = f"a scalar array at {name}"
        raise DataError(got, "an axis of observations", "reshape it to (n, ...), the batch first", where=where)


def take(data: Any, index: np.ndarray) -> Any:
    """Return the same tree with the rows of `index` only; NumPy arrays stay NumPy, JAX arrays stay JAX."""
    return jax.tree.map(lambda leaf: leaf[index], data)


@explained
def check_data(*data: Any) -> None:
    """Check that data can be learned from: equally many rows everywhere, at least one, all numbers finite.

    Args:
        *data: arrays or trees of arrays, the batch first.

    Raises:
        DataError: for NaN or infinite values (how many, and where the first one is), for arrays of different
            lengths, and for no observations at all.
        DtypeError: for a leaf that is no array.

    Example:
        >>> import numpy as np
        >>> from argflux.data import check_data
        >>> check_data(np.ones((2, 3)), np.array([0, 1]))
    """
    tree = data[0] if len(data) == 1 else data
    count_observations(tree, "check_data")
    for name, leaf in named_leaves(tree):
        if is_differentiable(leaf):
            _check_finite(name or "data", np.asarray(leaf))


def _check_finite(name: str, leaf: np.ndarray) -> None:
    finite = np.isfinite(leaf)
    if finite.all():
        return
    first = tuple(int(i) for i in np.argwhere(~finite)[0])
    nans, infinite = int(np.isnan(leaf).sum()), int(np.isinf(leaf).sum())
    raise DataError(
        f"{nans} NaN and {infinite} infinite values among {leaf.size}, the first at {name}{list(first)}",
        "finite numbers only",
        "drop or fill those rows",
        where="check_data",
    )
