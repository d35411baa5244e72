"""Batches of observations, shuffled anew in every epoch."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from argflux.data.arguments import check_integer
from argflux.data.observations import count_observations, take
from argflux.errors import DataError
from argflux.keywords import explained


@explained
class DataLoader:
    """Goes through the observations of a tree of arrays in batches, once an iteration.

    The order of an epoch depends on `seed` and the number of the epoch only, so `order(k)` tells it without
    running the epochs before. Starting an iteration uses up one epoch and advances `epoch`.

    Args:
        data: an array, or a tuple, Dataset or other tree of arrays, the observations along the first axis.
        batchsize: number of observations in a batch.
        shuffle: whether every epoch has its own random order.
        partial: whether to yield the last batch when it is smaller than `batchsize`.
        seed: the same seed gives the same orders.

    Raises:
        DataError: for arrays of different lengths (naming the leaf), no observations, or not one whole batch.
        ArgumentError: for a batch size below 1 or a negative seed.
        DtypeError: for a leaf that is no array.

    Example:
        >>> import numpy as np
        >>> from argflux.data import DataLoader
        >>> loader = DataLoader((np.arange(10).reshape(5, 2), np.arange(5)), batchsize=2)
        >>> [(x.shape, y.tolist()) for x, y in loader]
        [((2, 2), [0, 1]), ((2, 2), [2, 3]), ((1, 2), [4])]
        >>> len(loader), loader.nobs, loader.epoch
        (3, 5, 1)
    """

    def __init__(self, data: Any, batchsize: int = 1, *, shuffle: bool = False, partial: bool = True, seed: int = 0):
        self.data = data
        self.nobs = count_observations(data, "DataLoader")
        self.batchsize = check_integer(batchsize, 1, "batchsize", "DataLoader")
        self.seed = check_integer(seed, 0, "seed", "DataLoader")
        self.shuffle, self.partial = bool(shuffle), bool(partial)
        self.epoch = 0
        if not self.batches_per_epoch:
            got, expected = (
                f"{self.nobs} observations for batches of {self.batchsize}",
                "at least one whole batch",
            )
            raise DataError(got, expected, "lower batchsize or pass partial=True", where="DataLoader")

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches in an epoch, a smaller last one included if `partial`."""
        whole, rest = divmod(self.nobs, self.batchsize)
        return whole + (self.partial and rest > 0)

    def order(self, epoch: int) -> np.ndarray:
        """Return the order in which an epoch visits the observations, shape (nobs,), int32.

        Batch i of the epoch holds the entries from `i * batchsize` on.
        """
        epoch = check_integer(epoch, 0, "epoch", "DataLoader.order")
        if not self.shuffle:
            return np.arange(self.nobs, dtype=np.int32)
        return np.random.default_rng([self.seed, epoch]).permutation(self.nobs).astype(np.int32)

    def __len__(self) -> int:
        return self.batches_per_epoch

    def __iter__(self) -> Iterator[Any]:
        order = self.order(self.epoch)
        self.epoch += 1
        starts = range(0, self.batches_per_epoch * self.batchsize, self.batchsize)
        return (take(self.data, order[start : start + self.batchsize]) for start in starts)

    def __repr__(self) -> str:
        shuffled = ", shuffled" if self.shuffle else ""
        batches = "batch" if len(self) == 1 else "batches"
        return f"DataLoader({self.nobs} observations, {len(self)} {batches} of {self.batchsize}{shuffled})"
