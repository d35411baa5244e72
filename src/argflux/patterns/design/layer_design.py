"""The weights of one layer: its linear programs stated, solved, moved apart and scaled."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from argflux.errors import ArgumentError, DataError
from argflux.patterns.design.distinct import part
from argflux.patterns.design.rows import UnitRows
from argflux.patterns.design.unit_programs import UnitPrograms, UnitSolutions

LARGEST_SIMPLEX = 1_000_000  # there a unit takes the simplex method 0.1 to 1 s, and the first-order one a tenth of that


@dataclasses.dataclass(frozen=True)
class DesignOptions:
    """How weights are designed; `design_weights` says what each means."""

    kappa: float = 0.1
    margin: float = 0.1
    minimise: str = "zeros"
    trust: float | None = None
    biases: bool = True
    balanced: bool = False
    scale: str | None = "signal"
    samples: int = 500
    solver: str = "auto"
    threads: int | None = None

    def check(self, where: str) -> "DesignOptions":
        """Return the options, all of which must be in their range.

        Raises:
            ArgumentError: naming the one that is not.
        """
        positive = lambda value: _is_number(value) and 0 < value < math.inf
        count = lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1
        one_of = lambda *names: lambda value: value in names
        rules: dict[str, tuple[Callable[[Any], bool], str]] = {
            "kappa": (lambda value: _is_number(value) and value >= 0, "a number from 0 to infinity"),
            "margin": (lambda value: value == 0 or positive(value), "a finite number of at least 0"),
            "minimise": (one_of("zeros", "patterns"), "'zeros' or 'patterns'"),
            "trust": (lambda value: value is None or positive(value), "None or a positive number"),
            "biases": (one_of(True, False), "True or False"),
            "balanced": (one_of(True, False), "True or False"),
            "scale": (one_of("signal", "variance", None), "'signal', 'variance' or None"),
            "samples": (count, "a whole number of at least 1"),
            "solver": (one_of("auto", "simplex", "first-order"), "'auto', 'simplex' or 'first-order'"),
            "threads": (lambda value: value is None or count(value), "None or a whole number of at least 1"),
        }
        for name, (fits, expected) in rules.items():
            if not fits(getattr(self, name)):
                raise ArgumentError(f"{name}={getattr(self, name)!r}", expected, "correct it", where=where)
        if math.isinf(self.kappa) and self.solver == "first-order":
            todo = "leave solver='auto', or pass a finite kappa"
            raise ArgumentError("kappa=inf with solver='first-order'", "the simplex method", todo, where=where)
        return self


@dataclasses.dataclass(frozen=True)
class LayerDesign:
    """The weights found for a layer, and how: shapes (units, columns) and (units,)."""

    weight: np.ndarray
    bias: np.ndarray
    status: dict[str, int]
    method: str
    scale: float


def design_layer(
    found: UnitRows,
    corner: float,
    options: DesignOptions,
    rng: np.random.Generator,
    usual: np.ndarray | None = None,
    done: Callable[[int], Any] = lambda units: None,
    where: str = "design_weights",
) -> LayerDesign:
    """Design the weights of one layer from its rows.

    Args:
        found: the rows, and the weights at the start.
        corner: the pre-activation above which a unit is on.
        options: how.
        rng: for the choice of rows, and for the objectives of units that have to be moved apart.
        usual: pre-activations whose size is to be kept, shape (n, units); None for those of the start on these rows.
        done: called with numbers of units done.
        where: for errors.

    Raises:
        DataError: for data on which the pre-activations do not vary.
        ArgumentError: for weights that are all zero, and a hard margin that cannot be reached.
    """
    bound = math.sqrt(3.0) * float(found.weight.std())
    if bound == 0:
        got, todo = "weights that are all equal", "pass init=kaiming_uniform, or another random start"
        raise ArgumentError(got, "random weights to start from", todo, where=where)
    spread = float(found.values.std(0).mean())
    if spread <= 1e-6 * np.abs(found.values).max(initial=0.0):
        todo = "pass more and different observations"
        raise DataError(f"{len(found.rows)} rows on which no unit varies", "data that varies", todo, where=where)
    sign = np.where(_mostly_on(found, corner) | (options.minimise == "zeros"), 1.0, -1.0)[:, None]
    programs, start = _programs(_chosen(found, options.samples, rng), corner, options, bound, spread, sign, rng)
    method = _method(programs, options)
    solution = _solve(programs, method, options.threads, done)
    _check_feasible(programs, solution, sign, options, where)
    solution = part(programs, solution, start, functools.partial(_solve, method=method, threads=options.threads), rng)
    keeps = corner == 0 and not found.offset.any()
    designed = _weighted(found, bound * sign * solution.weights)
    scale = _scale(found.values if usual is None else usual, designed.values, options.scale) if keeps else 1.0
    words, counts = np.unique(solution.status, return_counts=True)
    status = dict(zip(words.tolist(), counts.tolist(), strict=True))
    return LayerDesign(scale * designed.weight, scale * designed.bias, status, method, scale)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _mostly_on(found: UnitRows, corner: float) -> np.ndarray:
    return (found.values > corner).mean(0) >= 0.5


def _chosen(found: UnitRows, most: int, rng: np.random.Generator) -> UnitRows:
    """Keep a random choice of rows where a layer has several for each observation."""
    if len(found.rows) <= most:
        return found
    keep = np.sort(rng.choice(len(found.rows), most, replace=False))
    return dataclasses.replace(found, rows=found.rows[keep], offset=found.offset[keep])


def _programs(
    found: UnitRows,
    corner: float,
    options: DesignOptions,
    bound: float,
    spread: float,
    sign: np.ndarray,
    rng: np.random.Generator,
) -> tuple[UnitPrograms, np.ndarray]:
    """State the programs, and the start as their variables.

    Variables are weights over the bound, and rows are in spreads of the pre-activations, so that nothing depends
    on the units of the data. A unit that is to be off is mirrored.
    """
    rows, start, offset = found.rows, found.weight, found.offset - corner
    if options.biases and found.biased:
        rows = np.hstack([rows, np.ones((len(rows), 1))])
        start = np.hstack([start, found.bias[:, None]])
    else:
        offset = offset + found.bias
    columns = found.weight.shape[1]
    start = sign * np.clip(start / bound, -1.0, 1.0)
    gain = np.where(start.any(1, keepdims=True), start, rng.standard_normal(start.shape))
    gain[:, columns:] = 0.0
    offset = (sign.T * offset / spread).T
    trust = math.inf if options.trust is None else options.trust
    programs = UnitPrograms(
        rows=rows * (bound / spread),
        gain=gain / np.abs(gain).sum(1, keepdims=True),
        lower=np.maximum(-1.0, start - trust),
        upper=np.minimum(1.0, start + trust),
        offset=offset[:1] if (offset == offset[:1]).all() else offset,
        margin=float(options.margin),
        penalty=options.kappa / len(rows),
        balance=(np.arange(start.shape[1]) < columns).astype(float) if options.balanced else None,
    )
    return programs, start


def _method(programs: UnitPrograms, options: DesignOptions) -> str:
    if options.solver != "auto":
        return options.solver
    return "simplex" if programs.hard or programs.rows.size <= LARGEST_SIMPLEX else "first-order"


def _solve(
    programs: UnitPrograms, method: str, threads: int | None, done: Callable[[int], Any] = lambda units: None
) -> UnitSolutions:
    if method == "simplex":
        from argflux.patterns.design.simplex import solve_simplex

        return solve_simplex(programs, threads, done)
    from argflux.patterns.design.first_order import solve_first_order

    return solve_first_order(programs, done=done)


def _check_feasible(
    programs: UnitPrograms, solution: UnitSolutions, sign: np.ndarray, options: DesignOptions, where: str
) -> None:
    nowhere = programs.hard & (np.abs(solution.weights).max(1) < 1e-9)
    failed = np.flatnonzero((solution.status == "infeasible") | nowhere)
    if not len(failed):
        return
    from argflux.patterns.design.simplex import largest_margins

    largest = largest_margins(programs.take(failed), options.threads)
    worst = math.floor(float(largest.min()) * 1e4) / 1e4
    units = ", ".join(map(str, failed[:8])) + (", …" if len(failed) > 8 else "")
    got = f"margin={options.margin:g}, which {len(failed)} of {len(solution.status)} units cannot reach ({units})"
    todo = "pass such a margin, or a finite kappa" if worst > 0 else "pass a finite kappa, or biases=True"
    expected = f"at most {worst:g}, the largest margin that works for all" if worst > 0 else "a reachable margin"
    raise ArgumentError(got, expected, todo, where=where)


def _weighted(found: UnitRows, weights: np.ndarray) -> UnitRows:
    """Return the rows with these weights, and biases if there is a column of them."""
    columns = found.weight.shape[1]
    bias = weights[:, columns] if weights.shape[1] > columns else found.bias
    return dataclasses.replace(found, weight=weights[:, :columns], bias=bias)


def _scale(usual: np.ndarray, reached: np.ndarray, kept: str | None) -> float:
    """Return what the designed pre-activations are multiplied by to have the usual size.

    A unit that is on half of the time passes on half of its mean square; one that is always on would pass on all of
    it, and with it would grow the curvature of the loss. So what is passed on is compared to half of the usual.
    """
    if kept is None:
        return 1.0
    if kept == "variance":
        target, size = usual.var(0).mean(), reached.var(0).mean()
    else:
        target, size = np.square(usual).mean() / 2, np.square(np.maximum(reached, 0.0)).mean()
    return math.sqrt(target / size) if size > 0 else 1.0
