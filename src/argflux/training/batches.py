"""Where batches come from: rows of a DataLoader's arrays, or the items of any iterable."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from argflux.data import DataLoader, Dataset
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


class ListSource:
    """The batches of a list, which are put on the device once, at the start: later changes to them are not seen."""

    def __init__(self, data: Sequence):
        self.data, self.first_epoch = data, 0
        self.batches_per_epoch: int | None = len(data)
        if not data:
            raise _no_batches(1)
        self.pools: dict[Any, Any] = {}
        self.plan: list[tuple[Any, int]] = []
        groups: dict[Any, _Group] = {}
        for batch in data:
            kind = kind_of(batch)
            self.plan.append((kind, groups.setdefault(kind, _Group()).add(batch)))
        self.pools = {kind: group.stacked(len(group.batches)) for kind, group in groups.items()}

    def batches(self, epoch: int) -> Iterator[tuple[Any, int]]:
        """Yield the kind and the place of each batch."""
        return iter(self.plan)

    def kind(self, batch: tuple[Any, int]) -> Any:
        """Return the structure and the shapes."""
        return batch[0]

    def limit(self, batch: tuple[Any, int]) -> int:
        """Return the length of the longest chunk."""
        return LONGEST_CHUNK

    def stage(self, batches: list, length: int) -> tuple[Any, np.ndarray]:
        """Return all batches of one kind, stacked, and the place of each step's."""
        index = np.zeros(length, np.int32)
        index[: len(batches)] = [row for _, row in batches]
        return self.pools[batches[0][0]], index

    def leave(self, epochs: int) -> None:
        """Do nothing: a list keeps no count."""

    def describe(self) -> str:
        """Write the type and the number of batches."""
        return f"{type(self.data).__name__} of {len(self.data)} batches"


class StreamSource:
    """The items of an iterable as they pass by, put on the device chunk by chunk."""

    def __init__(self, data: Iterable, epochs: int):
        self.data, self.first_epoch = data, 0
        self.batches_per_epoch: int | None = len(data) if isinstance(data, Sized) else None
        self.staged: tuple[tuple, _Group, Any] | None = None
        if isinstance(data, Iterator) and epochs > 1:
            got, todo = f"a {type(data).__name__}, which ends after one epoch", "pass a list or a DataLoader"
            raise ArgumentError(got, f"data to go through {epochs} times", todo, where="train")

    def batches(self, epoch: int) -> Iterator[Any]:
        """Yield the items; NumPy arrays are copied, as their owner may fill them anew for the next one."""
        empty = True
        for item in self.data:
            empty = False
            yield jax.tree.map(_copied, item)
        if empty:
            raise _no_batches(epoch + 1)

    def kind(self, batch: Any) -> Any:
        """Return the structure and the shapes, after checking them."""
        return kind_of(batch)

    def limit(self, batch: Any) -> int:
        """Return how many batches a pool of limited size holds."""
        return max(1, min(_POOL_BATCHES, _POOL_BYTES // max(1, _size(batch))))

    def stage(self, batches: list, length: int) -> tuple[Any, np.ndarray]:
        """Return the batches that differ, stacked, and each step's place among them."""
        group = _Group()
        index = np.zeros(length, np.int32)
        index[: len(batches)] = [group.add(batch) for batch in batches]
        key = tuple(group.rows)
        if self.staged is None or self.staged[0] != key:
            self.staged = (key, group, group.stacked(length))
        return self.staged[2], index

    def leave(self, epochs: int) -> None:
        """Do nothing: an iterable keeps its own count."""

    def describe(self) -> str:
        """Write the type, and the number of batches if it is known."""
        count = "" if self.batches_per_epoch is None else f" of {self.batches_per_epoch} batches"
        return f"{type(self.data).__name__}{count}"


class _Group:
    """Batches of one kind, each set of arrays once, known by the identity of the arrays (which it keeps alive)."""

    def __init__(self) -> None:
        self.batches: list = []
        self.rows: dict[tuple[int, ...], int] = {}

    def add(self, batch: Any) -> int:
        """Return the place of a batch, a new one if its arrays are."""
        identity = tuple(map(id, jax.tree.leaves(batch)))
        row = self.rows.setdefault(identity, len(self.batches))
        if row == len(self.batches):
            self.batches.append(batch)
        return row

    def stacked(self, capacity: int) -> Any:
        """Return the batches along a first axis of length `capacity`."""
        columns = zip(*map(jax.tree.leaves, self.batches), strict=True)
        arrays = [_stacked(column, capacity) for column in columns]
        return jax.tree.unflatten(jax.tree.structure(self.batches[0]), arrays)


def source_of(data: Any, epochs: int) -> Source:
    """Return the source for what a user passes as data."""
    if isinstance(data, DataLoader):
        return LoaderSource(data)
    if is_array(data) or isinstance(data, Dataset | Mapping | str):
        kind = f"an array of shape {np.shape(np.asarray(data))}" if is_array(data) else f"a {type(data).__name__}"
        todo = "pass [(X, Y)] for a single batch, or DataLoader((X, Y), batchsize=32)"
        raise ArgumentError(f"{kind} as data", "batches to iterate over", todo, where="train")
    if isinstance(data, Sequence) and sum(map(_size, data)) <= _SEQUENCE_BYTES:
        return ListSource(data)
    if isinstance(data, Iterable):
        return StreamSource(data, epochs)
    got, todo = f"data of type {type(data).__name__}", "pass a DataLoader or a list such as [(x, y)]"
    raise ArgumentError(got, "something to iterate over", todo, where="train")


def kind_of(batch: Any) -> Any:
    """Return the structure and the shapes of a batch, after checking that it holds numbers."""
    leaves, treedef = jax.tree.flatten(batch)
    return treedef, tuple((np.shape(leaf), _checked_dtype(batch, leaf)) for leaf in leaves)


def _stacked(column: tuple, capacity: int) -> jax.Array:
    """Stack one leaf of all batches, on the host unless every one is on the device already."""
    if all(isinstance(leaf, jax.Array) for leaf in column) and len(column) == capacity:
        return jnp.stack(column)
    first = np.asarray(column[0])
    stack = np.zeros((capacity, *first.shape), first.dtype)
    for row, leaf in enumerate(column):
        stack[row] = leaf
    return jnp.array(stack)


def _no_batches(epoch: int) -> DataError:
    got, todo = f"no batches in epoch {epoch}", "pass a list of batches such as [(x, y)]"
    return DataError(got, "at least one batch", todo, where="train")


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
