"""The linear programs that choose the weights of one layer, a program for each unit, all over the same rows."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class UnitPrograms:
    """For each unit u: maximise gain_u·w − penalty · Σ_j max(0, margin − offset_uj − rows_j·w) over its box.

    Attributes:
        rows: what w is multiplied by, one row a sample, shape (samples, columns), float64.
        gain: shape (units, columns).
        lower: the least w, shape (units, columns).
        upper: the greatest w, shape (units, columns).
        offset: what is added to rows·w, shape (units, samples), or (1, samples) where the units share it.
        margin: where the hinges begin.
        penalty: what a unit of hinge costs; infinite where no hinge may be above zero.
        balance: shape (columns,), of which balance·w = 0 is asked; None where nothing is.
    """

    rows: np.ndarray
    gain: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    offset: np.ndarray
    margin: float
    penalty: float
    balance: np.ndarray | None = None

    @property
    def hard(self) -> bool:
        """Whether every sample must reach the margin."""
        return math.isinf(self.penalty)

    def offset_of(self, unit: int) -> np.ndarray:
        """The offsets of one unit, shape (samples,)."""
        return self.offset[unit if len(self.offset) > 1 else 0]

    def take(self, units: np.ndarray, gain: np.ndarray | None = None) -> "UnitPrograms":
        """The programs of some units, with a gain of their own or another one."""
        offset = self.offset[units] if len(self.offset) > 1 else self.offset
        gain = self.gain[units] if gain is None else gain
        return dataclasses.replace(self, gain=gain, lower=self.lower[units], upper=self.upper[units], offset=offset)

    def objective(self, weights: np.ndarray) -> np.ndarray:
        """What is minimised, for a row of weights a unit; shape (units,)."""
        slack = np.maximum(self.margin - self.offset - weights @ self.rows.T, 0.0)
        cost = 0.0 if self.hard else self.penalty * slack.sum(1)
        return cost - (self.gain * weights).sum(1)


@dataclasses.dataclass(frozen=True)
class UnitSolutions:
    """What a solver found.

    Attributes:
        weights: shape (units, columns), float64.
        status: a word a unit: optimal, approximate, infeasible, or what stopped the solver.
        gap: how far each objective may lie above the least one.
    """

    weights: np.ndarray
    status: np.ndarray
    gap: np.ndarray
