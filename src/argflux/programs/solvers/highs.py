"""HiGHS's simplex method on the host, for linear programs: vertices, with their duals and proofs of failure."""

from collections.abc import Iterator
from typing import Any

import highspy
import numpy as np
from highspy import HighsModelStatus as Model
from scipy.sparse import csr_array

from argflux.programs.answers.judge import Answer
from argflux.programs.answers.status import Status
from argflux.programs.forms.arrays import joined
from argflux.programs.forms.form import Blocks, Form, batch_size, bounds
from argflux.programs.forms.hostcall import cores
from argflux.programs.forms.pattern import Sparse
from argflux.programs.solvers.models import new_model, run_simplex
from argflux.programs.solvers.proofs import Program, change, judge_failure
from argflux.programs.solvers.scaling import Units, equilibrium, in_units, power, sizes_of

TOLERANCE = 1e-10
TINY = 1e-12
INFINITE = 1e60
SMALL = 400
LIGHT, HEAVY = 100, 3000
FEW = 32
FAILED = int(Status.NUMERICAL_ERROR)


def solve_highs(form: Form, settings: Any, blocks: Blocks) -> Answer:
    """Solve linear programs one after another, each from the last one's basis, by one model in every thread.

    Source:
        Huangfu and Hall, "Parallelizing the dual revised simplex method" (2018).
    """
    A, G = (M.values if isinstance(M, Sparse) else M for M in (blocks.A, blocks.G))
    q, b, h, (lower, upper) = blocks.q, blocks.b, blocks.h, bounds(form, blocks)
    batch, limit = batch_size(blocks), min(settings.max_iterations, 2**31 - 1)
    n, p, m = form.n, form.p, form.m
    size = max(len(b), len(h))
    hi, lo = joined(b, h), joined(b, np.full((size, m), -np.inf))
    usable = np.ones(batch, bool)
    for a in (q, A, b, G):
        usable &= np.isfinite(a).reshape(len(a), -1).all(1)
    usable &= ~(np.isnan(h).any(1) | np.isnan(lower).any(1) | np.isnan(upper).any(1) | (lower > upper).any(1))
    results = np.zeros((batch, n)), np.zeros((batch, p + m)), np.zeros((batch, n))
    status, iterations = np.full(batch, FAILED, np.int32), np.zeros(batch, np.int32)
    some = _groups(np.flatnonzero(usable), A, G)

    def work(left: Iterator[int]) -> None:
        simplex, taken = Simplex(limit, n + p + m), None
        for group, which in map(some.__getitem__, left):
            if group != taken:
                simplex.take(matrix_of(form, A[which[0] % len(A)], G[which[0] % len(G)]))
            taken, vectors = group, [a[which] if len(a) > 1 else a for a in (q, lower, upper, lo, hi)]
            status[which], iterations[which], found = simplex.solve(*vectors)
            for result, values in zip(results, found, strict=True):
                result[which] = values

    size = A.shape[-1] + G.shape[-1] if form.patterns else n * (p + m + 1)
    worth = LIGHT if 4 * len(some) < usable.sum() else HEAVY  # by threads that share an interpreter
    run_simplex(work, len(some), cores() if size > worth else 1)
    return Answer(*results, status, iterations, status == int(Status.SOLVED))


