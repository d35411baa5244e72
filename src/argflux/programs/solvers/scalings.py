"""Nesterov–Todd scalings: maps that take slacks and duals of symmetric cones to one and the same point."""

from typing import Any, NamedTuple

import numpy as np

from argflux.programs.cones.triangles import matrix_of, triangle, vector_of
from argflux.programs.forms.arrays import namespace

TINY = 1e-300


class Rays(NamedTuple):
    """Of numbers that are not negative. Arrays are `(batch, cones, rows)` in all scalings.

    `point` is where slacks go by `scaled`, which takes matrices too, and where duals come from by `dual`.
    """

    point: Any
    ratio: Any

    @classmethod
    def of(cls, s: Any, z: Any) -> "Rays":
        """The scaling at points inside of the cones."""
        xp = namespace(s)
        return cls(xp.sqrt(s * z), xp.sqrt(s / z))

    def scaled(self, v: Any) -> Any:
        """A change of slacks in the scaled space."""
        return v / (self.ratio if v.ndim == 3 else self.ratio[..., None])

    def slack(self, v: Any) -> Any:
        """The way back."""
        return v * self.ratio

    def dual(self, v: Any) -> Any:
        """From the scaled space to changes of duals."""
        return v / self.ratio

    def product(self, u: Any, v: Any) -> Any:
        """The Jordan product."""
        return u * v

    def divided(self, v: Any) -> Any:
        """What times the point, in the Jordan product, is v."""
        return v / self.point

    def rate(self, v: Any) -> Any:
        """How soon a step along v leaves the cone: one over its largest length, `(batch,)`."""
        return namespace(v).max(-v / self.point, (1, 2))

    @staticmethod
    def unit(rows: int) -> np.ndarray:
        """The unit of the Jordan product."""
        return np.ones(rows)

    @staticmethod
    def low(v: Any) -> Any:
        """The least eigenvalue of each, `(batch, cones)`."""
        return v[..., 0]


class Lorentz(NamedTuple):
    """Of second-order cones.

    Source:
        Tütüncü, Toh and Todd, "Solving semidefinite-quadratic-linear programs using SDPT3" (2003).
    """

    point: Any
    axis: Any
    size: Any

    @classmethod
    def of(cls, s: Any, z: Any) -> "Lorentz":
        """The scaling at points inside of the cones."""
        xp = namespace(s)
        (s, first), (z, second) = _normed(s), _normed(z)
        axis = (s + _mirrored(z)) / xp.sqrt(2 * (1 + _dot(s, z)))
        scaling = cls(s, axis, xp.sqrt(first / second))
        return scaling._replace(point=scaling._turned(z * second, axis) * scaling.size)

    def scaled(self, v: Any) -> Any:
        """A change of slacks in the scaled space."""
        if v.ndim == 3:
            return self._turned(v, _mirrored(self.axis)) / self.size
        axis = _mirrored(self.axis)[..., None]
        head, tail, first, rest = axis[..., :1, :], axis[..., 1:, :], v[..., :1, :], v[..., 1:, :]
        along = tail.mT @ rest
        parts = head * first + along, tail * (first + along / (1 + head)) + rest
        return namespace(v).concatenate(parts, -2) / self.size[..., None]

    def slack(self, v: Any) -> Any:
        """The way back."""
        return self._turned(v, self.axis) * self.size

    def dual(self, v: Any) -> Any:
        """From the scaled space to changes of duals."""
        return self.scaled(v)

    def product(self, u: Any, v: Any) -> Any:
        """The Jordan product."""
        xp = namespace(u)
        return xp.concatenate([_dot(u, v), u[..., :1] * v[..., 1:] + v[..., :1] * u[..., 1:]], -1)

    def divided(self, v: Any) -> Any:
        """What times the point, in the Jordan product, is v."""
        xp, head, tail = namespace(v), self.point[..., :1], self.point[..., 1:]
        first = _dot(_mirrored(self.point), v) / _determinant(self.point)
        return xp.concatenate([first, (v[..., 1:] - first * tail) / head], -1)

    def rate(self, v: Any) -> Any:
        """How soon a step along v leaves the cone: one over its largest length, `(batch,)`."""
        xp, (axis, size) = namespace(v), _normed(self.point)
        moved = self._turned(v, _mirrored(axis)) / size
        return xp.max(xp.sqrt(_dot(moved[..., 1:], moved[..., 1:])[..., 0]) - moved[..., 0], 1)

    @staticmethod
    def unit(rows: int) -> np.ndarray:
        """The unit of the Jordan product."""
        return np.eye(rows)[0]

    @staticmethod
    def low(v: Any) -> Any:
        """The least eigenvalue of each, `(batch, cones)`."""
        xp = namespace(v)
        return v[..., 0] - xp.sqrt(_dot(v[..., 1:], v[..., 1:])[..., 0])

    @staticmethod
    def _turned(v: Any, axis: Any) -> Any:
        """The map of second-order cones to themselves that takes the unit to the axis."""
        xp, head, tail = namespace(v), axis[..., :1], axis[..., 1:]
        along = _dot(tail, v[..., 1:])
        return xp.concatenate([head * v[..., :1] + along, tail * (v[..., :1] + along / (1 + head)) + v[..., 1:]], -1)


