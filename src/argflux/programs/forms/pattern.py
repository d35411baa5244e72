"""Matrices that keep the values on a fixed pattern only, and their products with vectors."""

import functools
import hashlib
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import sparse
from scipy.sparse import csr_array

from argflux.programs.forms.arrays import namespace, on_host


@dataclass(frozen=True, eq=False)
class Pattern:
    """Where a matrix may differ from zero: row and column of every stored entry. Equal if these are."""

    rows: np.ndarray
    columns: np.ndarray
    height: int
    width: int

    @classmethod
    def of(cls, rows: Any, columns: Any, shape: tuple[int, ...]) -> "Pattern":
        """Make a pattern of any integers."""
        return cls(np.asarray(rows, np.int32), np.asarray(columns, np.int32), shape[0], shape[1])

    @property
    def count(self) -> int:
        """Number of stored entries."""
        return len(self.rows)

    @property
    def diagonal(self) -> bool:
        """Whether only the diagonal may differ from zero."""
        return bool(np.all(self.rows == self.columns))

    def beside(self, first: int, extra: int) -> "Pattern":
        """The pattern with `extra` more columns, and an entry of every row in turn from column `first` on."""
        own = np.arange(self.height)
        rows, columns = np.concatenate([self.rows, own]), np.concatenate([self.columns, first + own])
        return Pattern.of(rows, columns, (self.height, self.width + extra))

    def sums(self, terms: np.ndarray, transposed: bool = False) -> np.ndarray:
        """Sums over the entries of each row, or each column, of a batch of terms."""
        places, size = (self.columns, self.width) if transposed else (self.rows, self.height)
        if len(terms) == 1:
            return np.bincount(places, terms[0], size)[None]
        into = self._into_columns if transposed else self._into_rows
        return np.ascontiguousarray((into @ terms.T).T)

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """Number of the first entry of each row, and of all, where the entries are row after row."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.rows, minlength=self.height))]).astype(np.int32)

    @functools.cached_property
    def _into_rows(self) -> csr_array:
        return csr_array((np.ones(self.count), (self.rows, np.arange(self.count))), shape=(self.height, self.count))

    @functools.cached_property
    def _into_columns(self) -> csr_array:
        return csr_array((np.ones(self.count), (self.columns, np.arange(self.count))), shape=(self.width, self.count))

    @functools.cached_property
    def on_diagonal(self) -> np.ndarray:
        """Which entries are on the diagonal."""
        return np.flatnonzero(self.rows == self.columns)

    @functools.cached_property
    def _key(self) -> tuple:
        text = np.ascontiguousarray(self.rows).tobytes() + np.ascontiguousarray(self.columns).tobytes()
        return self.height, self.width, hashlib.sha256(text).digest()

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self._key == other._key


@functools.partial(jax.tree_util.register_dataclass, data_fields=["values"], meta_fields=["pattern"])
@dataclass(frozen=True)
class Sparse:
    """Matrices of one pattern: `values` is `(…, entries)`.

    Example:
        >>> import jax.numpy as jnp
        >>> Sparse(jnp.array([1.0, 2.0]), Pattern.of([0, 1], [0, 2], (2, 3))).dense().tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]
    """

    values: Any
    pattern: Pattern

    @classmethod
    def of(cls, matrix: Any) -> "Sparse":
        """Keep the non-zero entries of a matrix whose values are known."""
        rows, columns = np.nonzero(np.asarray(matrix))
        return cls(matrix[rows, columns], Pattern.of(rows, columns, np.shape(matrix)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape that the dense matrices would have."""
        return (*jnp.shape(self.values)[:-1], self.pattern.height, self.pattern.width)

    @property
    def ndim(self) -> int:
        """Number of axes, two for one matrix."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of entries that the dense matrices would have."""
        return int(np.prod(self.shape))

    def dense(self) -> Any:
        """Write the zeros too."""
        if on_host(self.values):
            found = np.zeros(self.shape, self.values.dtype)
            places: Any = (..., self.pattern.rows, self.pattern.columns)
            np.add.at(found, places, self.values)
            return found
        zeros = jnp.zeros(self.shape, self.values.dtype)
        return zeros.at[..., self.pattern.rows, self.pattern.columns].add(self.values)

    def bcoo(self) -> sparse.BCOO:
        """The same as a JAX sparse matrix."""
        indices = np.stack([self.pattern.rows, self.pattern.columns], 1)
        return sparse.BCOO((self.values, jnp.asarray(indices)), shape=self.shape)

    def times(self, x: jax.Array) -> jax.Array:
        """Products of a batch of matrices with a batch of vectors."""
        return self._sum(self.values * x[:, self.pattern.columns], False)

    def transposed_times(self, x: jax.Array) -> jax.Array:
        """Products of the transposed matrices with vectors."""
        return self._sum(self.values * x[:, self.pattern.rows], True)

    def _sum(self, terms: Any, transposed: bool) -> Any:
        if on_host(terms):
            return self.pattern.sums(terms, transposed)
        places, size = self.pattern.rows, self.pattern.height
        if transposed:
            places, size = self.pattern.columns, self.pattern.width
        return jnp.zeros((terms.shape[0], size), terms.dtype).at[:, places].add(terms)

    def above(self, other: "Sparse") -> "Sparse":
        """The rows of these matrices, then those of others."""
        size = max(len(self.values), len(other.values))
        values = [jnp.broadcast_to(M.values, (size, M.pattern.count)) for M in (self, other)]
        top, low = self.pattern, other.pattern
        rows, columns = np.r_[top.rows, low.rows + top.height], np.r_[top.columns, low.columns]
        return Sparse(jnp.concatenate(values, 1), Pattern.of(rows, columns, (top.height + low.height, top.width)))

    def diagonal(self) -> Any:
        """Diagonals of square matrices."""
        on = self.pattern.on_diagonal
        if on_host(self.values):
            found = np.zeros((len(self.values), self.pattern.height))
            np.add.at(found.T, self.pattern.rows[on], self.values[:, on].T)
            return found
        found = jnp.zeros((self.values.shape[0], self.pattern.height), self.values.dtype)
        return found.at[:, self.pattern.rows[on]].add(self.values[:, on])

    def parts(self, rows: np.ndarray, columns: np.ndarray) -> jax.Array:
        """Dense submatrices of one matrix: number k of the rows `rows[k]` and the columns `columns[k]`."""
        part, place = inverse(rows, self.pattern.height)
        kept = np.flatnonzero(part[self.pattern.rows] >= 0) if rows.size else np.zeros(0, int)
        i, j = self.pattern.rows[kept], self.pattern.columns[kept]
        found = jnp.zeros((*rows.shape, columns.shape[1]), self.values.dtype)
        return found.at[part[i], place[i], inverse(columns, self.pattern.width)[1][j]].add(self.values[kept])

    def outer(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Values of `y x'` on the pattern, summed over the batch where it shares one matrix."""
        found = y[:, self.pattern.rows] * x[:, self.pattern.columns]
        return (
            namespace(found).sum(found, 0, keepdims=True) if self.values.shape[0] == 1 and found.shape[0] > 1 else found
        )


def row_largest(M: Any) -> jax.Array:
    """The largest magnitude in each row of a batch of matrices, 0 in rows of none."""
    if not isinstance(M, Sparse):
        return jnp.max(abs(M), 2, initial=0.0)
    return jnp.zeros((len(M.values), M.pattern.height), M.values.dtype).at[:, M.pattern.rows].max(abs(M.values))


def inverse(groups: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """For every element the group that lists it (-1 for none) and its place there."""
    part, place = np.full(size, -1), np.zeros(size, int)
    part[groups] = np.arange(groups.shape[0])[:, None]
    place[groups] = np.arange(groups.shape[1])
    return part, place
