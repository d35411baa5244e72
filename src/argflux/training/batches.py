"""Where batches come from: rows of a DataLoader's arrays, or the items of any iterable."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from argflux.data import DataLoader
from argflux.errors import ArgumentError, DataError, DtypeError
from argflux.tree import is_array, named_leaves

LONGEST_CHUNK = 1024
_INDEX_NUMBERS = 2**20
_POOL_BYTES = 2**24
_POOL_BATCHES = 256
_SEQUENCE_BYTES = 2**31


@dataclass
class Chunk:
    """Consecutive steps of one shape: step i trains on the rows `index[i]` of the arrays in `pool`.

    `ends` counts, for every epoch that ends here, the steps up to its end.
    """

    pool: Any
    index: np.ndarray
    n: int
    ends: list[int]


class Source(Protocol):
    """Where batches come from."""

    batches_per_epoch: int | None
    first_epoch: int

    def batches(self, epoch: int) -> Iterator[Any]:
        """Yield what stands for each batch of an epoch, counted from 0."""
        ...

    def kind(self, batch: Any) -> Any:
        """Return what two batches must share to go through one program."""
        ...

    def limit(self, batch: Any) -> int:
        """Return how many batches like this a chunk may hold."""
        ...

    def stage(self, batches: list, length: int) -> tuple[Any, np.ndarray]:
        """Return the pool and an index with `length` rows for these batches."""
        ...

    def leave(self, epochs: int) -> None:
        """Take note that so many epochs were begun."""
        ...

    def describe(self) -> str:
        """Write down what must be the same for a run to go on."""
        ...


class LoaderSource:
    """Rows of a DataLoader's arrays, which lie on the device throughout; only indices travel."""

    def __init__(self, loader: DataLoader):
        self.loader, self.first_epoch = loader, loader.epoch
        self.arrays = jax.tree.map(jnp.asarray, loader.data)
        self.batches_per_epoch: int | None = loader.batches_per_epoch

    def batches(self, epoch: int) -> Iterator[np.ndarray]:
        """Yield the rows of each batch."""
        size = self.loader.batchsize
        order = self.loader.order(self.first_epoch + epoch)
        for start in range(0, self.loader.batches_per_epoch * size, size):
            yield order[start : start + size]

    def kind(self, batch: np.ndarray) -> int:
        """Return the number of rows."""
        return len(batch)

    def limit(self, batch: np.ndarray) -> int:
        """Return how many batches' indices fit the buffer."""
        return max(1, min(LONGEST_CHUNK, _INDEX_NUMBERS // len(batch)))

    def stage(self, batches: list, length: int) -> tuple[Any, np.ndarray]:
        """Return all arrays, and the rows of each batch."""
        index = np.zeros((length, len(batches[0])), np.int32)
        index[: len(batches)] = batches
        return self.arrays, index

    def leave(self, epochs: int) -> None:
        """Move the loader's own count of epochs along, so that another run sees other orders."""
        self.loader.epoch = self.first_epoch + epochs

    def describe(self) -> str:
        """Write the loader and its seed."""
        return f"{self.loader!r} with seed {self.loader.seed}"


class IterableSource:
    """The items of an iterable, gone through once an epoch.

    Batches of a list or tuple are stacked and put on the device once; those of another iterable chunk by chunk.
    """

    def __init__(self, data: Iterable, epochs: int):
        if not isinstance(data, Iterable):
            got, todo = f"data of type {type(data).__name__}", "pass a DataLoader or a list such as [(x, y)]"
            raise ArgumentError(got, "something to iterate over", todo, where="train")
        self.data, self.first_epoch = data, 0
        self.staged_whole = isinstance(data, Sequence) and sum(map(_size, data)) <= _SEQUENCE_BYTES
        self.batches_per_epoch: int | None = len(data) if hasattr(data, "__len__") else None  # type: ignore[arg-type]
        self.pools: dict[Any, _Pool] = {}
        if isinstance(data, Iterator) and epochs > 1:
            got, todo = f"a {type(data).__name__}, which ends after one epoch", "pass a list or a DataLoader"
            raise ArgumentError(got, f"data to go through {epochs} times", todo, where="train")

    def batches(self, epoch: int) -> Iterator[Any]:
        """Yield the items; NumPy arrays that are passing by are copied, as their owner may fill them anew."""
        empty = True
        for item in self.data:
            empty = False
            yield item if self.staged_whole else jax.tree.map(_copied, item)
        if empty:
            got, todo = f"no batches in epoch {epoch + 1}", "pass a list of batches such as [(x, y)]"
            raise DataError(got, "at least one batch", todo, where="train")

    def kind(self, batch: Any) -> Any:
        """Return the structure and the shapes, after checking them."""
        leaves, treedef = jax.tree.flatten(batch)
        return treedef, tuple((np.shape(leaf), _checked_dtype(batch, leaf)) for leaf in leaves)

    def limit(self, batch: Any) -> int:
        """Return how many batches a pool of limited size holds; a list is staged whole."""
        if self.staged_whole:
            return LONGEST_CHUNK
        return max(1, min(_POOL_BATCHES, _POOL_BYTES // max(1, _size(batch))))

    def stage(self, batches: list, length: int) -> tuple[Any, np.ndarray]:
        """Return the batches that differ, stacked, and each step's place among them."""
        kind = self.kind(batches[0])
        pool = self.pools.get(kind)
        rows = pool.rows_of(batches) if pool else None
        if pool is None or rows is None:
            whole = self.staged_whole
            members = [batch for batch in self.data if self.kind(batch) == kind] if whole else batches
            pool = self.pools[kind] = _Pool(members, None if whole else length)
            rows = pool.rows_of(batches) or []
        index = np.zeros(length, np.int32)
        index[: len(batches)] = rows
        return pool.arrays, index

    def leave(self, epochs: int) -> None:
        """Do nothing: an iterable keeps its own count."""

    def describe(self) -> str:
        """Write the type, and the number of batches if it is known."""
        count = "" if self.batches_per_epoch is None else f" of {self.batches_per_epoch} batches"
        return f"{type(self.data).__name__}{count}"


class _Pool:
    """Stacked batches of one shape, found again by the identity of their arrays."""

    def __init__(self, batches: list, capacity: int | None):
        unique = list({_identity(batch): batch for batch in batches}.values())
        self.rows = {_identity(batch): row for row, batch in enumerate(unique)}
        self.batches = unique
        columns = zip(*map(jax.tree.leaves, unique), strict=True)
        stacks = [_stacked(column, capacity or len(unique)) for column in columns]
        self.copies = [stack if isinstance(stack, np.ndarray) else None for stack in stacks]
        arrays = [stack if isinstance(stack, jax.Array) else jnp.array(stack) for stack in stacks]
        self.arrays = jax.tree.unflatten(jax.tree.structure(unique[0]), arrays)

    def rows_of(self, batches: list) -> list[int] | None:
        """Return each batch's row, or None if one is not here or was changed in place since."""
        found = {id(batch): self.rows.get(_identity(batch)) for batch in {id(b): b for b in batches}.values()}
        rows = [found[id(batch)] for batch in batches]
        fresh = all(row is not None and self._is_unchanged(row) for row in set(rows))
        return rows if fresh else None  # type: ignore[return-value]

    def _is_unchanged(self, row: int) -> bool:
        leaves = jax.tree.leaves(self.batches[row])
        return all(
            copy is None or np.array_equal(copy[row], leaf, equal_nan=copy.dtype.kind == "f")
            for leaf, copy in zip(leaves, self.copies, strict=True)
        )


def _stacked(column: tuple, capacity: int) -> Any:
    """Stack one leaf of all batches, on the host unless every one is on the device already."""
    if all(isinstance(leaf, jax.Array) for leaf in column) and len(column) == capacity:
        return jnp.stack(column)
    first = np.asarray(column[0])
    stack = np.zeros((capacity, *first.shape), first.dtype)
    for row, leaf in enumerate(column):
        stack[row] = leaf
    return stack


def _identity(batch: Any) -> tuple[int, ...]:
    return tuple(map(id, jax.tree.leaves(batch)))


def _copied(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _size(batch: Any) -> int:
    return sum(getattr(leaf, "nbytes", 8) for leaf in jax.tree.leaves(batch))


def _checked_dtype(batch: Any, leaf: Any) -> np.dtype:
    dtype = leaf.dtype if is_array(leaf) else np.asarray(leaf).dtype
    if getattr(dtype, "kind", "") in ("O", "S", "U", "M") or np.size(leaf) == 0:
        name = next(name for name, other in named_leaves(batch) if other is leaf)
        where = f"train: batch{name}"
        if np.size(leaf) == 0:
            got, todo = f"an empty array of shape {np.shape(leaf)}", "check the filter that made this batch"
            raise DataError(got, "at least one observation", todo, where=where)
        got, todo = f"{type(leaf).__name__} of dtype {dtype}", "convert it to numbers first"
        raise DtypeError(got, "arrays of numbers", todo, where=where)
    return dtype
