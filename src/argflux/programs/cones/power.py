"""The power cone `x^a y^(1 - a) >= |t|` with `x, y >= 0`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from argflux.programs.cones.cone import ACTIVE, BOUNDARY, INTERIOR, Cone, Equations
from argflux.programs.cones.curved import CUBE, chosen, picks, safe_log
from argflux.programs.cones.frames import Cube, Frame
from argflux.programs.forms.arrays import namespace

ALONG_X, ALONG_Y = 3, 4
NEAR = 1e-3


@dataclass(frozen=True)
class Power(Cone):
    """Three rows whose slacks `(x, y, t)` satisfy `x^a y^(1 - a) >= |t|` and `x, y >= 0`, with `0 < a < 1`.

    Example:
        >>> from argflux.programs import cones
        >>> cones.Power(0.3).rows
        3
    """

    a: float

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """All nine entries."""
        return CUBE

    def violation(self, s: np.ndarray) -> np.ndarray:
        """By the shortest of three ways into the cone, along each of the coordinates."""
        return _violation(s, self.a)

    def dual_violation(self, z: np.ndarray) -> np.ndarray:
        """The same for the dual cone `(u / a)^a (v / (1 - a))^(1 - a) >= |w|`."""
        return _violation(z / np.array([self.a, 1 - self.a, 1.0]), self.a)

    def faces(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """By which cone `s - z` lies in; on the boundary, by which of x and y vanish."""
        u = s - z
        size_s, size_z = np.abs(s).max(-1), np.abs(z).max(-1)
        inside = (self.violation(u) <= 0) | (size_z <= NEAR**2 * size_s)
        apex = (self.dual_violation(-u) <= 0) | (size_s <= NEAR**2 * size_z)
        nothing = lambda i: (np.abs(s[..., i]) <= NEAR * size_s) & (np.abs(z[..., 1 - i]) <= NEAR * size_z)
        slim = (np.abs(s[..., 2]) <= NEAR * size_s) & (np.abs(z[..., 2]) <= NEAR * size_z)
        face = np.where(slim & nothing(1), ALONG_X, np.where(slim & nothing(0), ALONG_Y, BOUNDARY))
        return np.where(inside, INTERIOR, np.where(apex, ACTIVE, face)).astype(np.int32)

    def strictness(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """How far both are from the apex, or the one that is not there from the boundary."""
        size_s, size_z = np.abs(s).max(-1), np.abs(z).max(-1)
        depth = np.maximum(_depth(s, self.a), _depth(z / np.array([self.a, 1 - self.a, 1.0]), self.a))
        return np.maximum(np.minimum(size_s, size_z), depth)

    def equations(self, s: Any, z: Any, face: Any) -> Equations:
        """On the curved boundary `u x + a w t = 0`, `v y + (1 - a) w t = 0`, `a log x + (1 - a) log y = log |t|`."""
        xp, a, b = namespace(s, z), self.a, 1 - self.a
        (x, y, t), (u, v, w) = (xp.moveaxis(p, -1, 0) for p in (s, z))
        none, curved = xp.zeros_like(x), face == BOUNDARY
        on = [xp.where(curved, p, 1.0) for p in (x, y, t)]
        heights = [safe_log(xp.abs(p)) for p in on]
        level = a * heights[0] + b * heights[1] - heights[2]
        both = Equations(
            xp.stack([u * x + a * w * t, v * y + b * w * t, level], -1),
            xp.stack([u, none, a * w, none, v, b * w, a / on[0], b / on[1], -1 / on[2]], -1),
            xp.stack([x, none, a * t, none, y, b * t, none, none, none], -1),
        )
        return chosen(s, z, face, {BOUNDARY: both, ALONG_X: _ray(s, z, 0, a), ALONG_Y: _ray(s, z, 1, b)})

    def frame(self, by_s: np.ndarray, by_z: np.ndarray) -> Frame:
        """By eigenvectors."""
        return Cube.of(by_s, by_z)


def _ray(s: Any, z: Any, i: int, a: float) -> Equations:
    """`s` along one axis and `z` along the other: the exponent says which of the third coordinates follows."""
    xp, none = namespace(s, z), namespace(s, z).zeros_like(s[..., 0])
    low, (t, w) = 1 - i, (s[..., 2], z[..., 2])
    residual = [z[..., 0], s[..., 1]] if i == 0 else [s[..., 0], z[..., 1]]
    if a == 0.5:  # a second-order cone, smooth here
        along, across = s[..., i], z[..., low]
        last = w * along + 2 * t * across
        by_s = picks(none, (low,)) + _row(xp, none, {i: w, 2: 2 * across})
        by_z = picks(none, (i,)) + _row(xp, none, {2: along, low: 2 * t})
        return Equations(xp.stack([*residual, last], -1), by_s, by_z)
    if a < 0.5:
        return Equations(xp.stack([*residual, t], -1), picks(none, (low, 2)), picks(none, (i,)))
    return Equations(xp.stack([*residual, w], -1), picks(none, (low,)), picks(none, (i, 2)))


def _row(xp: Any, none: Any, entries: dict[int, Any]) -> Any:
    """Matrices with a last row alone."""
    return xp.stack([*[none] * 6, *[entries.get(column, none) for column in range(3)]], -1)


def _violation(s: np.ndarray, a: float) -> np.ndarray:
    below = np.maximum(-s[..., 0], 0.0) + np.maximum(-s[..., 1], 0.0)
    x, y, t = np.maximum(s[..., 0], 0.0), np.maximum(s[..., 1], 0.0), np.abs(s[..., 2])
    with np.errstate(all="ignore"):
        ways = [t - x**a * y ** (1 - a), (t / y ** (1 - a)) ** (1 / a) - x, (t / x**a) ** (1 / (1 - a)) - y]
    return below + np.maximum(np.fmin(np.fmin(ways[0], ways[1]), ways[2]), 0.0)


def _depth(s: np.ndarray, a: float) -> np.ndarray:
    """How far inside the cone a point lies, zero outside."""
    x, y, t = np.maximum(s[..., 0], 0.0), np.maximum(s[..., 1], 0.0), np.abs(s[..., 2])
    return np.maximum(np.minimum(np.minimum(x, y), x**a * y ** (1 - a) - t), 0.0)
