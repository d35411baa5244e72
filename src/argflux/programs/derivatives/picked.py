"""Some of the rows and variables of each instance of a batch."""

from typing import Any, NamedTuple

import numpy as np

from argflux.programs.cones.product import Product


class Pins(NamedTuple):
    """Rows of one entry that are active, `(batch, m)`, and what they fix: the variable and the entry of each row."""

    on: np.ndarray
    column: np.ndarray
    entry: np.ndarray
    fixed: np.ndarray

    @classmethod
    def of(cls, product: Product, A: Any, active: np.ndarray) -> "Pins":
        """Look for them among the rows that are cones of their own; none where two fix the same variable."""
        if not isinstance(A, np.ndarray):
            fixed = np.zeros((len(active), A.shape[2]), bool)
            return cls(np.zeros(active.shape, bool), np.zeros(1, int), np.zeros(1), fixed)
        alone = np.concatenate([np.zeros(0, int), *[g.rows[:, 0] for g in product.groups if g.cone.copies]])
        places = (A[:, alone] != 0).any(0)
        alone = alone[places.sum(1) == 1]
        column, single = np.zeros(A.shape[1], int), np.zeros(A.shape[1], bool)
        single[alone], column[alone] = True, places[places.sum(1) == 1].argmax(1)
        entry = np.where(single, np.broadcast_to(A, (len(A), *A.shape[1:]))[:, np.arange(len(column)), column], 0.0)
        on = active & single & (entry != 0)
        count = np.zeros((len(active), A.shape[2]))
        np.add.at(count.T, column[alone], on[:, alone].T)
        on &= np.all(count <= 1, 1, keepdims=True)
        return cls(on, column, entry, (count > 0) & np.any(on, 1, keepdims=True))

    def spread(self, rows: np.ndarray) -> np.ndarray:
        """Values of the variables that are fixed, from the right-hand sides of their rows."""
        found, which = np.zeros(self.fixed.shape), np.nonzero(self.on)
        entry = np.broadcast_to(self.entry, self.on.shape)
        found[which[0], self.column[which[1]]] = rows[which] / entry[which]
        return found

    def put(self, rows: np.ndarray, slope: np.ndarray) -> None:
        """Write the duals of these rows, from what is left of stationarity."""
        which = np.nonzero(self.on)
        entry = np.broadcast_to(self.entry, self.on.shape)
        rows[which] = slope[which[0], self.column[which[1]]] / entry[which]


class Picked(NamedTuple):
    """Some places of each instance, first those that count, as many as the most; and which of these count."""

    places: np.ndarray
    valid: np.ndarray

    @classmethod
    def of(cls, on: np.ndarray) -> "Picked":
        """Those where `on` is true."""
        count = on.sum(1)
        places = np.argsort(~on, 1, kind="stable")[:, : count.max(initial=0)]
        return cls(places, np.arange(places.shape[1]) < count[:, None])

    def taken(self, v: np.ndarray) -> np.ndarray:
        """Their values, zero where none counts."""
        return np.where(self.valid, np.take_along_axis(v, self.places, 1), 0.0)

    def put(self, v: np.ndarray, values: np.ndarray) -> None:
        """Write their values."""
        which = np.nonzero(self.valid)
        v[which[0], self.places[which]] = values[which]