def _dot(u: Any, v: Any) -> Any:
    return namespace(u).vecdot(u, v)[..., None]


def _determinant(v: Any) -> Any:
    xp = namespace(v)
    length = xp.sqrt(_dot(v[..., 1:], v[..., 1:]))
    return xp.maximum((v[..., :1] - length) * (v[..., :1] + length), TINY)


def _normed(v: Any) -> tuple[Any, Any]:
    """A point of determinant one, and what to multiply it by."""
    size = namespace(v).sqrt(_determinant(v))
    return v / size, size


def _mirrored(v: Any) -> Any:
    return namespace(v).concatenate([v[..., :1], -v[..., 1:]], -1)


class Matrices(NamedTuple):
    """Of positive semidefinite matrices, as vectors of their lower triangles.

    `values` are the eigenvalues of the point, which is diagonal; `root` takes slacks and duals to it.
    """

    point: Any
    values: Any
    root: Any
    inverse: Any

    @classmethod
    def of(cls, s: Any, z: Any) -> "Matrices":
        """The scaling at points inside of the cones."""
        xp, k = namespace(s), _side(s.shape[-1])
        values, Q = xp.linalg.eigh(matrix_of(s, k))
        values = xp.sqrt(xp.maximum(values, TINY))[..., None, :]
        half, back = (Q * values) @ Q.mT, (Q / values) @ Q.mT
        squares, V = xp.linalg.eigh(half @ matrix_of(z, k) @ half)
        values = xp.sqrt(xp.maximum(squares, TINY))
        weights = xp.sqrt(values)
        root, inverse = (half @ V) / weights[..., None, :], weights[..., :, None] * (V.mT @ back)
        return cls(vector_of(values[..., None] * np.eye(k)), values, root, inverse)

    def scaled(self, v: Any) -> Any:
        """A change of slacks in the scaled space."""
        if v.ndim == 3:
            return self._between(v, self.inverse)
        columns = namespace(v).swapaxes(v, -1, -2)
        inverse = self.inverse[:, :, None]
        moved = vector_of(inverse @ matrix_of(columns, self.values.shape[-1]) @ inverse.mT)
        return namespace(v).swapaxes(moved, -1, -2)

    def slack(self, v: Any) -> Any:
        """The way back."""
        return self._between(v, self.root)

    def dual(self, v: Any) -> Any:
        """From the scaled space to changes of duals."""
        return self._between(v, self.inverse.mT)

    def product(self, u: Any, v: Any) -> Any:
        """The Jordan product."""
        k = self.values.shape[-1]
        both = matrix_of(u, k) @ matrix_of(v, k)
        return vector_of((both + both.mT) / 2)

    def divided(self, v: Any) -> Any:
        """What times the point, in the Jordan product, is v."""
        rows, columns = triangle(self.values.shape[-1])
        return v / ((self.values[..., rows] + self.values[..., columns]) / 2)

    def rate(self, v: Any) -> Any:
        """How soon a step along v leaves the cone: one over its largest length, `(batch,)`."""
        xp, k = namespace(v), self.values.shape[-1]
        weights = 1 / xp.sqrt(self.values)
        moved = weights[..., :, None] * matrix_of(v, k) * weights[..., None, :]
        return xp.max(-xp.linalg.eigvalsh(moved)[..., 0], 1)

    @staticmethod
    def unit(rows: int) -> np.ndarray:
        """The unit of the Jordan product."""
        return vector_of(np.eye(_side(rows)))

    @staticmethod
    def low(v: Any) -> Any:
        """The least eigenvalue of each, `(batch, cones)`."""
        return namespace(v).linalg.eigvalsh(matrix_of(v, _side(v.shape[-1])))[..., 0]

    def _between(self, v: Any, M: Any) -> Any:
        return vector_of(M @ matrix_of(v, self.values.shape[-1]) @ M.mT)


def _side(rows: int) -> int:
    return int((np.sqrt(8 * rows + 1) - 1) // 2)


Scaling = Rays | Lorentz | Matrices
