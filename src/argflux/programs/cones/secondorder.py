"""The second-order cone `s[0] >= |s[1:]|`."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from argflux.programs.cones.cone import ACTIVE, BOUNDARY, INTERIOR, Cone, Equations
from argflux.programs.cones.frames import Arrow, Frame, Plain
from argflux.programs.forms.arrays import namespace


@dataclass(frozen=True)
class SecondOrder(Cone):
    """`k` rows whose slacks satisfy `s[0] >= |s[1:]|`.

    Example:
        >>> from argflux.programs import cones
        >>> cones.SecondOrder(3).rows
        3
    """

    k: int

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """The diagonal, the first row and the first column."""
        return _arrow(self.k)

    def violation(self, s: np.ndarray) -> np.ndarray:
        """How far the length exceeds the first coordinate."""
        return np.maximum(_length(s) - s[..., 0], 0.0)

    def dual_violation(self, z: np.ndarray) -> np.ndarray:
        """The same; the cone is its own dual."""
        return self.violation(z)

    def faces(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """By the signs of the two eigenvalues of `s - z`."""
        u = s - z
        length = _length(u)
        face = np.where(u[..., 0] > length, INTERIOR, np.where(u[..., 0] < -length, ACTIVE, BOUNDARY))
        return face.astype(np.int32)

    def strictness(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """By the eigenvalues, the least of one with the largest of the other."""
        (low, high), (below, above) = _eigenvalues(s), _eigenvalues(z)
        return np.maximum(low, above) if self.k == 1 else np.minimum(np.maximum(low, above), np.maximum(high, below))

    def equations(self, s: Any, z: Any, face: Any) -> Equations:
        """`s = 0`, `z = 0`, or the Jordan product of both."""
        xp = namespace(s, z)
        face = face[..., None]
        product = [xp.sum(s * z, -1, keepdims=True), s[..., :1] * z[..., 1:] + z[..., :1] * s[..., 1:]]
        pick = lambda inside, apex, both: xp.where(face == INTERIOR, inside, xp.where(face == ACTIVE, apex, both))
        unit = np.concatenate([np.ones(self.k), np.zeros(2 * self.k - 2)]) if self.k else np.zeros(0)
        unit = unit.astype(s.dtype)
        by_s, by_z = (_arrow_values(v) for v in (z, s))
        return Equations(
            pick(z, s, xp.concatenate(product, -1)), pick(0.0 * by_s, unit, by_s), pick(unit, 0.0 * by_z, by_z)
        )

    def frame(self, by_s: np.ndarray, by_z: np.ndarray) -> Frame:
        """Along both rays, and across."""
        return Plain.of(by_s, by_z) if self.k == 1 else Arrow.of(by_s, by_z, self.k)

    def meeting(self, s: np.ndarray, z: np.ndarray, face: np.ndarray) -> tuple[Frame, np.ndarray]:
        """Those of the projection of `s - z`."""
        return Plain.at(s, z, face) if self.k == 1 else Arrow.at(s, z)


def _length(v: np.ndarray) -> np.ndarray:
    return np.sqrt((v[..., 1:] ** 2).sum(-1))


def _eigenvalues(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    length = _length(v)
    return v[..., 0] - length, v[..., 0] + length


@functools.cache
def _arrow(k: int) -> tuple[np.ndarray, np.ndarray]:
    every, rest = np.arange(k), np.arange(1, k)
    first = 0 * rest
    return np.concatenate([every, first, rest]), np.concatenate([every, rest, first])


def _arrow_values(v: Any) -> Any:
    """Of the matrix that takes the Jordan product with v."""
    xp = namespace(v)
    head = xp.broadcast_to(v[..., :1], v.shape)
    return xp.concatenate([head, v[..., 1:], v[..., 1:]], -1)
