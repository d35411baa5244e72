"""Clarabel's interior-point method on the host, for quadratic programs with sparse matrices."""

import functools
import importlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csc_array, eye_array

from argflux.programs.answers.judge import Answer
from argflux.programs.answers.status import Status
from argflux.programs.derivatives.leastnorm import symmetric_factors
from argflux.programs.forms.form import Blocks, Form, batch_size
from argflux.programs.forms.hostcall import cores, share
from argflux.programs.forms.stencil import numbers, stencils
from argflux.programs.forms.units import Frame
from argflux.programs.solvers.correction import GOOD, Found, Point, Program, guessed, met
from argflux.programs.solvers.proximal import centres
from argflux.programs.solvers.scaling import Units, power

ACCURACY, ENOUGH = 1e-2, 0.1
CONVEX, SLACK = 1e-9, 1e-6
LIMIT = 200
FAILED = int(Status.NUMERICAL_ERROR)
STATUSES = {
    "Solved": Status.SOLVED,
    "AlmostSolved": Status.SOLVED,
    "InsufficientProgress": Status.SOLVED,
    "PrimalInfeasible": Status.PRIMAL_INFEASIBLE,
    "AlmostPrimalInfeasible": Status.PRIMAL_INFEASIBLE,
    "DualInfeasible": Status.DUAL_INFEASIBLE,
    "AlmostDualInfeasible": Status.DUAL_INFEASIBLE,
    "MaxIterations": Status.ITERATION_LIMIT,
}


class Answered(NamedTuple):
    """What a method finds for one instance."""

    point: Point
    status: int
    iterations: int


def solve_clarabel(form: Form, settings: Any, blocks: Blocks, usable: np.ndarray, measures: Frame) -> Answer:
    """Solve programs whose matrices are values on patterns, one after another, on all cores.

    Source:
        Goulart and Chen, "Clarabel: an interior-point solver for conic programs with quadratic objectives" (2024).
    """
    batch = batch_size(blocks)
    found = np.zeros((batch, form.n)), np.zeros((batch, form.p + form.m)), np.zeros((batch, form.n))
    status, iterations = np.full(batch, FAILED, np.int32), np.zeros(batch, np.int32)
    chosen = np.flatnonzero(np.broadcast_to(usable, batch))

    def work(left: Iterator[int]) -> None:
        for i in map(chosen.__getitem__, left):
            point, status[i], iterations[i] = solve_one(Program.of(form, blocks, measures, i), settings)
            for values, part in zip(found, point, strict=True):
                values[i] = part

    share(work, len(chosen), cores())
    return Answer(*found, status, iterations, status == int(Status.SOLVED))


def solve_one(program: Program, settings: Any) -> Answered:
    """Solve one instance, by its equalities alone where it has nothing else, and make the solution exact."""
    if not is_convex(program.form, program.data.values, min(max(settings.slack, CONVEX), SLACK)):
        return Answered(program.nothing(), int(Status.BAD_DATA), 0)
    if not program.limited:
        found = met(program, program.nothing())
        if found.error <= GOOD:
            return Answered(found.point, int(Status.SOLVED), 1)
    first = _attempt(program, settings, _plain(program))
    if first.status == Status.SOLVED:
        return first
    second = _attempt(program, settings, _units(program))
    return second if second.status == Status.SOLVED else first


def _attempt(program: Program, settings: Any, units: Units) -> Answered:
    """Solve an instance in units, and make the solution exact."""
    answered = _run(program, settings, units)
    if answered.status in (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE):
        return answered
    best = corrected(program, answered.point, ENOUGH * settings.tolerance)
    if not best.error < np.inf:
        return Answered(program.nothing(), FAILED, answered.iterations)
    status = Status.SOLVED if best.error <= settings.tolerance else answered.status
    status = FAILED if status == Status.SOLVED and best.error > settings.tolerance else status
    return Answered(best.point, int(status), answered.iterations)


