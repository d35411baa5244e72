"""The cones whose coordinates are cones of their own: zero, and the numbers that are not negative."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from argflux.programs.cones.cone import ACTIVE, Cone, Equations
from argflux.programs.cones.frames import Frame, Plain
from argflux.programs.forms.arrays import namespace


@dataclass(frozen=True)
class Zero(Cone):
    """`k` rows whose slacks are zero: `A x = b`; their duals may be any numbers.

    Example:
        >>> from argflux.programs import cones
        >>> cones.Zero(2).rows
        2
    """

    k: int
    copies: ClassVar[bool] = True

    def violation(self, s: np.ndarray) -> np.ndarray:
        """Largest distance from zero."""
        return np.abs(s).max(-1, initial=0.0)

    def dual_violation(self, z: np.ndarray) -> np.ndarray:
        """None: every dual is allowed."""
        return np.zeros(z.shape[:-1])

    def faces(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Always active."""
        return np.full(s.shape[:-1], ACTIVE, np.int32)

    def strictness(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Nothing to tell apart."""
        return np.full(s.shape[:-1], np.inf)

    def equations(self, s: Any, z: Any, face: Any) -> Equations:
        """`s = 0`."""
        xp = namespace(s, z)
        return Equations(s, xp.ones_like(s), xp.zeros_like(s))

    def frame(self, by_s: np.ndarray, by_z: np.ndarray) -> Frame:
        """The rows as they are."""
        return Plain.of(by_s, by_z)

    def meeting(self, s: np.ndarray, z: np.ndarray, face: np.ndarray) -> tuple[Frame, np.ndarray]:
        """By the face."""
        return Plain.at(s, z, face)


@dataclass(frozen=True)
class NonNegative(Cone):
    """`k` rows whose slacks are not negative: `A x <= b`.

    Example:
        >>> from argflux.programs import cones
        >>> cones.NonNegative(3).rows
        3
    """

    k: int
    copies: ClassVar[bool] = True

    def violation(self, s: np.ndarray) -> np.ndarray:
        """Largest distance below zero."""
        return np.maximum(-s, 0.0).max(-1, initial=0.0)

    def dual_violation(self, z: np.ndarray) -> np.ndarray:
        """The same; the cone is its own dual."""
        return self.violation(z)

    def faces(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Active where the dual outweighs the slack."""
        return np.where(s[..., 0] > z[..., 0], 0, ACTIVE).astype(np.int32)

    def strictness(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The larger of slack and dual."""
        return np.maximum(s, z)[..., 0]

    def equations(self, s: Any, z: Any, face: Any) -> Equations:
        """`s = 0` where active, else `z = 0`."""
        xp = namespace(s, z)
        active = (face == ACTIVE)[..., None]
        one, none = xp.ones_like(s), xp.zeros_like(s)
        return Equations(xp.where(active, s, z), xp.where(active, one, none), xp.where(active, none, one))

    def frame(self, by_s: np.ndarray, by_z: np.ndarray) -> Frame:
        """The rows as they are."""
        return Plain.of(by_s, by_z)

    def meeting(self, s: np.ndarray, z: np.ndarray, face: np.ndarray) -> tuple[Frame, np.ndarray]:
        """By the face."""
        return Plain.at(s, z, face)
