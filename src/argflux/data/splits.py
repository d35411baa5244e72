"""Observations divided into parts: once, or into folds."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from argflux.data.arguments import check_integer
from argflux.data.observations import count_observations, take
from argflux.errors import ArgumentError, DataError
from argflux.keywords import explained


@explained
def splitobs(data: Any, at: float | Sequence[float] = 0.7, *, shuffle: bool = False, seed: int = 0) -> tuple[Any, ...]:
    """Divide the observations of a tree of arrays into two or more parts.

    Args:
        data: an array or tree of arrays, the observations along the first axis.
        at: the fraction in the first part, or the fractions in all parts but the last.
        shuffle: whether to draw the parts at random; sorted data need it.
        seed: the same seed draws the same parts.

    Returns:
        A tuple of trees like `data`, one a part; together they hold every observation once.

    Raises:
        ArgumentError: for fractions outside 0 to 1, or that leave nothing for the last part.
        DataError: for data too small for a part, empty, or with arrays of different lengths.

    Example:
        >>> import numpy as np
        >>> from argflux.data import splitobs
        >>> train, test = splitobs((np.arange(10), np.arange(10) ** 2), at=0.7)
        >>> test[0].tolist(), test[1].tolist()
        ([7, 8, 9], [49, 64, 81])
        >>> [len(part) for part in splitobs(np.arange(10), at=(0.5, 0.3))]
        [5, 3, 2]
    """
    nobs = count_observations(data, "splitobs")
    fractions = _fractions(at)
    cuts = [round(nobs * total) for total in np.cumsum(fractions)]
    parts = np.split(_order(nobs, shuffle, seed, "splitobs"), cuts)
    if not all(part.size for part in parts):
        sizes = " + ".join(str(part.size) for part in parts)
        got, todo = f"{nobs} observations split into {sizes}", "move the cut or bring more data"
        raise DataError(got, "at least one observation in every part", todo, where="splitobs")
    return tuple(take(data, part) for part in parts)


@explained
def kfolds(data: Any, k: int = 5, *, shuffle: bool = False, seed: int = 0) -> Iterator[tuple[Any, Any]]:
    """Go through k divisions of the data, each with another k-th of the observations held out.

    Args:
        data: an array or tree of arrays, or a number n, which stands for the indices 0 to n-1.
        k: number of folds, at least 2.
        shuffle: whether to draw the folds at random; sorted data need it.
        seed: the same seed draws the same folds.

    Returns:
        An iterator over k pairs `(train, validation)` of trees like `data`. Fold sizes differ by one at most.

    Raises:
        ArgumentError: for fewer than 2 folds.
        DataError: for fewer observations than folds, or for arrays of different lengths.

    Example:
        >>> from argflux.data import kfolds
        >>> for train, validation in kfolds(5, k=2):
        ...     print(train, validation)
        [3 4] [0 1 2]
        [0 1 2] [3 4]
    """
    k = check_integer(k, 2, "k", "kfolds")
    if isinstance(data, int):
        data = np.arange(check_integer(data, 1, "data", "kfolds"), dtype=np.int32)
    nobs = count_observations(data, "kfolds")
    if nobs < k:
        got, todo = f"{nobs} observations for {k} folds", f"pass k={nobs} or fewer"
        raise DataError(got, f"at least {k}", todo, where="kfolds")
    folds = np.array_split(_order(nobs, shuffle, seed, "kfolds"), k)
    return ((take(data, np.concatenate(folds[:i] + folds[i + 1 :])), take(data, folds[i])) for i in range(k))


def _fractions(at: float | Sequence[float]) -> list[float]:
    fractions = np.atleast_1d(np.asarray(at, dtype=float)).tolist()
    if fractions and all(0 < part < 1 for part in fractions) and sum(fractions) < 1 - 1e-9:
        return fractions
    raise ArgumentError(
        f"at={at!r}",
        "fractions between 0 and 1 that leave a rest for the last part",
        "pass at=0.7, or at=(0.6, 0.2) for three parts",
        where="splitobs",
    )


def _order(nobs: int, shuffle: bool, seed: int, where: str) -> np.ndarray:
    if not shuffle:
        return np.arange(nobs)
    return np.random.default_rng(check_integer(seed, 0, "seed", where)).permutation(nobs)
