"""The study's records as columns, and what follows from them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.patterns.study.records import Record
from argflux.patterns.study.relations import Comparison, Correlation, adjusted, compare, correlate

OUTCOMES = ("test accuracy", "gap", "epochs to level")


@explained
@dataclass(frozen=True, eq=False)
class Study:
    """The records of a study and what follows from them.

    Attributes:
        settings: what determined the study.
        records: a dict for each start: its family and number, the measures before training, the outcomes after it,
            and the test accuracy along the way.

    Example:
        >>> from argflux.patterns import Study
        >>> after = {"test accuracy": 0.9, "train accuracy": 1.0, "gap": 0.1, "test loss": 0.3, "train loss": 0.1}
        >>> record = {"family": "uniform", "start": 0, "before": {"L_gen": 0.1}, "after": after}
        >>> record["test accuracy"] = [0.1, 0.9]
        >>> study = Study({"families": ["uniform"], "epochs": 1, "every": 1}, [record])
        >>> study, study.measure("L_gen").tolist(), study.outcome("gap").tolist()
        (Study(1 starts of uniform), [0.1], [0.1])
    """

    settings: dict[str, Any]
    records: list[Record]

    @property
    def families(self) -> list[str]:
        """The names of the families, in order."""
        return self.settings["families"]

    @property
    def family(self) -> np.ndarray:
        """The family of each start, shape (starts,)."""
        return np.array([record["family"] for record in self.records])

    @property
    def measures(self) -> list[str]:
        """What was measured before training."""
        return list(dict.fromkeys(name for record in self.records for name in record["before"]))

    @property
    def reference(self) -> str:
        """The family that others are compared with: `kaiming_normal` if it is there, else the first."""
        return "kaiming_normal" if "kaiming_normal" in self.families else self.families[0]

    @property
    def epochs(self) -> np.ndarray:
        """After how many epochs the test accuracy was measured, 0 first."""
        last, every = self.settings["epochs"], self.settings["every"]
        return np.array([*range(0, last, every), last])

    @property
    def curves(self) -> np.ndarray:
        """The test accuracy of each start after each of `epochs`, shape (starts, measurements)."""
        return np.array([record["test accuracy"] for record in self.records], np.float64)

    @property
    def level(self) -> float:
        """The accuracy whose reaching is timed: what the reference's median start has reached half way."""
        own = self.family == self.reference
        curve = np.median(self.curves[own if own.any() else slice(None)], axis=0)
        return round(float(np.interp(self.epochs[-1] / 2, self.epochs, curve)), 3)

    def measure(self, name: str) -> np.ndarray:
        """Return a measure of every start, shape (starts,).

        Raises:
            ArgumentError: for a measure that was not taken, with those that were.
        """
        _check_known(name, self.measures)
        return np.array([record["before"].get(name, np.nan) for record in self.records], np.float64)

    def outcome(self, name: str) -> np.ndarray:
        """Return an outcome of every start, shape (starts,); a loss that was not finite is NaN.

        Args:
            name: `test accuracy`, `train accuracy`, `gap`, `test loss`, `train loss`, or `epochs to level`, which
                interpolates between measurements, and is the number of epochs where the level was not reached.

        Raises:
            ArgumentError: for another name.
        """
        if name == "epochs to level":
            return np.array([_first_reach(self.epochs, curve, self.level) for curve in self.curves])
        _check_known(name, [*self.records[0]["after"], "epochs to level"] if self.records else [])
        return np.array([record["after"][name] for record in self.records], np.float64)

    def correlations(self, *, within: bool = False) -> list[Correlation]:
        """Correlate every measure with test accuracy, gap and speed, with bootstrap intervals and Holm's correction.

        Args:
            within: whether to compare every start with its own family only. Families differ in more than what is
                measured, in the size of the weights above all, so only this says what the measure itself does.
        """
        return list(self._within if within else self._overall)

    @cached_property
    def _within(self) -> list[Correlation]:
        return self._correlate(within=True)

    @cached_property
    def _overall(self) -> list[Correlation]:
        return self._correlate(within=False)

    def _outcomes(self) -> list[str]:
        """Return which of the outcomes of interest were recorded."""
        return [name for name in OUTCOMES if name == "epochs to level" or name in self.records[0]["after"]]

    def _correlate(self, within: bool) -> list[Correlation]:
        found = []
        for measure in self.measures:
            for outcome in self._outcomes():
                x, y = self.measure(measure), self.outcome(outcome)
                known = np.isfinite(x) & np.isfinite(y)
                found.append(correlate(measure, outcome, x[known], y[known], self.family[known].tolist(), within))
        return adjusted([each for each in found if each is not None])

    def comparisons(self, reference: str | None = None) -> list[Comparison]:
        """Compare every family with a reference in test accuracy, gap and speed.

        Args:
            reference: a family; by default Kaiming's normal one if it is there, else the first.
        """
        reference = self.reference if reference is None else reference
        _check_known(reference, self.families)
        found = []
        for family in self.families:
            for outcome in self._outcomes() if family != reference else ():
                y = self.outcome(outcome)
                one, other = (y[(self.family == name) & np.isfinite(y)] for name in (family, reference))
                if len(one) and len(other):
                    found.append(compare(family, reference, outcome, one, other))
        return adjusted(found)

    def __repr__(self) -> str:
        return f"Study({len(self.records)} starts of {', '.join(self.families)})"


def _first_reach(epochs: np.ndarray, curve: np.ndarray, level: float) -> float:
    above = np.flatnonzero(curve >= level)
    if not above.size:
        return float(epochs[-1])
    place = above[0]
    if place == 0:
        return 0.0
    low, high = curve[place - 1], curve[place]
    return float(epochs[place - 1] + (level - low) / (high - low) * (epochs[place] - epochs[place - 1]))


def _check_known(name: str, known: list[str]) -> None:
    if name not in known:
        raise ArgumentError(repr(name), f"one of {', '.join(known) or 'nothing'}", "choose one of these", where="Study")
