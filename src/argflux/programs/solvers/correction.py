"""From the neighbourhood of a solution to the solution itself: the active set, and the point that it determines."""

import functools
from typing import Any, NamedTuple, Self

import numpy as np

from argflux.programs.answers.judge import Answer, active_set, multiply, violations
from argflux.programs.derivatives.sparsekkt import System, system_of
from argflux.programs.forms.form import Blocks, Form, bounds
from argflux.programs.forms.pattern import Sparse
from argflux.programs.forms.stencil import numbers, stencils
from argflux.programs.forms.units import Frame

STEPS = 8
EXACT = 1e-13
GOOD = 1e-10


class Point(NamedTuple):
    """Primal, duals of the rows, signed duals of the bounds."""

    x: np.ndarray
    dual: np.ndarray
    bound: np.ndarray


class Found(NamedTuple):
    """A point, and the largest of the residuals that decide whether it is a solution."""

    point: Point
    error: float


class Program(NamedTuple):
    """One instance of a sparse program.

    `blocks` and `frame` have a leading axis of length one; `values` are those of its matrices, as stencils take them.
    """

    form: Form
    blocks: Blocks
    frame: Frame
    values: np.ndarray
    q: np.ndarray
    right: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @classmethod
    def of(cls, form: Form, blocks: Blocks, frame: Frame, i: int) -> Self:
        """Instance i of a batch, whose matrices are dressed."""
        pick = lambda a: a[i % len(a)][None]
        one = Blocks(*[Sparse(pick(a.values), a.pattern) if isinstance(a, Sparse) else pick(a) for a in blocks])
        raw = [M.values[0] if isinstance(M, Sparse) else M[0] for M in (one.P, one.A, one.G)]
        lower, upper = (limit[0] for limit in bounds(form, one))
        right = np.concatenate([one.b[0], one.h[0]])
        return cls(form, one, Frame(*map(pick, frame)), numbers(*raw), one.q[0], right, lower, upper)

    @property
    def limited(self) -> bool:
        """Whether there is anything but equalities."""
        return any(np.isfinite(limit).any() for limit in (self.right[self.form.p :], self.lower, self.upper))

    def nothing(self) -> Point:
        """Zeros."""
        return Point(np.zeros(self.form.n), np.zeros(len(self.right)), np.zeros(self.form.n))

    def error(self, point: Point) -> float:
        """The largest of the residuals that decide whether a point is a solution."""
        x, dual, bound = (part[None] for part in point)
        answer = Answer(x, dual, bound, None, None, None)
        products = multiply(self.form, self.blocks, x)
        active, fixed, _ = active_set(self.form, self.blocks, answer, products, self.frame)
        answer = answer._replace(dual=dual * (active > 0), bound=bound * (fixed != 0))
        residuals = violations(self.form, self.blocks, answer, products, self.frame)
        worst = float(functools.reduce(np.maximum, residuals)[0])
        return worst if np.isfinite(worst) else np.inf


class Held(NamedTuple):
    """Flags of the rows that hold, of the lower and of the upper bounds."""

    rows: np.ndarray
    below: np.ndarray
    above: np.ndarray


def guessed(program: Program, point: Point) -> Found:
    """The solution that the active set at a point determines, and its error; mended once where it is none.

    Rows and bounds are taken to hold where duals outweigh slacks; one that is violated enters, one whose dual has the
    wrong sign leaves.
    """
    held = held_at(program, point)
    best = met(program, point, held)
    mended = held_at(program, best.point)
    if best.error <= GOOD or all(map(np.array_equal, held, mended)):
        return best
    return min(best, met(program, point, mended), key=lambda found: found.error)


def held_at(program: Program, point: Point) -> Held:
    """What holds at a point: where duals outweigh slacks, in units."""
    unit, norm = program.frame.unit[0], program.frame.norm[0]
    whole = stencils(program.form)
    C = whole.rows.matrix(program.values)
    reach = max(float(np.abs(point.x / unit).max()), 1e-300)
    force = max(float(np.abs(program.q * unit).max()), float(np.abs(point.dual * norm).max(initial=0.0)), 1e-300)
    holds = lambda slack, dual, size: (dual * size * size * reach > slack * force) | (slack < 0)
    rows = holds(program.right - C @ point.x, point.dual, norm) | (np.arange(len(norm)) < program.form.p)
    below = holds(point.x - program.lower, -point.bound, unit)
    above = holds(program.upper - point.x, point.bound, unit)
    return Held(rows, below & ~(above & (point.bound > 0)), above & ~(below & (point.bound <= 0)))


def met(program: Program, point: Point, held: Held | None = None) -> Found:
    """The least correction that meets the optimality conditions where everything `held` does, and its error.

    Without anything held these are the equalities.
    """
    form, k = program.form, len(program.right)
    if held is None:
        held = Held(np.arange(k) < form.p, np.zeros(form.n, bool), np.zeros(form.n, bool))
    raw = [
        M.values[0] if isinstance(M, Sparse) else M[0] for M in (program.blocks.P, program.blocks.A, program.blocks.G)
    ]
    system = system_of(form, *raw, held.rows, held.below | held.above)
    best, limit = Found(point, np.inf), np.where(held.below, program.lower, program.upper)
    point = Point(point.x, np.where(held.rows, point.dual, 0.0), np.where(system.fixed, point.bound, 0.0))
    for _ in range(3):
        r1, r2 = _left(program, system, point)
        moved = system.correct(r1, np.where(held.rows, r2, 0.0), np.where(system.fixed, limit - point.x, 0.0), STEPS)
        point = Point(*(a + b for a, b in zip(point, moved, strict=True)))
        found = Found(point, program.error(point))
        if not found.error < best.error:
            break
        best = found
        if found.error <= EXACT:
            break
    return best


def _left(program: Program, system: System, point: Point) -> tuple[Any, Any]:
    """What a point leaves of stationarity and of the rows."""
    n, product = program.form.n, system.whole @ np.concatenate([point.x, point.dual])
    return -(product[:n] + program.q + point.bound), program.right - product[n:]
