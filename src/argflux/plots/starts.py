"""Figures of a study of starts: measures against outcomes, correlations with intervals, families, learning curves."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from argflux.errors import DataError
from argflux.keywords import explained
from argflux.plots.checks import Studies, Study
from argflux.plots.style import GRID, INK, MUTED, colour, styled

MARKERS = "os^Dvp*Xh"


@explained
@styled
def scatter_starts(study: Study, measures: Sequence[str] | None = None, outcome: str = "test accuracy") -> Figure:
    """Draw what was measured of starts before training against what came of them, a panel for each measure.

    Each panel is headed by the correlation of ranks over all starts and within families, with 95 % intervals.

    Args:
        study: a Study.
        measures: the names of the measures; all by default.
        outcome: the name of the outcome.

    Returns:
        A matplotlib Figure.

    Raises:
        DataError: for a study without records, or no measures.

    Example:
        >>> from argflux.patterns import Study
        >>> from argflux.plots import scatter_starts
        >>> curve = [0.1, 0.5]
        >>> starts = [
        ...     {"family": "f", "start": i, "before": {"zeros": i}, "after": {"gap": 0.1 * i}, "test accuracy": curve}
        ...     for i in range(4)
        ... ]
        >>> study = Study({"families": ["f"], "epochs": 1, "every": 1}, starts)
        >>> scatter_starts(study, outcome="gap").axes[0].get_xlabel()
        'zeros'
    """
    _check(study)
    names = list(study.measures if measures is None else measures)
    if not names:
        raise DataError("no measures", "at least one", "name one of study.measures", where="scatter_starts")
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(3.7 * columns + 0.4, 3.4 * rows + 0.5))
    y = study.outcome(outcome)
    for place, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, place + 1, xlabel=name, ylabel=outcome if place % columns == 0 else "")
        x = study.measure(name)
        _points(axes, study, x, y)
        axes.set_title(_correlated(study, name, outcome), fontsize=10)
    _legend(figure, study)
    return figure


@explained
@styled
def forest_of_correlations(studies: Studies, *, within: bool = True) -> Figure:
    """Draw the rank correlations of every measure with every outcome, with their bootstrap intervals.

    A filled point is a correlation that stands after Holm's correction, p below 5 %.

    Args:
        studies: a Study, or a dict of several by name.
        within: whether every start is compared with its own family only.

    Returns:
        A matplotlib Figure.

    Example:
        >>> from argflux.patterns import Study
        >>> from argflux.plots import forest_of_correlations
        >>> after = {"test accuracy": 0.5, "gap": 0.0}
        >>> starts = [
        ...     {"family": "f", "start": i, "before": {"zeros": i}, "after": after, "test accuracy": [0, 1 / (i + 1)]}
        ...     for i in range(6)
        ... ]
        >>> figure = forest_of_correlations(Study({"families": ["f"], "epochs": 1, "every": 1}, starts))
        >>> figure.axes[0].get_title("left")
        'epochs to level'
    """
    named = studies if isinstance(studies, Mapping) else {"": studies}
    found = {name: study.correlations(within=within) for name, study in named.items()}
    outcomes = list(dict.fromkeys(each.outcome for some in found.values() for each in some))
    rows = list(dict.fromkeys((name, each.measure) for name, some in found.items() for each in some))
    if not rows:
        todo = "take more starts: three at least, that differ"
        raise DataError("no correlations", "measures and outcomes that vary", todo, where="forest_of_correlations")
    figure = Figure(figsize=(3.6 + 2.7 * len(outcomes), 1.5 + 0.34 * len(rows)))
    for place, outcome in enumerate(outcomes):
        axes = figure.add_subplot(1, len(outcomes), place + 1, xlim=(-1, 1), title=outcome)
        axes.axvline(0, color=MUTED, linewidth=1)
        for (name, each), height in _with_heights(found, rows, outcome):
            _interval(axes, each, height, colour(list(named).index(name)))
        labels = (
            [f"{name}: {measure}" if name else measure for name, measure in rows] if place == 0 else [""] * len(rows)
        )
        axes.set_yticks(range(len(rows), 0, -1), labels)
        axes.set_ylim(0.3, len(rows) + 0.7)
        axes.grid(axis="y", visible=False)
    how = "within families" if within else "over all starts"
    figure.supxlabel(f"correlation of ranks {how}, 95 % interval; filled: stands after correction", fontsize=10)
    return figure


@explained
@styled
def families_compared(study: Study) -> Figure:
    """Draw test accuracy, gap and speed of every start by family, with the mean and its 95 % interval.

    Args:
        study: a Study.

    Returns:
        A matplotlib Figure with three panels.

    Example:
        >>> from argflux.patterns import Study
        >>> from argflux.plots import families_compared
        >>> after = {"test accuracy": 0.5, "gap": 0.0}
        >>> start = {"family": "f", "start": 0, "before": {}, "after": after, "test accuracy": [0.1, 0.5]}
        >>> len(families_compared(Study({"families": ["f"], "epochs": 1, "every": 1}, [start])).axes)
        3
    """
    _check(study)
    titles = {
        "test accuracy": "test accuracy",
        "gap": "training minus test accuracy",
        "epochs to level": f"epochs to {100 * study.level:.1f} % test accuracy",
    }
    figure = Figure(figsize=(10.5, 1.6 + 0.42 * len(study.families)))
    rng = np.random.default_rng(0)
    for place, (outcome, title) in enumerate(titles.items()):
        axes = figure.add_subplot(1, 3, place + 1, title=title)
        y = study.outcome(outcome)
        for row, family in enumerate(study.families):
            values = y[(study.family == family) & np.isfinite(y)]
            if not values.size:
                continue
            height = len(study.families) - row
            spread = height + rng.uniform(-0.2, 0.2, values.size)
            axes.plot(values, spread, ".", color=colour(row), markersize=4, alpha=0.5)
            means = rng.choice(values, (1000, values.size)).mean(axis=1)
            axes.plot(np.quantile(means, [0.025, 0.975]), [height, height], color=INK, linewidth=2.5)
            axes.plot(values.mean(), height, "|", color=INK, markersize=14, markeredgewidth=2.5)
        axes.set_yticks(range(len(study.families), 0, -1), study.families if place == 0 else [""] * len(study.families))
        axes.set_ylim(0.4, len(study.families) + 0.6)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="y", visible=False)
    return figure


@explained
@styled
def learning_curves(study: Study) -> Figure:
    """Draw the median test accuracy of every family along the way, with the middle half of its starts.

    Args:
        study: a Study.

    Returns:
        A matplotlib Figure.

    Example:
        >>> from argflux.patterns import Study
        >>> from argflux.plots import learning_curves
        >>> start = {"family": "f", "start": 0, "before": {}, "after": {}, "test accuracy": [0.1, 0.5]}
        >>> learning_curves(Study({"families": ["f"], "epochs": 1, "every": 1}, [start])).axes[0].get_xlabel()
        'epoch'
    """
    _check(study)
    figure = Figure(figsize=(7.2, 4.2))
    axes = figure.add_subplot(xlabel="epoch", ylabel="test accuracy")
    for index, family in enumerate(study.families):
        curves = study.curves[study.family == family]
        if not len(curves):
            continue
        low, middle, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
        axes.plot(study.epochs, middle, color=colour(index), label=family, marker=MARKERS[index % len(MARKERS)], ms=4)
        axes.fill_between(study.epochs, low, high, color=colour(index), alpha=0.12, linewidth=0)
    axes.axhline(study.level, color=MUTED, linewidth=1, linestyle=":")
    axes.legend(loc="lower right", fontsize=10)
    return figure


def _check(study: Study) -> None:
    if not study.records:
        todo = "run the study, or load it from its folder"
        raise DataError("a study without records", "at least one start", todo, where="study")


def _points(axes: Axes, study: Any, x: np.ndarray, y: np.ndarray) -> None:
    for index, family in enumerate(study.families):
        own = study.family == family
        marker = MARKERS[index % len(MARKERS)]
        axes.plot(x[own], y[own], marker, color=colour(index), markersize=4, alpha=0.6, markeredgewidth=0)


def _correlated(study: Any, measure: str, outcome: str) -> str:
    lines = []
    for within, words in ((False, "all starts"), (True, "within families")):
        match = [e for e in study.correlations(within=within) if (e.measure, e.outcome) == (measure, outcome)]
        if match:
            low, high = match[0].spearman_interval
            lines.append(f"{words}: ρ = {match[0].spearman:+.2f} [{low:+.2f}, {high:+.2f}]")
    return "\n".join(lines) or "the same for all starts"


def _legend(figure: Figure, study: Any) -> None:
    handles = [
        figure.axes[0].plot([], [], MARKERS[i % len(MARKERS)], color=colour(i), label=family)[0]
        for i, family in enumerate(study.families)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), fontsize=10)


def _with_heights(found: dict, rows: list, outcome: str) -> list:
    return [
        ((name, each), len(rows) - rows.index((name, each.measure)))
        for name, some in found.items()
        for each in some
        if each.outcome == outcome
    ]


def _interval(axes: Axes, each: Any, height: int, ink: str) -> None:
    stands = each.adjusted < 0.05
    axes.plot(each.spearman_interval, [height, height], color=ink if stands else GRID, linewidth=2.5)
    axes.plot(each.spearman, height, "o", color=ink, markerfacecolor=ink if stands else "white", markersize=6)
