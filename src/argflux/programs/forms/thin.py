"""Matrices with few entries in a row, a batch at a time, the batch last; and what dense ones do alike."""

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.forms.pattern import Pattern


@dataclass(frozen=True, eq=False)
class Places:
    """Where the entries are: number k of row i in column `columns[i, k]`, padded with entries that are 0.

    Attributes:
        columns: `(rows, most)`.
        there: which of them are entries of the pattern.
        pattern: the same, an entry after the other.
    """

    columns: np.ndarray
    there: np.ndarray
    pattern: Pattern

    @classmethod
    def of(cls, pattern: Pattern) -> "Places":
        """Lay out a pattern that is sorted by rows."""
        counts = np.bincount(pattern.rows, minlength=pattern.height)
        rank = np.arange(pattern.count) - (np.cumsum(counts) - counts)[pattern.rows]
        shape = pattern.height, max(1, int(counts.max(initial=0)))
        columns, there = np.zeros(shape, int), np.zeros(shape, bool)
        columns[pattern.rows, rank], there[pattern.rows, rank] = pattern.columns, True
        return cls(columns, there, pattern)

    @functools.cached_property
    def diagonal(self) -> np.ndarray:
        """Which entries are on the diagonal."""
        return self.there & (self.columns == np.arange(len(self.columns))[:, None])

    @functools.cached_property
    def flat(self) -> np.ndarray:
        """Which of all places are entries of the pattern."""
        return np.flatnonzero(self.there)

    @functools.cached_property
    def turned(self) -> np.ndarray:
        """For each column the places of its entries, `(columns, most)`, out of range where there are fewer."""
        order = np.argsort(self.pattern.columns, kind="stable")
        counts = np.bincount(self.pattern.columns, minlength=self.pattern.width)
        rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        found = np.full((self.pattern.width, int(counts.max(initial=0))), self.there.size)
        found[self.pattern.columns[order], rank] = self.flat[order]
        return found


@functools.partial(jax.tree_util.register_dataclass, data_fields=["values"], meta_fields=["places"])
@dataclass(frozen=True)
class Thin:
    """Matrices by their entries at the same places: `values` is `(rows, most, B)`."""

    values: Any
    places: Places

    def compact(self) -> Any:
        """The entries as the pattern lists them, `(entries, B)`."""
        return self.values.reshape(-1, self.values.shape[-1])[self.places.flat]


def entries(A: Any) -> Any:
    """The stored entries, `(rows, stored, B)`."""
    return A.values if isinstance(A, Thin) else A


def like(A: Any, values: Any) -> Any:
    """The matrix with other entries."""
    return Thin(values, A.places) if isinstance(A, Thin) else values


def across(A: Any, v: Any) -> Any:
    """For each stored entry what `v (columns, B)` is in its column."""
    return v[A.places.columns] if isinstance(A, Thin) else v[None]


def times(A: Any, v: Any) -> Any:
    """`A v`."""
    return jnp.sum(entries(A) * across(A, v), 1)


def transposed(A: Any, y: Any) -> Any:
    """`A'y`."""
    terms = entries(A) * y[:, None]
    if not isinstance(A, Thin):
        return jnp.sum(terms, 0)
    turned = A.places.turned
    if not turned.size:
        return jnp.zeros((len(turned), y.shape[-1]))
    return jnp.sum(terms.reshape(-1, y.shape[-1]).at[turned].get(mode="fill", fill_value=0.0), 1)


def plus_diagonal(A: Any, d: Any) -> Any:
    """The matrix with `d (rows, B)` or `d (B,)` added to its diagonal."""
    on = A.places.diagonal if isinstance(A, Thin) else np.eye(len(A), dtype=bool)
    return like(A, entries(A) + jnp.where(on[:, :, None], d[:, None] if d.ndim > 1 else d, 0.0))
