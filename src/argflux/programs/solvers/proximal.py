"""The proximal method of multipliers: from a point near a solution to the set of constraints that hold there."""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
from scipy.sparse import csc_array

from argflux.programs.derivatives.leastnorm import symmetric_factors
from argflux.programs.forms.stencil import stencils
from argflux.programs.solvers.correction import Held, Point, Program
from argflux.programs.solvers.scaling import Instance, Units

WEIGHT = 1e-5
STIFF, SOFT, SHARE = 1e-6, 1e-2, 10.0
QUICK, FIRMER = 5, 10.0
CENTRES, STEPS = 6, 40
STILL = 1e-10


class Normal(NamedTuple):
    """A program in units in which unknowns, rows and forces are near one."""

    K: csc_array
    q: np.ndarray
    right: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    equal: np.ndarray

    @classmethod
    def of(cls, data: Instance) -> Self:
        """Of a program that is measured in such units."""
        K = stencils(data.form).saddle.matrix(data.values)
        return cls(K, data.q, data.right, data.lower, data.upper, np.arange(len(data.right)) < data.form.p)


def centres(program: Program, point: Point) -> Iterator[tuple[Point, Held]]:
    """Solutions of the program with a small weight on the distance from the last one, and what holds there.

    Source:
        Rockafellar, "Augmented Lagrangians and applications of the proximal point algorithm in convex programming"
        (1976); Hermans, Themelis and Patrinos, "QPALM: a proximal augmented Lagrangian method for nonconvex quadratic
        programs" (2022), for the steps.
    """
    units = _units_at(program, point)
    normal, parts = Normal.of(program.data.in_units(units)), units.parts()
    centre = Point(*(value / unit for value, unit in zip(point, parts, strict=True)))
    soft = _softness(normal, centre)
    for _ in range(CENTRES):
        found = _centred(normal, centre, soft)
        if found is None:
            return
        centre, held, steps = found
        if steps <= QUICK:
            soft = _Ramps(*(np.maximum(part / FIRMER, STIFF) for part in soft))
        yield Point(*(value * unit for value, unit in zip(centre, parts, strict=True))), held


def _units_at(program: Program, point: Point) -> Units:
    """Units in which a point and its forces are one."""
    unit, norm, data = program.frame.unit[0], program.frame.norm[0], program.data
    width = float(np.abs(point.x / unit).max()) or 1.0
    forces = data.q * unit, point.dual * norm, point.bound * unit
    force = max(float(np.abs(part).max(initial=0.0)) for part in forces) or 1.0
    return Units(unit, 1 / np.where(norm > 0, norm, 1.0), 1 / force, width)


class _Ramps(NamedTuple):
    """`max(0, value)` for every limit: rows, then upper and lower bounds; equal rows are not cut off at zero."""

    rows: np.ndarray
    above: np.ndarray
    below: np.ndarray

    def cut(self, equal: np.ndarray) -> "_Ramps":
        return _Ramps(np.where(equal, self.rows, np.maximum(self.rows, 0.0)), *(np.maximum(r, 0.0) for r in self[1:]))


def _softness(normal: Normal, point: Point) -> _Ramps:
    """How far each limit gives way to a unit of force: further where slack and dual do not tell whether it holds."""
    n = len(normal.q)
    slacks = normal.right - (normal.K @ np.concatenate([point.x, 0 * point.dual]))[n:], *_gaps(normal, point.x)
    duals = point.dual, np.maximum(point.bound, 0.0), np.maximum(-point.bound, 0.0)
    with np.errstate(all="ignore"):
        ratios = [SHARE * np.abs(slack) / np.abs(dual) for slack, dual in zip(slacks, duals, strict=True)]
    rows, *bounds = [np.clip(np.where(np.isnan(ratio), SOFT, ratio), STIFF, SOFT) for ratio in ratios]
    return _Ramps(np.where(normal.equal, STIFF, rows), *bounds)


