"""Orthogonal coordinates of cones in which the derivative of complementarity is diagonal, on the host.

Arrays are `(batch, cones, rows, …)`. With the sum `M` of the derivatives by slacks and by duals, `by_s ds + by_z dz =
r` is `(1 - part) ds + part dz = ahead(r)` in these coordinates. `part`, between 0 and 1, is the derivative of the
projection onto the cone: 0 where the slack is fixed, 1 where the dual is. `into` takes vectors there, or the columns of
matrices, `back` vectors from there; `ahead` is `into` after `M⁻¹`, `behind` is `M⁻ᵀ` after `back`.
"""

from typing import Any, NamedTuple

import numpy as np

from argflux.programs.cones.spectral import Spectral

INTERIOR = 0


class Plain(NamedTuple):
    """Of rows that are cones of their own."""

    part: np.ndarray

    @classmethod
    def of(cls, by_s: np.ndarray, by_z: np.ndarray) -> "Plain":
        """From derivatives that are zero or one; others are told by no number."""
        return cls(np.where(by_s + by_z == 1, by_z, np.nan))

    @classmethod
    def at(cls, s: np.ndarray, z: np.ndarray, faces: np.ndarray) -> tuple["Plain", np.ndarray]:
        """By faces: zeros of slacks where they are active, of duals elsewhere."""
        inside = (faces == INTERIOR)[..., None]
        return cls(inside.astype(s.dtype)), -np.where(inside, z, s)

    def into(self, v: np.ndarray) -> np.ndarray:
        """As they are."""
        return v

    back = ahead = behind = into


class Arrow(NamedTuple):
    """Of second-order cones: along both rays of the plane of slack and dual, and across by a reflection."""

    part: np.ndarray
    sums: np.ndarray
    mirror: np.ndarray

    @classmethod
    def of(cls, by_s: np.ndarray, by_z: np.ndarray, rows: int) -> "Arrow":
        """From the values of two arrows, one of them the unit inside and at the apex."""
        s, z = by_z[..., :rows], by_s[..., :rows]
        inside, apex = (~np.any(by, -1, keepdims=True) for by in (by_s, by_z))
        plain = np.logical_or(inside, apex)
        heads = [v[..., :1] for v in (s, z)]
        tails = [v[..., rows : 2 * rows - 1] for v in (by_z, by_s)]
        lengths = [_length(tail) for tail in tails]
        units = [tail / np.where(length > 0, length, 1.0) for tail, length in zip(tails, lengths, strict=True)]
        tail = units[0] - units[1]
        tail = tail / np.where(plain, 1.0, _length(tail))
        sign = np.where(tail[..., :1] > 0, 1.0, -1.0)
        mirror = tail * sign
        mirror[..., :1] += 1.0
        mirror = np.where(plain, 0.0, mirror / np.sqrt(mirror[..., :1]))
        own, other = (np.broadcast_to(head, s.shape).copy() for head in heads)
        along = [(head + length, np.maximum(head - length, 0.0)) for head, length in zip(heads, lengths, strict=True)]
        for place, turn in ((0, -1.0), (1, 1.0)):
            own[..., place : place + 1] = np.where(sign == turn, *along[0])
            other[..., place : place + 1] = np.where(sign == turn, along[1][1], along[1][0])
        sums = own + other
        known = np.all(by_s + by_z == (np.arange(by_s.shape[-1]) < rows), -1, keepdims=True)
        part = np.where(plain, np.where(known, inside, np.nan), own / sums)
        return cls(part, np.where(plain, 1.0, sums), mirror)

    @classmethod
    def at(cls, s: np.ndarray, z: np.ndarray) -> tuple["Arrow", np.ndarray]:
        """The projection of `s - z` and its derivative: the way there, in these coordinates."""
        u = s - z
        head, tail = u[..., :1], u[..., 1:]
        length = _length(tail)
        high, low = head + length, head - length
        tail = tail / length
        sign = np.where(tail[..., :1] > 0, 1.0, -1.0)
        mirror = tail * sign
        mirror[..., :1] += 1.0
        mirror /= np.sqrt(mirror[..., :1])
        part = np.broadcast_to(np.clip(high / (high - low), 0.0, 1.0), u.shape).copy()
        first, second = np.where(sign > 0, low, high), np.where(sign > 0, high, low)
        part[..., :1], part[..., 1:2] = first > 0, second > 0
        frame = cls(part, np.ones(u.shape), mirror)
        miss = -frame.into(s)
        miss[..., :1] += np.maximum(first, 0.0) * np.sqrt(0.5)
        miss[..., 1:2] += np.maximum(second, 0.0) * np.sqrt(0.5)
        return frame, miss

    def into(self, v: np.ndarray) -> np.ndarray:
        """Reflect the tails so that the rays lie in the first two coordinates, and turn by an eighth."""
        found = self._reflected(v)
        first, second = found[:, :, 0].copy(), found[:, :, 1].copy()
        found[:, :, 0], found[:, :, 1] = (first + second) * np.sqrt(0.5), (first - second) * np.sqrt(0.5)
        return found

    def back(self, v: np.ndarray) -> np.ndarray:
        """The other way round."""
        turned = v.copy()
        turned[:, :, 0], turned[:, :, 1] = (
            (v[:, :, 0] + v[:, :, 1]) * np.sqrt(0.5),
            (v[:, :, 0] - v[:, :, 1]) * np.sqrt(0.5),
        )
        return self._reflected(turned)

    def ahead(self, r: np.ndarray) -> np.ndarray:
        """Divided by the sums."""
        return self.into(r) / self.sums

    def behind(self, v: np.ndarray) -> np.ndarray:
        """Divided by the sums."""
        return self.back(v / self.sums)

    def _reflected(self, v: np.ndarray) -> np.ndarray:
        found, mirror = v.copy(), self.mirror
        if v.ndim == 3:
            found[:, :, 1:] -= mirror * (mirror * v[:, :, 1:]).sum(-1, keepdims=True)
        else:
            found[:, :, 1:] -= mirror[..., None] * (mirror[:, :, None] @ v[:, :, 1:])
        return found


