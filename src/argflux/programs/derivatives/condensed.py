"""Optimality systems over cones in few unknowns: variables that no row fixes, and one for each fixed coordinate."""

from typing import Any, NamedTuple

import numpy as np

from argflux.programs.cones.form import ConeForm
from argflux.programs.cones.frames import NONE, Frame
from argflux.programs.cones.product import Product
from argflux.programs.derivatives.systems import Systems
from argflux.programs.forms.form import times, transposed_times
from argflux.programs.forms.pattern import Sparse

EASY = 1e6


class Frames(NamedTuple):
    """The coordinates of all cones, arrays `(batch, m, …)`."""

    product: Product
    frames: list[Frame]

    @classmethod
    def of(cls, product: Product, by_s: np.ndarray, by_z: np.ndarray) -> "Frames":
        """Those in which the derivatives of complementarity are diagonal."""
        return cls(product, [g.cone.frame(by_s[:, g.entries], by_z[:, g.entries]) for g in product.groups])

    @property
    def part(self) -> np.ndarray:
        """What part of a change goes to the slack."""
        parts = [frame.part for frame in self.frames]
        found = np.zeros((len(parts[0]) if parts else 1, self.product.rows))
        for group, part in zip(self.product.groups, parts, strict=True):
            found[:, group.rows] = part
        return found

    def each(self, name: str, v: np.ndarray) -> np.ndarray:
        """What a method of the frames makes of vectors, or of the columns of matrices."""
        found = np.empty(v.shape)
        for group, frame in zip(self.product.groups, self.frames, strict=True):
            found[:, group.rows] = getattr(frame, name)(v[:, group.rows])
        return found


class Pins(NamedTuple):
    """Rows of one entry that are active, `(batch, m)`, and what they fix: the variable and the entry of each row."""

    on: np.ndarray
    column: np.ndarray
    entry: np.ndarray
    fixed: np.ndarray

    @classmethod
    def of(cls, product: Product, A: np.ndarray, active: np.ndarray) -> "Pins":
        """Look for them among the rows that are cones of their own; none where two fix the same variable."""
        alone = np.concatenate([np.zeros(0, int), *[g.rows[:, 0] for g in product.groups if g.cone.copies]])
        places = (A[:, alone] != 0).any(0)
        alone = alone[places.sum(1) == 1]
        column, single = np.zeros(A.shape[1], int), np.zeros(A.shape[1], bool)
        single[alone], column[alone] = True, places[places.sum(1) == 1].argmax(1)
        entry = np.where(single, np.broadcast_to(A, (len(A), *A.shape[1:]))[:, np.arange(len(column)), column], 0.0)
        on = active & single & (entry != 0)
        count = np.zeros((len(active), A.shape[2]))
        np.add.at(count, (slice(None), column[alone]), on[:, alone])
        on &= (count <= 1).all(1)[:, None]
        return cls(on, column, entry, (count > 0) & on.any(1)[:, None])

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


class Condensed(NamedTuple):
    """The system at some points; `weight` and `spread` give a dual as `spread ahead - weight ds` in the frames."""

    P: Any
    A: Any
    frames: Frames
    weight: np.ndarray
    spread: np.ndarray
    pins: Pins
    free: Picked
    rows: Picked
    systems: Systems

    @classmethod
    def of(cls, form: ConeForm, P: Any, A: Any, by_s: np.ndarray, by_z: np.ndarray) -> "Condensed":
        """Put it together; P and A are dense, or P a diagonal."""
        frames = Frames.of(form.product, by_s, by_z)
        part = frames.part
        active = part <= NONE
        weight = np.where(active | (part >= 1), 0.0, (1 - part) / np.where(active, 1.0, part))
        spread = np.where(active, 0.0, 1 / np.where(active, 1.0, part))
        pins = Pins.of(form.product, A, active)
        free, rows = Picked.of(~pins.fixed), Picked.of(active & ~pins.on)
        K = _matrix(P, A, frames, weight, free, rows)
        return cls(P, A, frames, weight, spread, pins, free, rows, Systems.of(K))

    def steps(self, right: tuple, transposed: bool, solve: Any) -> tuple:
        """Complete what `solve` says of the right-hand sides of the small systems."""
        r1, r2, r3 = right
        if not transposed:
            return self._step(r1, r2, self.frames.each("ahead", r3), solve)
        u, ds, dz = self._step(r1 - transposed_times(self.A, r2), r3, np.zeros(r3.shape), solve)
        return u, r2 + dz, self.frames.each("behind", self.frames.each("into", ds - dz))

    def _step(self, r1: np.ndarray, r2: np.ndarray, ahead: np.ndarray, solve: Any) -> tuple:
        """Changes of x, slacks and duals with `P dx + A' dz = r1`, `A dx + ds = r2`."""
        frames, A, pins = self.frames, self.A, self.pins
        x, off = np.zeros(r1.shape), r2
        slope = r1
        if pins.on.any():
            x = pins.spread(r2 - ahead)
            off, slope = r2 - times(A, x), r1 - _curved(self.P, x)
        off = frames.each("into", off)
        slope = slope - transposed_times(A, frames.each("back", self.spread * ahead - self.weight * off))
        v = solve(np.concatenate([self.free.taken(slope), self.rows.taken(off - ahead)], 1))
        self.free.put(x, v[:, : self.free.places.shape[1]])
        ds = r2 - times(A, x)
        dz = self.spread * ahead - self.weight * frames.each("into", ds)
        self.rows.put(dz, v[:, self.free.places.shape[1] :])
        dz = frames.each("back", dz)
        if pins.on.any():
            pins.put(dz, r1 - _curved(self.P, x) - transposed_times(A, dz))
        return x, ds, dz


