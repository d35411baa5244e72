"""Matrices `H + J' diag(weight) J` of sparse H and J, assembled in band storage by gathers."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from argflux.programs.forms import band, hostband
from argflux.programs.forms.hostband import is_hosted
from argflux.programs.forms.hostcall import host_call
from argflux.programs.forms.pattern import Pattern


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class Condensed:
    """How the lower half of `H + J' diag(weight) J` comes from the entries of H and J.

    Attributes:
        H: pattern of H.
        J: pattern of J.
        order: which unknown comes at each place.
        place: where each unknown is.
        bandwidth: entries left of the diagonal.
        curved: for each entry of the lower half, the one of H, out of range where there is none.
        left: the entries of J whose products belong to it, `(entries, terms)`, out of range where there are fewer.
        right: the other factors.
        storage: for each place of the band, which of the entries is there, `(N, b + 1)`.
        owner: the row of each entry of J.
    """

    H: Pattern
    J: Pattern
    order: np.ndarray
    place: np.ndarray
    bandwidth: int
    curved: np.ndarray
    left: np.ndarray
    right: np.ndarray
    storage: np.ndarray
    owner: np.ndarray

    @functools.cached_property
    def columns(self) -> np.ndarray:
        """For each place below the diagonal, a column a row, which of the entries is there, `(N, b + 1)`."""
        size, width = self.storage.shape
        row, offset = np.arange(size)[:, None] + np.arange(width), np.arange(width)
        inside = self.storage[np.minimum(row, size - 1), width - 1 - offset]
        return np.where(row < size, inside, len(self.curved))

    @functools.cached_property
    def products(self) -> tuple[np.ndarray, np.ndarray, csr_array]:
        """Pairs of entries of J whose products are there, one after another, and the matrix that adds them up."""
        slot, term = np.nonzero(self.left < self.J.count)
        shape, numbers = (len(self.left), len(slot)), np.arange(len(slot))
        return self.left[slot, term], self.right[slot, term], csr_array((np.ones(len(slot)), (slot, numbers)), shape)

    @classmethod
    def of(cls, H: Pattern, J: Pattern) -> "Condensed":
        """Order the unknowns so that the band is narrow, and find what is added to what; H has its diagonal."""
        n = H.height
        first, second = _pairs(J)
        rows, columns = np.r_[H.rows, J.columns[first]], np.r_[H.columns, J.columns[second]]
        graph = csr_array((np.ones(len(rows), bool), (rows, columns)), shape=(n, n))
        order = np.asarray(reverse_cuthill_mckee(graph + graph.T, symmetric_mode=True), np.int64)
        place = np.empty(n, np.int64)
        place[order] = np.arange(n)
        i, j = place[rows], place[columns]
        low = i >= j
        keys, slot = np.unique(i[low] * n + j[low], return_inverse=True)
        of_H = low[: H.count]
        curved = np.full(len(keys), H.count)
        curved[slot[: of_H.sum()]] = np.flatnonzero(of_H)
        kept, slots = np.flatnonzero(low[H.count :]), slot[of_H.sum() :]
        left, right = (_grouped(slots, ends[kept], len(keys), J.count) for ends in (first, second))
        at, offset = keys // n, keys // n - keys % n
        bandwidth = max(1, int(offset.max(initial=0)))
        storage = np.full((n, bandwidth + 1), len(keys))
        storage[at, bandwidth - offset] = np.arange(len(keys))
        return cls(H, J, order, place, bandwidth, curved, left, right, storage, J.rows)

    def factorise(self, H: Any, J: Any, weight: Any, least: float) -> tuple[tuple, Any]:
        """Factorise for entries `(count, B)` of H and J and weights of the rows; also whether it is definite.

        That is, whether all pivots exceed `least` times what was on the diagonal.
        """
        if is_hosted(len(self.order), H.shape[1]):
            size, batch = len(self.order), H.shape[1]
            shapes = [((size, self.bandwidth, batch), "float64"), ((size, batch), "float64"), ((batch,), "int32")]
            below, d, good = host_call(hostband.factorised, shapes, H, J, weight, condensed=self, least=least)
            return (below, d), good > 0
        entries = _taken(H, self.curved)
        if self.left.size:
            entries = entries + jnp.sum(_taken(J * weight[self.owner], self.left) * _taken(J, self.right), 1)
        rows = _taken(entries, self.storage)
        below, d = band.factorise(rows)
        good = jnp.all(d > least * jnp.abs(rows[:, -1]), 0)
        return (below, jnp.where(good, d, 1.0)), good

    def solve(self, factor: tuple, right: Any) -> Any:
        """Solve for `right (N, B)`."""
        if is_hosted(*right.shape):
            return host_call(hostband.solved, [(right.shape, "float64")], *factor, right, condensed=self)[0]
        return band.solve(factor, right[self.order])[self.place]


def _taken(values: Any, index: np.ndarray) -> Any:
    """Entries by number, 0 where the number is out of range."""
    return jnp.asarray(values).at[index].get(mode="fill", fill_value=0.0)


def _pairs(J: Pattern) -> tuple[np.ndarray, np.ndarray]:
    """All ordered pairs of entries that share a row."""
    by_row = np.argsort(J.rows, kind="stable")
    counts = np.bincount(J.rows, minlength=J.height)
    starts = np.cumsum(counts) - counts
    repeats = counts[J.rows[by_row]]
    first = np.repeat(by_row, repeats)
    within = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return first, by_row[np.repeat(starts[J.rows[by_row]], repeats) + within]


def _grouped(slots: np.ndarray, values: np.ndarray, size: int, none: int) -> np.ndarray:
    """The values that go to each slot, `(size, most)`, filled up with `none`."""
    order = np.argsort(slots, kind="stable")
    counts = np.bincount(slots, minlength=size)
    rank = np.arange(len(slots)) - np.repeat(np.cumsum(counts) - counts, counts)
    found = np.full((size, int(counts.max(initial=0))), none)
    found[slots[order], rank] = values[order]
    return found
