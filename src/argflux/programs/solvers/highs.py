"""HiGHS's simplex method on the host, for linear programs: vertices, with their duals and proofs of failure."""

from collections.abc import Iterator
from typing import Any

import highspy
import numpy as np
from highspy import HighsModelStatus as Model
from scipy.sparse import csr_array

from argflux.programs.form import Blocks, Form, batch_size, bounds
from argflux.programs.hostcall import cores
from argflux.programs.judge import Answer
from argflux.programs.pattern import Sparse
from argflux.programs.solvers.models import new_model, run_simplex
from argflux.programs.solvers.proofs import Program, change, judge_failure
from argflux.programs.solvers.scaling import Units, equilibrium, in_units, size_of, unit
from argflux.programs.status import Status

TOLERANCE = 1e-10
TINY = 1e-12
INFINITE = 1e60
SMALL = 400
WORK = 2000
FAILED = int(Status.NUMERICAL_ERROR)


def solve_highs(form: Form, settings: Any, blocks: Blocks) -> Answer:
    """Solve linear programs one after another, each from the last one's basis, by one model in every thread.

    Source:
        Huangfu and Hall, "Parallelizing the dual revised simplex method" (2018).
    """
    A, G = (M.values if isinstance(M, Sparse) else M for M in (blocks.A, blocks.G))
    q, b, h, (lower, upper) = blocks.q, blocks.b, blocks.h, bounds(form, blocks)
    batch, limit = batch_size(blocks), min(settings.max_iterations, 2**31 - 1)
    (n, p, m), shared = (form.n, form.p, form.m), len(A) == len(G) == 1
    size = max(len(b), len(h))
    hi = np.concatenate([np.broadcast_to(a, (size, a.shape[1])) for a in (b, h)], 1)
    lo = np.concatenate([np.broadcast_to(b, (size, p)), np.full((size, m), -np.inf)], 1)
    usable = np.ones(batch, bool)
    for a in (q, A, b, G):
        usable &= np.isfinite(a).reshape(len(a), -1).all(1)
    usable &= ~(np.isnan(h).any(1) | np.isnan(lower).any(1) | np.isnan(upper).any(1) | (lower > upper).any(1))
    results = np.zeros((batch, n)), np.zeros((batch, p + m)), np.zeros((batch, n))
    status, iterations = np.full(batch, FAILED, np.int32), np.zeros(batch, np.int32)
    chosen = np.flatnonzero(usable)

    def work(left: Iterator[int]) -> None:
        simplex = Simplex(limit, n + p + m)
        for i in map(chosen.__getitem__, left):
            if not shared or simplex.rows is None:
                simplex.take(matrix_of(form, A[i % len(A)], G[i % len(G)]))
            status[i], iterations[i], found = simplex.solve(*(a[i % len(a)] for a in (q, lower, upper, lo, hi)))
            for result, values in zip(results, found, strict=True):
                result[i] = values

    size = A.shape[-1] + G.shape[-1] if form.patterns else n * (p + m + 1)
    run_simplex(work, len(chosen), cores() if len(chosen) * size > WORK else 1)
    return Answer(*results, status, iterations, status == int(Status.SOLVED))


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

    def solve(self, cost, lower, upper, lo, hi) -> tuple[int, int, tuple]:
        """Status, iterations, and x with the duals of the rows and of the bounds, in the signs of `Answer`."""
        n, columns, across = len(cost), self.units.columns, self.units.rows
        cost, low, high = (
            cost * columns,
            np.concatenate([lower / columns, lo * across]),
            np.concatenate([upper / columns, hi * across]),
        )
        units = self.units._replace(cost=unit(float(np.abs(cost).max())), size=size_of(low, high))
        low, high = low / units.size, high / units.size
        program = Program(cost * units.cost, low[:n], high[:n], low[n:], high[n:])
        status = self._run(program) if self._pass(program) else FAILED
        solution, count = self.model.getSolution(), self.model.getInfo().simplex_iteration_count
        found = [np.array(v) for v in (solution.col_value, solution.row_dual, solution.col_dual)]
        if status == FAILED or len(found[0]) != n or not all(np.isfinite(v).all() for v in found):
            return status, count, (0.0, 0.0, 0.0)
        return status, count, (units.x(found[0]), -units.dual(found[1]), -units.bound(found[2]))

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
