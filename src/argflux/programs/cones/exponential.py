"""The exponential cone, the closure of `y exp(x / y) <= z` with `y > 0`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from argflux.programs.cones.cone import ACTIVE, BOUNDARY, INTERIOR, Cone, Equations
from argflux.programs.cones.curved import CUBE, chosen, picks, safe_log
from argflux.programs.cones.frames import Cube, Frame
from argflux.programs.forms.arrays import namespace

RAY, EDGE = 3, 4
NEAR = 1e-3
LOST = 1e-30  # what is less than this, beside what it is compared with, single precision cannot divide by


@dataclass(frozen=True)
class Exponential(Cone):
    """Three rows whose slacks `(x, y, z)` satisfy `y exp(x / y) <= z`, `y > 0`, or lie in the closure of these.

    Example:
        >>> from argflux.programs import cones
        >>> cones.Exponential().rows
        3
    """

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """All nine entries."""
        return CUBE

    def violation(self, s: np.ndarray) -> np.ndarray:
        """By the shortest of three ways into the cone: along x, along z, or to where y is zero."""
        x, y, z = np.moveaxis(s, -1, 0)
        with np.errstate(all="ignore"):
            along_z = np.where(y > 0, y * np.exp(x / y) - z, np.inf)
            along_x = np.where((y > 0) & (z > 0), x - y * np.log(z / y), np.inf)
        to_face = np.abs(y) + np.maximum(x, 0) + np.maximum(-z, 0)
        return np.maximum(np.fmin(np.fmin(along_z, along_x), to_face), 0.0)

    def dual_violation(self, z: np.ndarray) -> np.ndarray:
        """The same for the dual cone, the closure of `-u exp(v / u) <= e w` with `u < 0`."""
        u, v, w = np.moveaxis(z, -1, 0)
        with np.errstate(all="ignore"):
            along_w = np.where(u < 0, -u * np.exp(v / u - 1) - w, np.inf)
            along_v = np.where((u < 0) & (w > 0), u * (1 + np.log(-w / u)) - v, np.inf)
        to_face = np.abs(u) + np.maximum(-v, 0) + np.maximum(-w, 0)
        return np.maximum(np.fmin(np.fmin(along_w, along_v), to_face), 0.0)

    def faces(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """By which cone `s - z` lies in; on the boundary, by whether y and the duals beside it vanish."""
        u = s - z
        size_s, size_z = np.abs(s).max(-1), np.abs(z).max(-1)
        inside = (self.violation(u) <= 0) | (size_z <= NEAR**2 * size_s)
        apex = (self.dual_violation(-u) <= 0) | (size_s <= NEAR**2 * size_z)
        flat = (np.abs(s[..., 1]) <= NEAR * size_s) & (np.abs(z[..., 0]) <= NEAR * size_z)
        other = np.where(s[..., 2] > z[..., 2], RAY, EDGE)
        face = np.where(flat, other, BOUNDARY)
        return np.where(inside, INTERIOR, np.where(apex, ACTIVE, face)).astype(np.int32)

    def strictness(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """How far both are from the apex, or the one that is not there from the boundary."""
        size_s, size_z = np.abs(s).max(-1), np.abs(z).max(-1)
        depth_s, depth_z = _depth(s), _dual_depth(z)
        return np.maximum(np.minimum(size_s, size_z), np.maximum(depth_s, depth_z))

    def equations(self, s: Any, z: Any, face: Any) -> Equations:
        """On the curved boundary `u y + w z = 0`, `v y = u (y - x)` and `x = y log(z / y)`.

        Where z is lost to rounding the last one is `z = y exp(x / y)`.
        """
        xp = namespace(s, z)
        (x, y, t), (u, v, w) = (xp.moveaxis(a, -1, 0) for a in (s, z))
        none, one = xp.zeros_like(x), xp.ones_like(x)
        curved = face == BOUNDARY
        lost = curved & (t <= LOST * y)
        slope = safe_log(xp.where(curved & ~lost, t, 1.0)) - safe_log(xp.where(curved & ~lost, y, 1.0))
        steep = xp.where(curved & ~lost, y, 1.0) / xp.where(curved & ~lost, t, 1.0)
        depth = xp.minimum(xp.where(lost, x, 0.0) / xp.where(lost & (y > 0), y, 1.0), 0.0)
        flat = xp.exp(depth)
        last = [xp.where(lost, a, b) for a, b in ((y * flat - t, x - y * slope), (flat, one))]
        last += [xp.where(lost, a, b) for a, b in ((flat * (1 - depth), one - slope), (-one, -steep))]
        both = Equations(
            xp.stack([u * y + w * t, v * y - u * y + u * x, last[0]], -1),
            xp.stack([none, u, w, u, v - u, none, *last[1:]], -1),
            xp.stack([y, none, t, x - y, y, none, none, none, none], -1),
        )
        ray = Equations(xp.stack([u, y, w], -1), picks(none, (1,)), picks(none, (0, 2)))
        edge = Equations(xp.stack([u, y, t], -1), picks(none, (1, 2)), picks(none, (0,)))
        return chosen(s, z, face, {BOUNDARY: both, RAY: ray, EDGE: edge})

    def frame(self, by_s: np.ndarray, by_z: np.ndarray) -> Frame:
        """By eigenvectors."""
        return Cube.of(by_s, by_z)


def _depth(s: np.ndarray) -> np.ndarray:
    """How far inside the cone a point lies, zero outside."""
    x, y, z = np.moveaxis(s, -1, 0)
    with np.errstate(all="ignore"):
        inside = np.minimum(z - y * np.exp(x / y), y * np.log(z / y) - x)
    return np.where((y > 0) & (z > 0), np.maximum(np.nan_to_num(np.minimum(inside, y)), 0.0), 0.0)


def _dual_depth(z: np.ndarray) -> np.ndarray:
    u, v, w = np.moveaxis(z, -1, 0)
    with np.errstate(all="ignore"):
        inside = np.minimum(w + u * np.exp(v / u - 1), v - u * (1 + np.log(-w / u)))
    return np.where((u < 0) & (w > 0), np.maximum(np.nan_to_num(np.minimum(inside, -u)), 0.0), 0.0)
