"""Interior-point methods on the host, for quadratic programs with sparse matrices: PIQP, then Clarabel.

PIQP takes half of Clarabel's time, but holds the interpreter while it solves, so that several do not share the cores,
and factorises column by column, which takes several times as long where the factors are crowded.
"""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csc_array, eye_array

from argflux.programs.answers.judge import Answer
from argflux.programs.answers.status import Status
from argflux.programs.derivatives.leastnorm import symmetric_factors
from argflux.programs.forms.form import Blocks, Form, batch_size
from argflux.programs.forms.hostcall import cores, share
from argflux.programs.forms.stencil import numbers, stencils
from argflux.programs.forms.units import Frame
from argflux.programs.solvers.clarabel import FAILED, is_crowded, run_clarabel
from argflux.programs.solvers.correction import GOOD, Answered, Found, Point, Program, guessed, met
from argflux.programs.solvers.piqp import run_piqp
from argflux.programs.solvers.proximal import centres
from argflux.programs.solvers.scaling import Units, power

ENOUGH = 0.1
CONVEX, SLACK = 1e-9, 1e-6
FEW = 2


def solve_interior(form: Form, settings: Any, blocks: Blocks, usable: np.ndarray, measures: Frame) -> Answer:
    """Solve programs whose matrices are values on patterns, one after another, on all cores."""
    ways = [(run_clarabel, _plain), (run_clarabel, _units)]
    batch = batch_size(blocks)
    found = np.zeros((batch, form.n)), np.zeros((batch, form.p + form.m)), np.zeros((batch, form.n))
    status, iterations = np.full(batch, FAILED, np.int32), np.zeros(batch, np.int32)
    chosen = np.flatnonzero(np.broadcast_to(usable, batch))
    if settings.method(form) != "clarabel" and min(len(chosen), cores()) <= FEW and not is_crowded(form):
        ways = [(run_piqp, _plain), *ways]

    def work(left: Iterator[int]) -> None:
        for i in map(chosen.__getitem__, left):
            point, status[i], iterations[i] = solve_one(Program.of(form, blocks, measures, i), settings, ways)
            for values, part in zip(found, point, strict=True):
                values[i] = part

    share(work, len(chosen), cores())
    return Answer(*found, status, iterations, status == int(Status.SOLVED))


def solve_one(program: Program, settings: Any, ways: list) -> Answered:
    """Solve one instance, by its equalities alone where it has nothing else, and make the solution exact.

    `ways` are methods and what gives their units, tried one after another.
    """
    if not is_convex(program.form, program.data.values, min(max(settings.slack, CONVEX), SLACK)):
        return Answered(program.nothing(), int(Status.BAD_DATA), 0)
    if not program.limited:
        found = met(program, program.nothing())
        if found.error <= GOOD:
            return Answered(found.point, int(Status.SOLVED), 1)
    found = Answered(program.nothing(), FAILED, 0)
    for run, units in ways:
        fresh = _attempt(program, settings, run, units(program))
        if fresh.status == Status.SOLVED:
            return fresh
        found = fresh if found.status == FAILED else found
    return found


def _attempt(program: Program, settings: Any, run: Any, units: Units) -> Answered:
    """Solve an instance in units, and make the solution exact."""
    answered = run(program, settings, units)
    found_none = answered.status == FAILED and not any(part.any() for part in answered.point)
    if found_none or answered.status in (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE):
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


def _plain(program: Program) -> Units:
    """The user's units."""
    return Units(np.ones(program.form.n), np.ones(len(program.data.right)))


def _units(program: Program) -> Units:
    """Units in which the curvature, or the cost, the rows and the size of solutions are near one."""
    unit, norm, size = 1 / power(program.frame.unit[0]), power(program.frame.norm[0]), 1 / power(program.natural)
    if program.form.curvature != "none":
        return Units(unit, norm, float(1 / size), float(size))
    return Units(unit, norm, float(power(np.abs(program.data.q * unit).max())), float(size))


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
