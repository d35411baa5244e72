"""Optimality systems of several instances in one array, each with as many rows as the one that has most."""

from typing import NamedTuple, Self

import numpy as np

REGULAR = 1e8


class Padded(NamedTuple):
    """Matrices `[[P, C'], [C, 0]]` with the active rows first, and ones on the diagonal in the places of the others.

    The curvature of each unknown is one, or none; `scale` are their units. `order` are the rows that come first, `on`
    says which of them are active.
    """

    K: np.ndarray
    scale: np.ndarray
    order: np.ndarray
    on: np.ndarray

    @classmethod
    def of(cls, P: np.ndarray, rows: np.ndarray, active: np.ndarray) -> Self:
        """The systems of symmetric matrices P, rows, and flags of those that are active, all with a batch's axis."""
        (batch, n), counts = P.shape[:2], active.sum(1)
        most = int(counts.max(initial=0))
        order, on = np.argsort(~active, 1, kind="stable")[:, :most], np.arange(most) < counts[:, None]
        diagonal = np.einsum("bii->bi", P)
        scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        C = np.take_along_axis(rows, order[:, :, None], 1) * (scale[:, None] * on[:, :, None])
        K = np.zeros((batch, n + most, n + most))
        K[:, :n, :n] = (P + P.mT) * (0.5 * scale[:, :, None] * scale[:, None])
        K[:, :n, n:], K[:, n:, :n] = C.mT, C
        K[:, n + np.arange(most), n + np.arange(most)] = ~on
        return cls(K, scale, order, on)

    def regular(self) -> np.ndarray:
        """Which of the matrices are far from singular; none, where one of them is singular exactly."""
        if not self.K.shape[1]:
            return np.ones(len(self.K), bool)
        largest = lambda M: np.abs(M).sum(1).max(1)
        try:
            return largest(self.K) * largest(np.linalg.inv(self.K)) < REGULAR
        except np.linalg.LinAlgError:
            return np.zeros(len(self.K), bool)