def _matrix(P: Any, A: np.ndarray, frames: Frames, weight: np.ndarray, free: Picked, rows: Picked) -> np.ndarray:
    """`[[P + A' W A, G'], [G, 0]]`, the unit where nothing counts."""
    batch, f, c = len(weight), free.places.shape[1], rows.places.shape[1]
    A = np.broadcast_to(A, (batch, *A.shape[1:]))
    if f < A.shape[2]:
        A = np.take_along_axis(A, free.places[:, None], 2) * free.valid[:, None]
    A = frames.each("into", A)
    bent = np.flatnonzero((weight > 0).any(0))
    B = A[:, bent]
    K = np.zeros((batch, f + c, f + c))
    K[:, :f, :f] = B.mT @ (weight[:, bent, None] * B)
    every = np.arange(f)
    if P.ndim == 2:
        diagonal = np.broadcast_to(P, (batch, P.shape[1]))
        K[:, every, every] += np.take_along_axis(diagonal, free.places, 1) if P.shape[1] else 0.0
    else:
        P = np.broadcast_to(P, (batch, *P.shape[1:]))
        on = free.valid[:, :, None] & free.valid[:, None]
        K[:, :f, :f] += on * np.take_along_axis(
            np.take_along_axis(P, free.places[:, :, None], 1), free.places[:, None], 2
        )
    G = np.take_along_axis(A, rows.places[:, :, None], 1) * rows.valid[:, :, None]
    K[:, f:, :f], K[:, :f, f:] = G, G.mT
    unit = ~np.concatenate([free.valid, rows.valid], 1)
    every = np.arange(f + c)
    K[:, every, every] = np.where(unit, 1.0, K[:, every, every])
    return K


def _curved(P: Any, x: np.ndarray) -> np.ndarray:
    return (P * x if P.shape[1] else 0.0 * x) if P.ndim == 2 else times(P, x)


def dense_matrices(form: ConeForm, P: Any, A: Any) -> tuple[np.ndarray, np.ndarray]:
    """P, or its diagonal, and A as arrays, with a leading axis of one or the batch."""
    dressed_P, dressed_A = form.matrices(P, A)
    A = A if form.A_pattern is None else dressed_A.dense()
    if form.P_pattern is not None:
        P = dressed_P.dense()
    if form.curvature == "none":
        return np.zeros((1, 0)), A
    return (P, A) if P.ndim == 2 else ((P + P.mT) / 2, A)


class Condensing(NamedTuple):
    """Answers by condensed systems, with how near to singular these are."""

    made: Condensed
    by_s: Sparse
    by_z: Sparse

    @classmethod
    def of(cls, form: ConeForm, P: Any, A: Any, by_s: np.ndarray, by_z: np.ndarray) -> "Condensing":
        """Takes values, a batch of them."""
        pattern = form.product.pattern
        made = Condensed.of(form, *dense_matrices(form, P, A), by_s, by_z)
        return cls(made, Sparse(by_s, pattern), Sparse(by_z, pattern))

    def probed(self, right: tuple, transposed: bool) -> tuple[tuple, np.ndarray]:
        """Answers, and the size of those to a random right-hand side; huge where the system is not to be trusted."""
        sizes = []

        def solve(r: np.ndarray) -> np.ndarray:
            v, size = self.made.systems.probed(r)
            sizes.append(size)
            return v

        steps = self.made.steps(right, transposed, solve)
        finite = np.logical_and.reduce([np.isfinite(step).all(1) for step in steps])
        return steps, np.where(finite & (sizes[0] < EASY), sizes[0], np.inf)

    def exact(self, right: tuple, transposed: bool) -> tuple[tuple, np.ndarray]:
        """The same, made exact by another answer to what is left."""
        steps, size = self.probed(right, transposed)
        more = self.made.steps(self._left(right, steps, transposed), transposed, self.made.systems.solve)
        return tuple(a + b for a, b in zip(steps, more, strict=True)), size

    def _left(self, right: tuple, answer: tuple, transposed: bool) -> tuple:
        P, A, (r1, r2, r3), (x, s, z) = self.made.P, self.made.A, right, answer
        if transposed:
            first = r1 - _curved(P, x) - transposed_times(A, s)
            return first, r2 - s - self.by_s.transposed_times(z), r3 - times(A, x) - self.by_z.transposed_times(z)
        first = r1 - _curved(P, x) - transposed_times(A, z)
        return first, r2 - times(A, x) - s, r3 - self.by_s.times(s) - self.by_z.times(z)
