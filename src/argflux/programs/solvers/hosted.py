"""What the host makes of programs, in NumPy: solved, solved anew where a solver failed, judged and classified."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from argflux.programs.answers.judge import Answer, Judged, is_ranked, judge, rank_flags, row_excess
from argflux.programs.answers.status import Regularity, Status
from argflux.programs.forms.blas import one_thread
from argflux.programs.forms.form import Blocks, Form, dressed, is_bad
from argflux.programs.forms.hostcall import cores, share
from argflux.programs.forms.units import Frame, all_curved, frame
from argflux.programs.solvers.closed import answer_free, answer_separable, is_free
from argflux.programs.solvers.fallback import fall_back, solve_sparse
from argflux.programs.solvers.highs import solve_highs
from argflux.programs.solvers.host import solve_daqp
from argflux.programs.solvers.interior import solve_interior
from argflux.programs.solvers.rescue import rescue
from argflux.programs.solvers.sharpen import sharpened

THREADED, ALONE, SOME = 1e7, 3e5, 32
INTERIOR = ("piqp", "clarabel")
SHARED = ("highs", *INTERIOR, "separable")  # by threads of their own, or all instances at once
FAILED = int(Status.NUMERICAL_ERROR)
FLAGS = (
    (1, Status.SOLVED),
    (-1, Status.PRIMAL_INFEASIBLE),
    (-3, Status.DUAL_INFEASIBLE),
    (-4, Status.ITERATION_LIMIT),
    (-6, Status.PRIMAL_INFEASIBLE),
)
VERDICTS = (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE)


def solve_hosted(*arrays, form: Form, settings: Any) -> Judged:
    """Solve programs by a method of the host; takes the blocks and guessed sides.

    Those that are one instance after another anyway are spread over the cores, some at a time, if it is worth it.
    """
    count, each = max(map(len, arrays)), form.n**2 * (form.n + form.p + form.m)
    with one_thread(form.n + form.rows):
        if settings.method(form) in SHARED or each < ALONE or count * each < THREADED:
            return _solve_some(form, settings, *arrays)
        starts, found = range(0, count, SOME), {}

        def work(left: Iterator[int]) -> None:
            for i in map(starts.__getitem__, left):
                found[i] = _solve_some(form, settings, *(a[i : i + SOME] if len(a) > 1 else a for a in arrays))

        share(work, len(starts), cores())
        return Judged(*map(np.concatenate, zip(*[found[i] for i in starts], strict=True)))


def _solve_some(form: Form, settings: Any, *arrays) -> Judged:
    given, start = Blocks(*arrays[:-1]), arrays[-1]
    blocks = dressed(form, given)
    with np.errstate(all="ignore"):
        bad, measures = is_bad(form, given), frame(form, blocks)
        answer = _answer(form, settings, blocks, ~bad, start, measures)
        judged = judge(form, settings, blocks, bad, answer, measures)
    wanted = judged.mode != 1
    if not wanted.any():
        return judged
    return settle(wanted, *answer, *judged, *given, form=form, settings=settings, hosted=True)


def _answer(form: Form, settings: Any, blocks: Blocks, usable: np.ndarray, start: Any, measures: Frame) -> Answer:
    method = settings.method(form)
    if method == "separable":
        return answer_separable(form, blocks)
    if is_free(form):
        return answer_free(form, blocks, measures)[0]
    if method == "highs":
        return solve_highs(form, settings, blocks)
    if method in INTERIOR:
        if form.patterns is None:
            return solve_sparse(form, settings, blocks, usable)
        return solve_interior(form, settings, blocks, usable, measures)
    return _daqp(form, settings, blocks, usable, start)


def settle(wanted, *arrays, form: Form, settings: Any, hosted: bool = False) -> Judged:
    """Settle the answers that are wanted; takes the fields of `Answer`, those of `Judged`, and the blocks.

    Those that are `hosted` are the host's own, by DAQP in the place of pivoting, and measured as it measures.
    """
    found, judges, which = len(Answer._fields), len(Judged._fields), np.flatnonzero(wanted)
    pick = lambda a: a[which] if len(a) > 1 else a
    answer, judged = Answer(*[a[which] for a in arrays[:found]]), Judged(*arrays[found : found + judges])
    blocks, picked = Blocks(*map(pick, arrays[found + judges :])), Judged(*[a[which] for a in judged])
    with one_thread(form.n + form.rows), np.errstate(all="ignore"):
        if settings.method(form) == "pivoting" and not hosted:
            answer, picked = _by_daqp(form, settings, blocks, answer, picked)
        if form.patterns is None and form.curvature == "dense":
            answer, picked = _sharpened(form, settings, blocks, answer, picked)
        wrong = (answer.status == int(Status.SOLVED)) & _is_any(picked.mode, (0, 3))
        answer = answer._replace(status=np.where(wrong, np.int32(FAILED), answer.status), direct=answer.direct & ~wrong)
        fresh = _settle(form, settings, blocks, answer, picked, hosted)
    if len(which) == len(wanted):
        return fresh
    judged = Judged(*map(np.array, judged))
    for values, part in zip(judged, fresh, strict=True):
        values[which] = part
    return judged


def _by_daqp(form: Form, settings: Any, blocks: Blocks, answer: Answer, judged: Judged) -> tuple[Answer, Judged]:
    """Let DAQP, which takes a P that is singular, solve what pivoting has not."""
    bad = judged.status == int(Status.BAD_DATA)
    failed = _is_any(judged.mode, (0, 3)) & ~bad
    if not failed.any():
        return answer, judged
    found = _daqp(form, settings, blocks, failed, np.zeros((1, form.p + form.m + form.n), np.int32))
    merged = [np.where(failed.reshape(-1, *[1] * (a.ndim - 1)), b, a) for a, b in zip(answer, found, strict=True)]
    answer = Answer(*merged)
    return answer, judge(form, settings, blocks, bad, answer, frame(form, blocks))


def _sharpened(form: Form, settings: Any, blocks: Blocks, answer: Answer, judged: Judged) -> tuple[Answer, Judged]:
    """Make what is nearly solved exact; what that does not solve stays as it was."""
    bad = judged.status == int(Status.BAD_DATA)
    near = (answer.status == int(Status.SOLVED)) & _is_any(judged.mode, (0, 3)) & ~bad
    if not near.any():
        return answer, judged
    found = sharpened(form, blocks, answer, near)
    fresh = judge(form, settings, blocks, bad, found, frame(form, blocks))
    pick = lambda a, b: np.where((near & (fresh.mode > 0)).reshape(-1, *[1] * (a.ndim - 1)), b, a)
    return Answer(*map(pick, answer, found)), Judged(*map(pick, judged, fresh))


def _settle(form: Form, settings: Any, blocks: Blocks, given: Answer, judged: Judged, hosted: bool) -> Judged:
    """Solve what failed by the method that fails last, or with its right sides moved; judge and rank all of it."""
    answer, bad, values = given, judged.status == int(Status.BAD_DATA), blocks
    blocks = dressed(form, values)
    if settings.method(form) not in INTERIOR:
        kept = (Status.SOLVED, *VERDICTS) if settings.method(form) == "highs" else (Status.SOLVED,)
        answer = fall_back(form, settings, values, ~_is_any(given.status, kept) & ~bad, given)
    settled = _is_any(answer.status, (Status.SOLVED, Status.ITERATION_LIMIT, Status.BAD_DATA))
    answer, moved = rescue(form, settings, blocks, ~settled & ~bad, answer)
    fresh, measured = judged, hosted or form.curvature == "none" or all_curved(form, blocks).all()
    if answer is not given or not measured:
        measures = frame(form, blocks)
        fresh = judge(form, settings, moved, bad, answer, measures)
        fresh.residuals[:, 0] = np.maximum(fresh.residuals[:, 0], row_excess(form, blocks, answer, measures))
    P, A, G = (getattr(M, "values", M) for M in (moved.P, moved.A, moved.G))
    flags = fresh.regularity | rank_flags(form, P, A, G, fresh.active, fresh.fixed, fresh.mode)
    if form.curvature == "none" and is_ranked(form):  # at a vertex with independent rows, an edge starts
        weak, dependent = Regularity.STRICT_COMPLEMENTARITY, Regularity.LICQ
        flags = np.where(flags & (weak | dependent) == weak, flags | np.int32(Regularity.NON_UNIQUE), flags)
    told = hosted & is_ranked(form) & (fresh.mode == 2) & (flags == 0)
    return fresh._replace(regularity=flags, mode=np.where(told, np.int32(1), fresh.mode))


def _is_any(numbers: np.ndarray, of: tuple[int, ...]) -> np.ndarray:
    return functools.reduce(np.logical_or, [numbers == one for one in of])


def _daqp(form: Form, settings: Any, blocks: Blocks, usable: np.ndarray, start: Any) -> Answer:
    r = solve_daqp(form, blocks, usable, start, settings.max_iterations)
    status = functools.reduce(lambda s, kind: np.where(r.flag == kind[0], int(kind[1]), s), FLAGS, 0 * r.flag + FAILED)
    direct = r.found & ~r.near
    answer = Answer(r.x, r.dual, r.bound, status.astype(np.int32), r.iterations, direct)
    return sharpened(form, blocks, answer, r.near)
