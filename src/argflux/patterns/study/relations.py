"""What the records of a study say: correlations and differences between families, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

RESAMPLES, PERMUTATIONS, CONFIDENCE = 2000, 9999, 0.95
Interval = tuple[float, float]


@dataclass(frozen=True)
class Correlation:
    """How a measure of a start goes along with how well it trains.

    Attributes:
        measure: taken before training.
        outcome: taken after it.
        within: whether every start was compared with its own family only.
        n: the number of starts.
        pearson: the linear correlation.
        pearson_interval: 95 % of its bootstrap resamples.
        spearman: the correlation of ranks.
        spearman_interval: 95 % of its bootstrap resamples.
        p: of the ranks, two-sided.
        adjusted: p after Holm's correction for all correlations of the study.
    """

    measure: str
    outcome: str
    within: bool
    n: int
    pearson: float
    pearson_interval: Interval
    spearman: float
    spearman_interval: Interval
    p: float
    adjusted: float = 1.0


@dataclass(frozen=True)
class Comparison:
    """How far a family's mean lies from the reference family's.

    Attributes:
        family: the name of the family.
        reference: the name of the other.
        outcome: what is compared.
        means: of the family and of the reference.
        difference: family minus reference.
        interval: 95 % of the bootstrap resamples of the difference.
        p: of a permutation test of the difference, two-sided.
        adjusted: p after Holm's correction for all comparisons of the study.
    """

    family: str
    reference: str
    outcome: str
    means: tuple[float, float]
    difference: float
    interval: Interval
    p: float
    adjusted: float = 1.0


T = TypeVar("T", Correlation, Comparison)


def correlate(measure: str, outcome: str, x: Any, y: Any, families: Sequence[str], within: bool) -> Correlation | None:
    """Correlate a measure with an outcome over all starts, or within families; None if either is constant.

    Within families, values and ranks are taken relative to their family's mean, and p has a degree of freedom less
    for each family.

    Args:
        measure: the name of x.
        outcome: the name of y.
        x: shape (starts,).
        y: shape (starts,).
        families: of each start.
        within: whether starts are compared with their own family only.

    Example:
        >>> from argflux.patterns.study.relations import correlate
        >>> found = correlate("zeros", "accuracy", [1, 2, 3, 4, 5], [9, 7, 8, 5, 1], "aaaaa", within=False)
        >>> round(found.spearman, 2), round(found.pearson, 2), found.spearman_interval[1] < 0
        (-0.9, -0.9, True)
    """
    values = np.array([x, y], np.float64)
    groups = _groups(families) if within else np.zeros(values.shape[1], int)
    if values.shape[1] < 3 or any(np.ptp(_centred(row, groups)) < 1e-12 for row in values):
        return None
    centred = np.array([_centred(row, groups) for row in values])
    ranks = np.array([_centred(_group_ranks(row, groups), groups) for row in values])
    straight, ranked = _cosine(*centred), _cosine(*ranks)
    p = _p_value(ranked, values.shape[1] - 1 - len(set(groups.tolist())))
    interval = _bootstrap(values, groups, ranked=False)
    rank_interval = _bootstrap(values, groups, ranked=True)
    return Correlation(measure, outcome, within, values.shape[1], straight, interval, ranked, rank_interval, p)


def compare(family: str, reference: str, outcome: str, one: Any, other: Any) -> Comparison:
    """Compare the mean of a family with that of the reference.

    Example:
        >>> from argflux.patterns.study.relations import compare
        >>> found = compare("new", "old", "accuracy", [0.9, 0.91, 0.92], [0.8, 0.81, 0.83])
        >>> round(found.difference, 3), found.interval[0] > 0
        (0.097, True)
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    rng = np.random.default_rng(0)
    means = [rng.choice(a, (RESAMPLES, len(a))).mean(axis=1) for a in (one, other)]
    difference = float(one.mean() - other.mean())
    p = _permutation_p(np.r_[one, other], len(one), difference)
    both = (float(one.mean()), float(other.mean()))
    return Comparison(family, reference, outcome, both, difference, _interval(means[0] - means[1]), p)


def adjusted(found: Sequence[T]) -> list[T]:
    """Return the same with `adjusted` set: p times the number of hypotheses that Holm's method has left.

    Reference:
        Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    order = np.argsort([each.p for each in found], kind="stable")
    result, worst = list(found), 0.0
    for rank, place in enumerate(order):
        worst = min(1.0, max(worst, (len(found) - rank) * found[place].p))
        result[place] = replace(found[place], adjusted=worst)
    return result


def _bootstrap(values: np.ndarray, groups: np.ndarray, ranked: bool) -> Interval:
    """Resample starts with replacement, within each group, and return what holds 95 % of the correlations."""
    rng = np.random.default_rng(0)
    pairs = []
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        x, y = values[:, rng.choice(rows, (RESAMPLES, len(rows)))]
        pairs.append((_ranks(x), _ranks(y)) if ranked else (x, y))
    x, y = (
        np.concatenate([part - part.mean(axis=1, keepdims=True) for part in parts], axis=1)
        for parts in zip(*pairs, strict=True)
    )
    return _interval(_cosine(x, y))


def _cosine(x: np.ndarray, y: np.ndarray) -> Any:
    """Return Σxy / √(Σx² Σy²) along the last axis, 0 where one is constant."""
    size = np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))
    found = np.where(size > 0, (x * y).sum(axis=-1) / np.where(size > 0, size, 1.0), 0.0)
    return float(found) if found.ndim == 0 else found


def _permutation_p(values: np.ndarray, size: int, difference: float) -> float:
    """Return how often a random division into two samples has means as far apart."""
    shuffled = np.random.default_rng(1).permuted(np.tile(values, (PERMUTATIONS, 1)), axis=1)
    found = np.abs(shuffled[:, :size].mean(axis=1) - shuffled[:, size:].mean(axis=1))
    return float((1 + np.sum(found >= abs(difference) - 1e-12)) / (1 + PERMUTATIONS))


def _interval(resamples: np.ndarray) -> Interval:
    low, high = np.quantile(resamples, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _p_value(r: float, freedom: int) -> float:
    from scipy import stats

    if freedom < 1:
        return 1.0
    t = abs(r) * np.sqrt(freedom / max(1e-15, 1 - r * r))
    return float(2 * stats.t.sf(t, freedom))


def _groups(families: Sequence[str]) -> np.ndarray:
    return np.unique(np.asarray(list(families)), return_inverse=True)[1]


def _centred(row: np.ndarray, groups: np.ndarray) -> np.ndarray:
    return row - (np.bincount(groups, row) / np.bincount(groups))[groups]


def _group_ranks(row: np.ndarray, groups: np.ndarray) -> np.ndarray:
    ranks = np.empty_like(row)
    for group in np.unique(groups):
        ranks[groups == group] = _ranks(row[groups == group])
    return ranks


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy import stats

    return stats.rankdata(values, axis=-1)
