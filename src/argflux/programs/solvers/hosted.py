"""What the host makes of programs, in NumPy: solved, solved anew where a solver failed, judged and classified."""

import functools
from typing import Any

import numpy as np

from argflux.programs.blas import one_thread
from argflux.programs.form import Blocks, Form, batch_size, dressed, is_bad
from argflux.programs.judge import Answer, is_ranked, judge, rank_flags, row_excess
from argflux.programs.solvers.fallback import fall_back
from argflux.programs.solvers.highs import solve_highs
from argflux.programs.solvers.host import solve_daqp
from argflux.programs.solvers.rescue import rescue
from argflux.programs.solvers.sparse import solve_clarabel
from argflux.programs.status import Regularity, Status
from argflux.programs.units import Frame, frame

FALLBACK_LIMIT = 600
FAILED = int(Status.NUMERICAL_ERROR)
FLAGS = (
    (1, Status.SOLVED),
    (-1, Status.PRIMAL_INFEASIBLE),
    (-3, Status.DUAL_INFEASIBLE),
    (-4, Status.ITERATION_LIMIT),
    (-6, Status.PRIMAL_INFEASIBLE),
)
FOUND, JUDGED, MODE = 6, 11, 10
VERDICTS = (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE)


def solve_hosted(*arrays, form: Form, settings: Any) -> tuple:
    """Solve programs by a method of the host; takes the blocks and guessed sides, returns what `judge` does."""
    given, start = Blocks(*arrays[:-1]), arrays[-1]
    blocks, method = dressed(form, given), settings.method(form)
    with one_thread(form.n + form.rows), np.errstate(all="ignore"):
        bad, measures = is_bad(form, given), frame(form, blocks)
        if method == "daqp":
            answer = _daqp(form, settings, blocks, ~bad, start)
        elif method == "highs":
            answer = solve_highs(form, settings, blocks)
        elif method == "clarabel":
            answer = solve_clarabel(form, settings, blocks)
        else:
            answer = nothing(form, batch_size(blocks))
        judged = judge(form, settings, blocks, bad, answer, measures)
        wanted = judged[MODE] != 1
        return settle(wanted, *answer, *judged, *given, form=form, settings=settings) if wanted.any() else judged


def settle(wanted, *arrays, form: Form, settings: Any) -> tuple:
    """Settle the answers that are wanted; takes them, what was judged of all, and the blocks."""
    which = np.flatnonzero(wanted)
    pick = lambda a: a[which] if len(a) > 1 else a
    answer, judged = Answer(*[a[which] for a in arrays[:FOUND]]), arrays[FOUND : FOUND + JUDGED]
    wrong = (answer.status == int(Status.SOLVED)) & np.isin(judged[MODE][which], (0, 3))
    answer = answer._replace(status=np.where(wrong, np.int32(FAILED), answer.status), direct=answer.direct & ~wrong)
    given = Blocks(*map(pick, arrays[FOUND + JUDGED :]))
    blocks = dressed(form, given)
    with one_thread(form.n + form.rows), np.errstate(all="ignore"):
        bad = np.broadcast_to(is_bad(form, given), (len(which),))
        fresh = _settle(form, settings, blocks, bad, answer, frame(form, blocks))
    if len(which) == len(wanted):
        return fresh
    judged = tuple(map(np.array, judged))
    for values, part in zip(judged, fresh, strict=True):
        values[which] = part
    return judged


def _settle(form: Form, settings: Any, blocks: Blocks, bad: np.ndarray, answer: Answer, measures: Frame) -> tuple:
    """Solve what failed by the method that fails last, or with its right sides moved; judge and rank all of it."""
    if settings.method(form) == "interior" or (form.patterns is None and form.n + form.p + form.m <= FALLBACK_LIMIT):
        settled = (Status.SOLVED, *VERDICTS) if settings.method(form) == "highs" else (Status.SOLVED,)
        answer = fall_back(form, settings, blocks, ~np.isin(answer.status, settled) & ~bad, answer)
    settled = np.isin(answer.status, (Status.SOLVED, Status.ITERATION_LIMIT, Status.BAD_DATA))
    answer, moved = rescue(form, settings, blocks, ~settled & ~bad, answer)
    *point, status, iterations, residuals, flags, active, fixed, mode = judge(
        form, settings, moved, bad, answer, measures
    )
    if moved is not blocks:
        residuals[:, 0] = np.maximum(residuals[:, 0], row_excess(form, blocks, answer, measures))
    flags = flags | rank_flags(form, moved, active, fixed, mode)
    if form.curvature == "none" and is_ranked(form):  # at a vertex with independent rows, an edge starts
        weak, dependent = Regularity.STRICT_COMPLEMENTARITY, Regularity.LICQ
        flags = np.where(flags & (weak | dependent) == weak, flags | np.int32(Regularity.NON_UNIQUE), flags)
    return *point, status, iterations, residuals, flags, active, fixed, mode


def nothing(form: Form, batch: int) -> Answer:
    """The answers of no method."""
    zeros, count = (lambda size: np.zeros((batch, size))), np.zeros(batch, np.int32)
    status = count + np.int32(Status.ITERATION_LIMIT)
    return Answer(zeros(form.n), zeros(form.p + form.m), zeros(form.n), status, count, count > 0)


def _daqp(form: Form, settings: Any, blocks: Blocks, usable: np.ndarray, start: Any) -> Answer:
    r = solve_daqp(form, blocks, usable, start, settings.max_iterations)
    status = functools.reduce(lambda s, kind: np.where(r.flag == kind[0], int(kind[1]), s), FLAGS, 0 * r.flag + FAILED)
    return Answer(r.x, r.dual, r.bound, status.astype(np.int32), r.iterations, r.found)
