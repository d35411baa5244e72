"""What a cone has to say of slacks `s` in it and duals `z` in its dual cone: membership, faces, complementarity."""

from typing import Any, ClassVar, NamedTuple

import numpy as np

from argflux.programs.cones.frames import Frame

INTERIOR, ACTIVE, BOUNDARY = 0, 1, 2
"""Faces: `z = 0` with s inside; `s = 0`; both on the boundary. Higher numbers are a cone's own."""


class Equations(NamedTuple):
    """The equations of complementarity `c(s, z) = 0` on a face, and their derivatives by s and z.

    The derivatives are values on the places of `Cone.places`, an axis each.
    """

    residual: Any
    by_s: Any
    by_z: Any


class Cone:
    """A closed convex cone; arrays have its `rows` on their last axis, and any axes before.

    With `copies`, `k` of it are independent cones of one row each.
    """

    copies: ClassVar[bool] = False

    @property
    def rows(self) -> int:
        """Number of rows."""
        return getattr(self, "k", 3)

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of each entry of the derivatives that may differ from zero."""
        return np.zeros(1, int), np.zeros(1, int)

    def violation(self, s: np.ndarray) -> np.ndarray:
        """At most how far s lies outside of the cone, `(…,)`, up to a factor near one."""
        raise NotImplementedError

    def dual_violation(self, z: np.ndarray) -> np.ndarray:
        """Likewise of z and the dual cone."""
        raise NotImplementedError

    def faces(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The face on which nearly complementary s and z, of comparable units, lie, `(…,)`."""
        raise NotImplementedError

    def strictness(self, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """How large the larger of s and z is where it is least, `(…,)`; small where complementarity is not strict."""
        raise NotImplementedError

    def equations(self, s: Any, z: Any, face: Any) -> Equations:
        """Complementarity on a face, of NumPy's or JAX's arrays; `face` is `(…,)`."""
        raise NotImplementedError

    def frame(self, by_s: np.ndarray, by_z: np.ndarray) -> Frame:
        """Coordinates in which the derivatives of the equations, `(batch, cones, entries)`, are diagonal."""
        raise NotImplementedError

    def meeting(self, s: np.ndarray, z: np.ndarray, face: np.ndarray) -> tuple[Frame, np.ndarray]:
        """Such coordinates at points that are not complementary yet, and what the next step is to make up for."""
        equations = self.equations(s, z, face)
        frame = self.frame(equations.by_s, equations.by_z)
        return frame, -frame.ahead(equations.residual)
