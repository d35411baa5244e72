"""Optimality systems over cones in few unknowns: variables that no row fixes, and one for each fixed coordinate."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from argflux.programs.cones.form import ConeForm, is_large
from argflux.programs.derivatives.framed import Frames
from argflux.programs.derivatives.picked import Picked, Pins
from argflux.programs.derivatives.systems import Systems
from argflux.programs.derivatives.thin import Factors, thin_matrix
from argflux.programs.forms.form import curve, times, transposed_times
from argflux.programs.forms.pattern import Sparse

EASY, SLIGHT = 1e6, 1e-2
ROUNDING = 1e-13


class Condensed(NamedTuple):
    """The system at some points.

    In the frames a dual is `spread ahead - weight ds`, or one of the unknowns, whose row is `A dx - slack dual = …`.
    """

    form: ConeForm
    P: Any
    A: Any
    frames: Frames
    weight: np.ndarray
    spread: np.ndarray
    give: np.ndarray
    pins: Pins
    free: Picked
    rows: Picked
    systems: Any

    @classmethod
    def of(cls, form: ConeForm, given: Any, frames: Frames, scale: Any) -> "Condensed":
        """Put it together from the values of P and A, for duals in units of one over `scale`."""
        P, A = form.matrices(*given)
        if not is_large(form):
            P, A = (M.dense() if isinstance(M, Sparse) else M for M in (P, A))
        part = frames.part
        active = part <= SLIGHT
        spread = ~active / np.where(active, 1.0, part * scale)
        give = active / np.where(active, 1 - part, 1.0)
        pins = Pins.of(frames.product, A, active)
        free, rows = Picked.of(~pins.fixed), Picked.of(active & ~pins.on)
        weight, low = (1 - part) * spread, part * scale * give
        if is_large(form):
            systems = Factors.of(thin_matrix(form, P, A, frames, weight, low, rows), form.n)
        else:
            systems = Systems.of(_matrix(form, P, A, frames, weight, low, free, rows))
        return cls(form, P, A, frames, weight, spread, give, pins, free, rows, systems)

    def steps(self, right: tuple, transposed: bool, solve: Any) -> tuple:
        """Complete what `solve` says of the right-hand sides of the small systems."""
        r1, r2, r3 = right
        if not transposed:
            return self.step(r1, r2, self.frames.each("ahead", r3), solve)
        u, ds, dz = self.step(r1 - transposed_times(self.A, r2), r3, np.zeros(r3.shape), solve)
        return u, r2 + dz, self.frames.each("behind", self.frames.each("into", ds - dz))

    def step(self, r1: np.ndarray, r2: np.ndarray, ahead: np.ndarray, solve: Any) -> tuple:
        """Changes of x, slacks and duals with `P dx + A' dz = r1`, `A dx + ds = r2`."""
        frames, A, pins = self.frames, self.A, self.pins
        x, off = np.zeros(r1.shape), r2
        slope = r1
        if pins.on.any():
            x = pins.spread(r2 - ahead)
            off, slope = r2 - times(A, x), r1 - curve(self.form, self.P, x)
        off = frames.each("into", off)
        slope = slope - transposed_times(A, frames.each("back", self.spread * ahead - self.weight * off))
        v = solve(np.concatenate([self.free.taken(slope), self.rows.taken(off - self.give * ahead)], 1))
        self.free.put(x, v[:, : self.free.places.shape[1]])
        ds = r2 - times(A, x)
        dz = self.spread * ahead - self.weight * frames.each("into", ds)
        self.rows.put(dz, v[:, self.free.places.shape[1] :])
        dz = frames.each("back", dz)
        if pins.on.any():
            pins.put(dz, r1 - curve(self.form, self.P, x) - transposed_times(A, dz))
        return x, ds, dz


def _matrix(
    form: ConeForm,
    P: Any,
    A: np.ndarray,
    frames: Frames,
    weight: np.ndarray,
    low: np.ndarray,
    free: Picked,
    rows: Picked,
) -> np.ndarray:
    """`[[P + A' W A, G'], [G, -low]]`, the unit where nothing counts."""
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
    if form.curvature == "diagonal":
        K[:, every, every] += free.taken(np.broadcast_to(P, (batch, P.shape[1])))
    elif form.curvature != "none":
        i, j = free.places[:, :, None], free.places[:, None]
        P = np.broadcast_to((P + P.mT) / 2, (batch, *P.shape[1:]))
        on = free.valid[:, :, None] & free.valid[:, None]
        K[:, :f, :f] += on * np.take_along_axis(np.take_along_axis(P, i, 1), j, 2)
    G = np.take_along_axis(A, rows.places[:, :, None], 1) * rows.valid[:, :, None]
    K[:, f:, :f], K[:, :f, f:] = G, G.mT
    every, low = np.arange(f + c), np.where(rows.valid, -rows.taken(low), 1.0)
    K[:, every[f:], every[f:]] = low
    K[:, every[:f], every[:f]] += ~free.valid
    return K


def probing(systems: Any, sizes: list) -> Callable:
    """Solves, and notes how large the answers to a random right-hand side are."""

    def solve(right: np.ndarray) -> np.ndarray:
        v, size = systems.probed(right)
        sizes.append(np.where(np.isfinite(v).all(1) & (size < EASY), size, np.inf))
        return v

    return solve


def condensed_newton(form: ConeForm, given: Sequence, right: Sequence, at: Sequence) -> tuple[tuple, np.ndarray]:
    """Steps of Newton's method from `at`, which is s, z, the faces and units of slacks over those of duals.

    Each is followed by another one with the same factors. With them comes how near to singular the systems are,
    infinite where they are not to be trusted.
    """
    s, z, faces, scale = at
    frames, miss = Frames.at(form.product, s, z * scale, faces)
    made, sizes = Condensed.of(form, given, frames, scale), []
    first = made.step(right[0], right[1], miss, probing(made.systems, sizes))
    others, miss = Frames.at(form.product, s + first[1], (z + first[2]) * scale, faces)
    miss = frames.each("into", others.each("back", miss))
    more = made.step(0 * right[0], 0 * right[1], miss, made.systems.solve)
    good = np.logical_and.reduce([np.isfinite(step).all(1) for step in more])[:, None]
    return tuple(a + np.where(good, b, 0.0) for a, b in zip(first, more, strict=True)), sizes[0]


def condensed_answers(form: ConeForm, given: list, right: tuple, transposed: bool) -> tuple[tuple, np.ndarray]:
    """What the system answers, again for what is left where that is not rounding; and how near to singular it is."""
    P, A, by_s, by_z = given
    made, sizes = Condensed.of(form, (P, A), Frames.of(form.product, by_s, by_z), 1.0), []
    steps = made.steps(right, transposed, probing(made.systems, sizes))
    left = _left(made, (by_s, by_z), right, steps, transposed)
    if not all(
        (_size(a) <= ROUNDING * (_size(b) + _size(c))).all() for a, b, c in zip(left, right, steps, strict=True)
    ):
        more = made.steps(left, transposed, made.systems.solve)
        steps = tuple(a + b for a, b in zip(steps, more, strict=True))
    return steps, sizes[0]


def _left(made: Condensed, given: tuple, right: tuple, answer: tuple, transposed: bool) -> tuple:
    by_s, by_z = (Sparse(by, made.form.product.pattern) for by in given)
    (r1, r2, r3), (x, s, z) = right, answer
    first = r1 - curve(made.form, made.P, x) - transposed_times(made.A, s if transposed else z)
    row = times(made.A, x)
    if transposed:
        return first, r2 - s - by_s.transposed_times(z), r3 - row - by_z.transposed_times(z)
    return first, r2 - row - s, r3 - by_s.times(s) - by_z.times(z)


def _size(v: np.ndarray) -> np.ndarray:
    return np.abs(v).max(1, initial=0.0)
