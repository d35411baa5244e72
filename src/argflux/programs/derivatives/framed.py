"""The coordinates of all cones in which complementarity is diagonal."""

from typing import NamedTuple

import numpy as np

from argflux.programs.cones.frames import Frame
from argflux.programs.cones.product import Product


class Frames(NamedTuple):
    """The coordinates of all cones, arrays `(batch, m, …)`."""

    product: Product
    frames: list[Frame]

    @classmethod
    def of(cls, product: Product, by_s: np.ndarray, by_z: np.ndarray) -> "Frames":
        """Those in which the derivatives of complementarity are diagonal."""
        return cls(product, [g.cone.frame(by_s[:, g.entries], by_z[:, g.entries]) for g in product.groups])

    @classmethod
    def at(cls, product: Product, s: np.ndarray, z: np.ndarray, faces: np.ndarray) -> tuple["Frames", np.ndarray]:
        """Those at points near to complementary ones, and in these coordinates what is to be made up for."""
        found = [g.cone.meeting(s[:, g.rows], z[:, g.rows], faces[:, g.rows[:, 0]]) for g in product.groups]
        miss = np.zeros(s.shape)
        for group, (_, part) in zip(product.groups, found, strict=True):
            miss[:, group.rows] = part
        return cls(product, [frame for frame, _ in found]), miss

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