class Cube(NamedTuple):
    """Of cones of three rows, by eigenvectors."""

    part: np.ndarray
    vectors: np.ndarray
    inverse: np.ndarray

    @classmethod
    def of(cls, by_s: np.ndarray, by_z: np.ndarray) -> "Cube":
        """From the values of matrices of three rows."""
        shape = *by_s.shape[:-1], 3, 3
        inverse = _inverse((by_s + by_z).reshape(shape))
        D = inverse @ by_z.reshape(shape)
        D = (D + D.mT) / 2
        usable = np.all(np.isfinite(D), (-1, -2))[..., None]
        values, vectors = np.linalg.eigh(np.where(usable[..., None], D, 0.0))
        return cls(np.where(usable, np.clip(values, 0.0, 1.0), np.nan), vectors, inverse)

    def into(self, v: np.ndarray) -> np.ndarray:
        """Products with the eigenvectors."""
        return _by(self.vectors.mT, v)

    def back(self, v: np.ndarray) -> np.ndarray:
        """Sums of the eigenvectors."""
        return _by(self.vectors, v)

    def ahead(self, r: np.ndarray) -> np.ndarray:
        """By the inverse of three rows."""
        return self.into(_by(self.inverse, r))

    def behind(self, v: np.ndarray) -> np.ndarray:
        """By its transpose."""
        return _by(self.inverse.mT, self.back(v))


def _length(v: np.ndarray) -> np.ndarray:
    return np.sqrt((v * v).sum(-1, keepdims=True))


def _by(M: np.ndarray, v: Any) -> np.ndarray:
    return M @ v if v.ndim == 4 else (M @ v[..., None])[..., 0]


def _inverse(M: np.ndarray) -> np.ndarray:
    """Inverses of matrices of three rows; not finite where they are singular."""
    a, b, c = M[..., 0, :], M[..., 1, :], M[..., 2, :]
    crossed = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], -1)
    return crossed / np.vecdot(a, crossed[..., 0])[..., None, None]


Frame = Plain | Arrow | Cube | Spectral
