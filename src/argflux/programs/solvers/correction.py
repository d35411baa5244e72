"""From the neighbourhood of a solution to the solution itself: the active set, and the point that it determines."""

import functools
from typing import NamedTuple, Self

import numpy as np

from argflux.programs.answers.judge import Answer, active_set, multiply, violations
from argflux.programs.derivatives.sparsekkt import System, system_of
from argflux.programs.forms.form import Blocks, Form, bounds
from argflux.programs.forms.pattern import Sparse
from argflux.programs.forms.stencil import numbers, stencils
from argflux.programs.forms.units import FAR, NOTHING, SLIGHT, Frame
from argflux.programs.solvers.scaling import Instance

STEPS, REPEATS = 8, 3
EXACT = 1e-13
GOOD = 1e-10


class Point(NamedTuple):
    """Primal, duals of the rows, signed duals of the bounds."""

    x: np.ndarray
    dual: np.ndarray
    bound: np.ndarray


class Answered(NamedTuple):
    """What a method finds for one instance."""

    point: Point
    status: int
    iterations: int


class Found(NamedTuple):
    """A point, and the largest of the residuals that decide whether it is a solution."""

    point: Point
    error: float


class Program(NamedTuple):
    """One instance of a sparse program: its numbers, and blocks with their frame, which have an axis of length one."""

    data: Instance
    blocks: Blocks
    frame: Frame

    @classmethod
    def of(cls, form: Form, blocks: Blocks, frame: Frame, i: int) -> Self:
        """Instance i of a batch, whose matrices are dressed."""
        pick = lambda a: a[i % len(a)][None]
        one = Blocks(*[Sparse(pick(a.values), a.pattern) if isinstance(a, Sparse) else pick(a) for a in blocks])
        raw = [M.values[0] if isinstance(M, Sparse) else M[0] for M in (one.P, one.A, one.G)]
        vectors = one.q[0], np.concatenate([one.b[0], one.h[0]]), *(limit[0] for limit in bounds(form, one))
        return cls(Instance(form, numbers(*raw), *vectors), one, Frame(*map(pick, frame)))

    @property
    def form(self) -> Form:
        """Sizes and kinds."""
        return self.data.form

    @property
    def limited(self) -> bool:
        """Whether there is anything but equalities."""
        return any(np.isfinite(limit).any() for limit in (self.data.right[self.form.p :], *self.data[-2:]))

    @property
    def natural(self) -> float:
        """The size, in units, of solutions that the cost and the distance of zero from the limits suggest."""
        size = float(self.frame.nothing[0, 0]) / NOTHING
        return size if 0 < size < np.inf else 1.0

    def nothing(self) -> Point:
        """Zeros."""
        return Point(np.zeros(self.form.n), np.zeros(len(self.data.right)), np.zeros(self.form.n))

    def judged(self, point: Point) -> Found:
        """A point with its error."""
        if self.is_far(point):
            return Found(point, np.inf)
        x, dual, bound = (part[None] for part in point)
        answer = Answer(x, dual, bound, None, None, None)
        products = multiply(self.form, self.blocks, x)
        active, fixed, _ = active_set(self.form, self.blocks, answer, products, self.frame)
        answer = answer._replace(dual=dual * (active > 0), bound=bound * (fixed != 0))
        residuals = violations(self.form, self.blocks, answer, products, self.frame)
        worst = max(float(functools.reduce(np.maximum, residuals)[0]), self._gap(answer, products.curved))
        return Found(point, worst if np.isfinite(worst) else np.inf)

    def is_far(self, point: Point) -> bool:
        """Whether a point or its forces are so large that, beside their size, any rows are met."""
        sizes = np.abs(point.x / self.frame.unit[0]), SLIGHT * np.abs(point.dual * self.frame.norm[0])
        return self.form.curvature != "none" and max(s.max(initial=0.0) for s in sizes) > FAR * self.natural

    def _gap(self, answer: Answer, curved: np.ndarray) -> float:
        """The objective less that of the dual program, beside its terms and those of solutions of natural size."""
        data, (x, dual, bound), curved = self.data, (part[0] for part in answer[:3]), curved[0]
        limit = np.where(bound > 0, data.upper, data.lower)
        pulls = [(dual, data.right), (bound, limit)]
        paid = sum(float(force @ np.where(force != 0, at, 0.0)) for force, at in pulls)
        size = float(np.abs(x * curved).sum() + np.abs(x * data.q).sum())
        if self.form.curvature != "none":  # units in which the curvature is one
            size = max(size, self.natural**2)
        return abs(float(x @ (curved + data.q)) + paid) / max(size, 1e-300)


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
    data, unit, norm = program.data, program.frame.unit[0], program.frame.norm[0]
    C = stencils(program.form).rows.matrix(data.values)
    reach = max(float(np.abs(point.x / unit).max()), 1e-300)
    force = max(float(np.abs(data.q * unit).max()), float(np.abs(point.dual * norm).max(initial=0.0)), 1e-300)
    holds = lambda slack, dual, size: (dual * size * size * reach > slack * force) | (slack < 0)
    rows = holds(data.right - C @ point.x, point.dual, norm) | (np.arange(len(norm)) < program.form.p)
    below = holds(point.x - data.lower, -point.bound, unit)
    above = holds(data.upper - point.x, point.bound, unit)
    return Held(rows, below & ~(above & (point.bound > 0)), above & ~(below & (point.bound <= 0)))


def met(program: Program, point: Point, held: Held | None = None) -> Found:
    """The least correction that meets the optimality conditions where everything `held` does, and its error.

    Without anything held these are the equalities.
    """
    data, k = program.data, len(program.data.right)
    if held is None:
        none = np.zeros(program.form.n, bool)
        held = Held(np.arange(k) < program.form.p, none, none)
    system = system_of(program.form, data.values, held.rows, held.below | held.above)
    best, limit = Found(point, np.inf), np.where(held.below, data.lower, data.upper)
    point = Point(point.x, np.where(held.rows, point.dual, 0.0), np.where(system.fixed, point.bound, 0.0))
    for _ in range(REPEATS):
        r1, r2 = _left(data, system, point)
        moved = system.correct(r1, np.where(held.rows, r2, 0.0), np.where(system.fixed, limit - point.x, 0.0), STEPS)
        point = Point(*(a + b for a, b in zip(point, moved, strict=True)))
        found = program.judged(point)
        if not found.error < best.error:
            break
        best = found
        if found.error <= EXACT:
            break
    return best


def _left(data: Instance, system: System, point: Point) -> tuple[np.ndarray, np.ndarray]:
    """What a point leaves of stationarity and of the rows."""
    n, product = len(data.q), system.whole @ np.concatenate([point.x, point.dual])
    return -(product[:n] + data.q + point.bound), data.right - product[n:]