def _groups(chosen: np.ndarray, *matrices: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Neighbours with the same matrices, a few at a time, each with the number of its matrices."""
    fresh = np.zeros(len(chosen), bool)
    for M in (M for M in matrices if len(M) > 1):
        fresh[1:] |= (M[chosen[1:]] != M[chosen[:-1]]).reshape(len(chosen) - 1, -1).any(1)
    group, starts = np.cumsum(fresh), np.flatnonzero(fresh)
    parts = np.split(chosen, starts) if len(chosen) else []
    return [(int(group[0] + i), part[j : j + FEW]) for i, part in enumerate(parts) for j in range(0, len(part), FEW)]


def matrix_of(form: Form, A: np.ndarray, G: np.ndarray) -> Any:
    """The rows `[A; G]`, dense or sparse as their patterns are."""
    if form.patterns is None:
        return np.concatenate([A, G])
    a, g = form.patterns.A, form.patterns.G
    rows, columns = np.concatenate([a.rows, g.rows + form.p]), np.concatenate([a.columns, g.columns])
    return csr_array((np.concatenate([A, G]), (rows, columns)), shape=(form.p + form.m, form.n))


class Simplex:
    """One model of HiGHS, in units, which goes from one program's basis to the next one's."""

    def __init__(self, limit: int, size: int):
        self.rows: Any = None
        self.model = new_model(
            {
                "presolve": "off" if size <= SMALL else "choose",
                "primal_feasibility_tolerance": TOLERANCE,
                "dual_feasibility_tolerance": TOLERANCE,
                "small_matrix_value": TINY,
                "infinite_bound": INFINITE,
                "infinite_cost": INFINITE,
                "simplex_iteration_limit": limit,
            }
        )
        self.passed = False

    def take(self, rows: Any) -> None:
        """Take the matrix of the programs to come."""
        columns, across = equilibrium(rows)
        self.units = Units(columns, across)
        self.rows, self.passed = in_units(rows, self.units), False

    def solve(self, cost, lower, upper, lo, hi) -> tuple[np.ndarray, np.ndarray, tuple]:
        """Statuses, iterations, and x with the duals of the rows and of the bounds, in the signs of `Answer`.

        Each of the vectors has a leading axis of the same length or of 1.
        """
        count, n = max(map(len, (cost, lower, upper, lo, hi))), cost.shape[1]
        whole = lambda a: np.broadcast_to(a, (count, a.shape[1]))
        columns, across = self.units.columns, self.units.rows
        low = np.concatenate([whole(lower / columns), whole(lo * across)], 1)
        high = np.concatenate([whole(upper / columns), whole(hi * across)], 1)
        cost, sizes = whole(cost * columns), sizes_of(low, high)[:, None]
        weights = power(np.abs(cost).max(1))[:, None]
        cost, low, high = cost * weights, low / sizes, high / sizes
        status, iterations = np.zeros((2, count), np.int32)
        found = np.zeros((count, n)), np.zeros((count, low.shape[1] - n)), np.zeros((count, n))
        for i in range(count):
            program = Program(cost[i], low[i, :n], high[i, :n], low[i, n:], high[i, n:])
            status[i] = self._run(program) if self._pass(program) else FAILED
            iterations[i] = self.model.getInfo().simplex_iteration_count
            solution = self.model.getSolution()
            if status[i] != FAILED and len(solution.col_value) == n:
                found[0][i], found[1][i], found[2][i] = solution.col_value, solution.row_dual, solution.col_dual
        sound = np.all([np.isfinite(part).all(1) for part in found], 0)[:, None]
        units = columns * sizes, -across / weights, -1 / (columns * weights)
        x, dual, bound = (np.where(sound, part * unit, 0.0) for part, unit in zip(found, units, strict=True))
        return status, iterations, (x, dual, bound)

    def _pass(self, program: Program) -> bool:
        """Give the program to HiGHS; its warnings are of entries that are nothing beside the others of their row."""
        if self.passed:
            return change(self.model, program)
        self.passed = self.model.passModel(_model(self.rows, program)) != highspy.HighsStatus.kError
        return self.passed

    def _run(self, program: Program) -> int:
        if self.model.run() == highspy.HighsStatus.kError:
            return FAILED
        found = self.model.getModelStatus()
        if found == Model.kOptimal:
            return int(Status.SOLVED)
        if found == Model.kIterationLimit:
            return int(Status.ITERATION_LIMIT)
        if found not in (Model.kInfeasible, Model.kUnbounded, Model.kUnboundedOrInfeasible):
            return FAILED
        return judge_failure(self.model, csr_array(self.rows), program)


def _model(rows: Any, program: Program) -> Any:
    """One program in HiGHS's terms."""
    model: Any = highspy.HighsLp()
    model.num_row_, model.num_col_ = rows.shape
    model.col_cost_, model.col_lower_, model.col_upper_, model.row_lower_, model.row_upper_ = program
    matrix = model.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    if isinstance(rows, csr_array):
        matrix.start_, matrix.index_, matrix.value_ = rows.indptr, rows.indices, rows.data
    else:
        given = rows != 0
        matrix.start_, matrix.index_ = np.append(0, np.cumsum(np.count_nonzero(given, 1))), np.nonzero(given)[1]
        matrix.value_ = rows[given]
    return model