def _gaps(normal: Normal, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return normal.upper - x, x - normal.lower


def _centred(normal: Normal, centre: Point, soft: _Ramps) -> tuple[Point, Held, int] | None:
    """The minimum with a weight on the distance from a centre, and how many steps it takes; `None` where they fail."""
    n, x, least = len(normal.q), centre.x, np.inf
    duals = _Ramps(centre.dual, np.maximum(centre.bound, 0.0), np.maximum(-centre.bound, 0.0))
    steps = 0
    while steps < STEPS:
        product = normal.K @ np.concatenate([x, np.zeros(len(normal.equal))])
        excess = product[n:] - normal.right, x - normal.upper, normal.lower - x
        ramps = _Ramps(*(dual + part / give for dual, part, give in zip(duals, excess, soft, strict=True)))
        forces = ramps.cut(normal.equal)
        bound = forces.above - forces.below
        pull = (normal.K @ np.concatenate([np.zeros(n), forces.rows]))[:n]
        slope = product[:n] + normal.q + WEIGHT * (x - centre.x) + pull + bound
        held = Held(normal.equal | (ramps.rows > 0), ramps.below > 0, ramps.above > 0)
        size = float(np.abs(slope).max())
        if size <= STILL or not size < np.inf:
            break
        steps += 1
        step = _newton(normal, held, soft, slope)
        length, full = _length(normal, ramps, soft, step, float(step @ (slope - pull - bound)))
        x = x + length * step
        if full and size >= least:
            break
        least = min(size, least)
    return (Point(x, forces.rows, bound), held, steps) if np.isfinite(x).all() else None


def _newton(normal: Normal, held: Held, soft: _Ramps, slope: np.ndarray) -> np.ndarray:
    """The step to the minimum if what holds does not change."""
    n, K = len(normal.q), normal.K
    kept = np.concatenate([np.ones(n, bool), held.rows])
    columns = np.repeat(np.arange(len(kept)), np.diff(K.indptr))
    inside = kept[K.indices] & kept[columns]
    places = np.cumsum(kept, dtype=np.int32) - 1
    rows, across, values = places[K.indices[inside]], places[columns[inside]], K.data[inside]
    own = np.concatenate([WEIGHT + held.above / soft.above + held.below / soft.below, -soft.rows[held.rows]])
    values[rows == across] += own
    starts = np.searchsorted(across, np.arange(len(own) + 1)).astype(np.int32)
    right = np.concatenate([-slope, np.zeros(len(own) - n)])
    return symmetric_factors(csc_array((values, rows, starts), shape=(len(own), len(own)))).solve(right)[:n]


def _length(normal: Normal, ramps: _Ramps, soft: _Ramps, step: np.ndarray, smooth: float) -> tuple[float, bool]:
    """How far along a step the minimum is, and whether nothing changes on the way to the end of it.

    The derivative along the step is a sum of ramps: it rises, with a kink where a limit begins or ceases to hold.
    """
    n = len(step)
    product = normal.K @ np.concatenate([step, np.zeros(len(normal.equal))])
    curve = float(step @ product[:n]) + WEIGHT * float(step @ step)
    gives, values = np.concatenate(soft), np.concatenate(ramps)
    rates = np.concatenate([product[n:], step, -step]) / gives
    always = np.concatenate([normal.equal, np.zeros(2 * n, bool)])
    given = np.isfinite(values)
    rates, values, gives, always = rates[given], values[given], gives[given], always[given]
    on = always | (values > 0)
    level, bend = gives * rates * values, gives * rates**2
    level0, bend0 = smooth + float(level[on].sum()), curve + float(bend[on].sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        kinks = np.where(always | (rates == 0), np.inf, -values / rates)
    changes = np.flatnonzero((kinks > 0) & np.isfinite(kinks))
    changes = changes[np.argsort(kinks[changes])]
    signs = np.where(on[changes], -1.0, 1.0)
    levels = level0 + np.concatenate([[0.0], np.cumsum(signs * level[changes])])
    bends = bend0 + np.concatenate([[0.0], np.cumsum(signs * bend[changes])])
    ends = np.append(kinks[changes], np.inf)
    reached = np.flatnonzero(levels[:-1] + bends[:-1] * ends[:-1] >= 0)
    piece = int(reached[0]) if len(reached) else len(ends) - 1
    length = -levels[piece] / bends[piece] if bends[piece] > 0 else 1.0
    return float(length), piece == 0
