"""Loss curves: what training did to the loss."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from argflux.errors import DataError
from argflux.keywords import explained
from argflux.kinds import Reals, having
from argflux.plots.style import colour, label_ends, styled

Run = Reals | Annotated[Any, having("losses", "a History")]
Runs = Run | Mapping[str, Run]
SMOOTHED_FROM = 400  # more steps than this are drawn faintly behind their running mean


@explained
@styled
def loss_curve(losses: Runs, *, title: str = "", xlabel: str = "step", ylabel: str = "loss") -> Figure:
    """Draw the loss of every step of one run or of several.

    The loss axis is logarithmic when all losses are positive and span more than a factor of 20. Runs of over
    400 steps show the mean over a fiftieth of the run around each step, with the single steps faintly behind it.

    Args:
        losses: the losses of a run, shape (steps,); or a history that has them as `losses`; or a dict of
            either by the name of the run.
        title: above the axes.
        xlabel: what the horizontal axis counts, from 1.
        ylabel: what the vertical axis measures.

    Returns:
        A matplotlib Figure; each curve is named beside its end with its last value.

    Raises:
        DataError: for no runs, or a run without one finite loss.

    Example:
        >>> from argflux.plots import loss_curve
        >>> figure = loss_curve({"slow": [2.0, 1.5, 1.2], "fast": [2.0, 0.6, 0.1]}, title="Two rates")
        >>> figure.axes[0].get_ylabel()
        'loss'
    """
    named = losses if isinstance(losses, Mapping) else {"": losses}
    runs = {str(name): _finite_or_gap(name, run) for name, run in named.items()}
    if not runs:
        raise DataError("no runs", "at least one", "pass {name: losses}", where="loss_curve")
    window = _window(max(run.size for run in runs.values()))
    note = f"   (bold: mean of {window})" if window > 1 else ""
    figure = Figure(figsize=(7.2, 4.2))
    axes = figure.add_subplot(title=title, xlabel=xlabel + note, ylabel=ylabel)
    ends = [_draw_run(axes, run, window, colour(i)) for i, run in enumerate(runs.values())]
    _scale(axes, runs)
    texts = [f"{name}  {end:.3g}".strip() for name, end in zip(runs, ends, strict=True)]
    label_ends(axes, ends, texts)
    return figure


def _window(steps: int) -> int:
    return steps // 50 if steps > SMOOTHED_FROM else 1


def _finite_or_gap(name: object, run: Run) -> np.ndarray:
    run = np.asarray(getattr(run, "losses", run), dtype=float).reshape(-1)
    if not np.isfinite(run).any():
        got = f"{run.size} losses, none of them finite" if run.size else "no losses"
        where = f"loss_curve[{name!r}]" if name else "loss_curve"
        raise DataError(got, "at least one finite loss", "train for at least one step", where=where)
    return np.where(np.isfinite(run), run, np.nan)


def _draw_run(axes: Axes, run: np.ndarray, window: int, ink: str) -> float:
    steps = np.arange(1, run.size + 1)
    if window > 1:
        axes.plot(steps, run, color=ink, linewidth=0.6, alpha=0.25)
    mean = _running_mean(run, window)
    axes.plot(steps, mean, color=ink, marker="o" if run.size == 1 else "", clip_on=False)
    return float(mean[np.isfinite(mean)][-1])


def _running_mean(run: np.ndarray, window: int) -> np.ndarray:
    """Average over `window` steps around each one, gaps left out.

    At the start the window is narrower and stays even on both sides, so that a steep curve does not lag behind the
    steps; at the end it is the last one that fits.
    """
    place, half = np.arange(run.size), window // 2
    low = np.clip(place - half, 0, max(0, run.size - window))
    high = np.minimum(place + np.maximum(1, np.minimum(place + 1, half)), run.size)
    known = np.isfinite(run)
    sums = np.r_[0.0, np.cumsum(np.where(known, run, 0.0))]
    counts = np.r_[0.0, np.cumsum(known)]
    number = counts[high] - counts[low]
    return np.divide(sums[high] - sums[low], number, out=np.full(run.size, np.nan), where=number > 0)


def _scale(axes: Axes, runs: Mapping[str, np.ndarray]) -> None:
    axes.set_xlim(1, max(2, *(run.size for run in runs.values())))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    values = np.concatenate(list(runs.values()))
    low, high = np.nanmin(values), np.nanmax(values)
    if low > 0 and high / low > 20:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=8))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    elif low >= 0:
        axes.set_ylim(bottom=0)