def corrected(program: Program, point: Point, enough: float) -> Found:
    """What the active set at a point determines, or the best of the proximal method's points after that one."""
    if program.is_far(point):
        return Found(point, np.inf)
    best = guessed(program, point)
    if best.error <= GOOD:
        return best
    best = min(best, program.judged(point), key=lambda found: found.error)
    if best.error <= enough:
        return best
    for centre, held in centres(program, point):
        best = min(best, met(program, centre, held), program.judged(centre), key=lambda found: found.error)
        if best.error <= enough:
            break
    return best


def _run(program: Program, settings: Any, units: Units) -> Answered:
    """What Clarabel makes of the rows and the bounds that are there, in units."""
    clarabel: Any = importlib.import_module("clarabel")
    made = stencils(program.form)
    data = program.data.in_units(units)
    n, p, k = len(data.q), program.form.p, len(data.right)
    right = np.concatenate([data.right, data.upper, -data.lower])
    given = np.isfinite(right)
    limits: Any = made.limits.part(data.values, given, np.ones(n, bool))
    cones = [clarabel.ZeroConeT(p), clarabel.NonnegativeConeT(limits.shape[0] - p)]
    cones = [cone for cone, size in zip(cones, (p, limits.shape[0] - p), strict=True) if size]
    upper = made.upper.matrix(data.values)
    found = clarabel.DefaultSolver(upper, data.q, limits, right[given], cones, _options(settings)).solve()
    z = np.zeros(len(right))
    z[given] = found.z
    parts = np.array(found.x), z[:k], z[k : k + n] - z[k + n :]
    point = Point(*(value * unit for value, unit in zip(parts, units.parts(), strict=True)))
    if not all(np.isfinite(part).all() for part in point):
        point = program.nothing()
    status = STATUSES.get(str(found.status), FAILED)
    if status == Status.ITERATION_LIMIT and settings.max_iterations > LIMIT:  # the limit is ours, not the user's
        status = FAILED
    return Answered(point, int(status), found.iterations)


def _plain(program: Program) -> Units:
    """The user's units."""
    return Units(np.ones(program.form.n), np.ones(len(program.data.right)))


def _units(program: Program) -> Units:
    """Units in which the curvature, or the cost, the rows and the size of solutions are near one."""
    unit, norm, size = 1 / power(program.frame.unit[0]), power(program.frame.norm[0]), 1 / power(program.natural)
    if program.form.curvature != "none":
        return Units(unit, norm, float(1 / size), float(size))
    return Units(unit, norm, float(power(np.abs(program.data.q * unit).max())), float(size))


def _options(settings: Any) -> Any:
    options = importlib.import_module("clarabel").DefaultSettings()
    options.verbose = False
    options.max_iter = min(settings.max_iterations, LIMIT)
    options.tol_feas = options.tol_gap_abs = options.tol_gap_rel = ACCURACY * min(settings.tolerance, 1e-8)
    return options


def is_convex(form: Form, values: np.ndarray, slack: float = CONVEX) -> bool:
    """Whether P is positive semidefinite up to a share of it: by Gershgorin's discs, or else by the signs of pivots."""
    if form.curvature != "sparse":
        return True
    assert form.patterns is not None
    assert form.patterns.P is not None
    return _is_convex(form, values[: form.patterns.P.count].tobytes(), slack)


@functools.lru_cache(maxsize=64)
def _is_convex(form: Form, P: bytes, slack: float) -> bool:
    assert form.patterns is not None
    rest = np.zeros(form.patterns.A.count + form.patterns.G.count)
    matrix = stencils(form).curvature.matrix(numbers(np.frombuffer(P), rest, rest[:0]))
    diagonal, size = matrix.diagonal(), abs(matrix)
    if np.all(2 * diagonal >= size.sum(1)):
        return True
    shift = slack * max(float(size.max()), 1e-300)
    try:
        lu = symmetric_factors(csc_array(matrix + shift * eye_array(len(diagonal))))
    except RuntimeError:
        return False
    return bool(np.array_equal(lu.perm_r, lu.perm_c) and np.all(lu.U.diagonal() > 0))
