"""What an answer over cones is worth: residuals, units, faces, and the proofs of statuses."""

from typing import Any, NamedTuple

import numpy as np

from argflux.programs.cones.form import ConeBlocks, ConeForm
from argflux.programs.forms.form import curve, magnitude, times, transposed_times

NOTHING = 1e-300
PROOF = 1e-7


class ConeAnswer(NamedTuple):
    """A point: x, the slacks, the duals, an instance a row."""

    x: np.ndarray
    s: np.ndarray
    z: np.ndarray

    def picked(self, which: np.ndarray) -> "ConeAnswer":
        """Some of the instances."""
        return ConeAnswer(*[a[which] for a in self])

    def finite(self) -> "ConeAnswer":
        """Zeros in the places of what are no numbers."""
        return ConeAnswer(*[np.where(np.isfinite(a), a, 0.0) for a in self])


class ConeUnits(NamedTuple):
    """What counts as one: slacks `reach` and duals `force`, `(batch, m)`, equal in the rows of a cone.

    `push` is the size of the terms of stationarity, `(batch, 1)`.
    """

    reach: np.ndarray
    force: np.ndarray
    push: np.ndarray


def cone_units(form: ConeForm, blocks: ConeBlocks, answer: ConeAnswer) -> ConeUnits:
    """Units at a point: those of its own terms."""
    batch = len(answer.x)
    A = magnitude(blocks.A)
    width = np.abs(answer.x).max(1, initial=0.0, keepdims=True)
    norm = np.broadcast_to(_row_norms(A), (batch, form.m))
    spread = form.product.spread
    reach = spread(np.maximum(norm * width + np.abs(blocks.b), np.abs(answer.s)))
    pull = np.abs(transposed_times(A, np.abs(answer.z)))
    push = np.maximum(np.maximum(pull, np.abs(curve(form, blocks.P, answer.x))), np.abs(blocks.q))
    push = push.max(1, initial=0.0, keepdims=True)
    push = np.where(push > 0, push, 1.0)
    norm = spread(norm)
    force = push / np.where(norm > 0, norm, 1.0)
    return ConeUnits(np.maximum(reach, NOTHING), np.maximum(force, NOTHING), push)


def _row_norms(A: Any) -> np.ndarray:
    if not A.shape[2]:
        return np.zeros(A.shape[:2])
    return A.max(2) if isinstance(A, np.ndarray) else np.stack([_sparse_norms(A.pattern, row) for row in A.values])


def _sparse_norms(pattern: Any, values: np.ndarray) -> np.ndarray:
    found = np.zeros(pattern.height)
    np.maximum.at(found, pattern.rows, values)
    return found


def cone_residuals(form: ConeForm, blocks: ConeBlocks, answer: ConeAnswer, units: ConeUnits) -> np.ndarray:
    """Relative violations of the constraints, of stationarity and of complementarity, `(batch, 3)`."""
    x, s, z = answer
    row = np.abs(times(blocks.A, x) + s - blocks.b) / units.reach
    outside = form.product.each("violation", s) / units.reach
    slope = curve(form, blocks.P, x) + blocks.q + transposed_times(blocks.A, z)
    wrong = form.product.each("dual_violation", z) / units.force
    gap = np.abs(form.product.spread(s * z, np.add)) / (units.reach * units.force)
    largest = lambda *parts: np.max([p.max(1, initial=0.0) for p in parts], 0)
    return np.stack([largest(row, outside), largest(np.abs(slope) / units.push, wrong), largest(gap)], 1)


def proves_infeasible(form: ConeForm, blocks: ConeBlocks, z: np.ndarray) -> np.ndarray:
    """Which instances have no point, as z shows: in the dual cone, `A'z = 0` and `b'z < 0`."""
    sizes = transposed_times(magnitude(blocks.A), np.abs(z)).max(1, initial=0.0)
    left = np.abs(transposed_times(blocks.A, z)).max(1, initial=0.0)
    terms = np.abs(blocks.b * z).sum(1)
    wrong = form.product.each("dual_violation", z).max(1, initial=0.0)
    size = np.abs(z).max(1, initial=0.0)
    good = (left <= PROOF * sizes) & (wrong <= PROOF * size) & ((blocks.b * z).sum(1) < -PROOF * terms)
    return good & np.isfinite(z).all(1) & (size > 0)


def proves_unbounded(form: ConeForm, blocks: ConeBlocks, x: np.ndarray) -> np.ndarray:
    """Which objectives fall without bound along x: `P x = 0`, `q'x < 0` and `-A x` in the cones."""
    size = np.abs(x).max(1, initial=0.0)
    s = -times(blocks.A, x)
    norm = np.broadcast_to(_row_norms(magnitude(blocks.A)), s.shape)
    reach = form.product.spread(np.maximum(norm * size[:, None], NOTHING))
    outside = (form.product.each("violation", s) / reach).max(1, initial=0.0)
    bent = np.abs(curve(form, blocks.P, x)).max(1, initial=0.0)
    falls = (blocks.q * x).sum(1)
    good = (outside <= PROOF) & (falls < -PROOF * np.abs(blocks.q * x).sum(1)) & (bent * size <= PROOF * np.abs(falls))
    return good & np.isfinite(x).all(1) & (size > 0)
