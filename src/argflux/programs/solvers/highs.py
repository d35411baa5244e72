"""HiGHS's simplex method on the host, for linear programs: vertices, with their duals and proofs of failure."""

from collections.abc import Iterator
from typing import Any

import highspy
import numpy as np
from highspy import HighsModelStatus as Model
from scipy.sparse import csr_array

from argflux.programs.form import Blocks, Form, batch_size, bounds
from argflux.programs.hostcall import cores, host_call, share
from argflux.programs.judge import Answer
from argflux.programs.pattern import Sparse
from argflux.programs.status import Status

TOLERANCE = 1e-10
SMALL = 400
WORK = 2000
STATUSES = {
    Model.kOptimal: Status.SOLVED,
    Model.kInfeasible: Status.PRIMAL_INFEASIBLE,
    Model.kUnbounded: Status.DUAL_INFEASIBLE,
    Model.kIterationLimit: Status.ITERATION_LIMIT,
}


def solve_highs(form: Form, settings: Any, blocks: Blocks) -> Answer:
    """Solve linear programs one after another, each from the last one's basis, by one model in every thread.

    Source:
        Huangfu and Hall, "Parallelizing the dual revised simplex method" (2018).
    """
    batch, rows = batch_size(blocks), form.p + form.m
    lower, upper = bounds(form, blocks)
    shapes = [((batch, size), "float64") for size in (form.n, rows, form.n)] + [((batch,), "int32")] * 2
    A, G = (M.values if isinstance(M, Sparse) else M for M in (blocks.A, blocks.G))
    given = (blocks.q, A, blocks.b, G, blocks.h, lower, upper)
    limit = min(settings.max_iterations, 2**31 - 1)
    x, dual, bound, status, iterations = host_call(_solve_all, shapes, *given, form=form, limit=limit)
    return Answer(x, dual, bound, status, iterations, status == int(Status.SOLVED))


def _solve_all(q, A, b, G, h, lower, upper, *, form: Form, limit: int) -> tuple:
    batch = max(map(len, (q, A, b, G, h, lower, upper)))
    (n, p, m), shared = (form.n, form.p, form.m), len(A) == len(G) == 1
    size = max(len(b), len(h))
    hi = np.concatenate([np.broadcast_to(a, (size, a.shape[1])) for a in (b, h)], 1)
    lo = np.concatenate([np.broadcast_to(b, (size, p)), np.full((size, m), -np.inf)], 1)
    usable = np.ones(batch, bool)
    for a in (q, A, b, G):
        usable &= np.isfinite(a).reshape(len(a), -1).all(1)
    usable &= ~(np.isnan(h).any(1) | np.isnan(lower).any(1) | np.isnan(upper).any(1) | (lower > upper).any(1))
    matrix = lambda i: _matrix(form, A[i % len(A)], G[i % len(G)])
    results = np.zeros((batch, n)), np.zeros((batch, p + m)), np.zeros((batch, n))
    status, iterations = np.full(batch, int(Status.NUMERICAL_ERROR), np.int32), np.zeros(batch, np.int32)

    chosen = np.flatnonzero(usable)

    def work(left: Iterator[int]) -> None:
        solver, fresh = _solver(limit, n + p + m), True
        for i in map(chosen.__getitem__, left):
            vectors = [a[i % len(a)] for a in (q, lower, upper, lo, hi)]
            if fresh or not shared:
                solver.passModel(_model(matrix(i), *vectors))
            else:
                _change(solver, *vectors)
            fresh = False
            solver.run()
            status[i], iterations[i] = _status(solver, vectors[0]), solver.getInfo().simplex_iteration_count
            found = solver.getSolution()
            for result, values in zip(results, (found.col_value, found.row_dual, found.col_dual), strict=True):
                if len(values) == result.shape[1]:
                    result[i] = values

    size = A.shape[-1] + G.shape[-1] if form.patterns else n * (p + m + 1)
    share(work, len(chosen), cores() if len(chosen) * size > WORK else 1)
    return results[0], -results[1], -results[2], status, iterations


def _solver(limit: int, size: int) -> Any:
    solver = highspy.Highs()
    solver.silent()
    options = {
        "threads": 1,
        "presolve": "off" if size <= SMALL else "choose",
        "primal_feasibility_tolerance": TOLERANCE,
        "dual_feasibility_tolerance": TOLERANCE,
        "simplex_iteration_limit": limit,
    }
    for name, value in options.items():
        solver.setOptionValue(name, value)
    return solver


def _matrix(form: Form, A: np.ndarray, G: np.ndarray) -> csr_array:
    """The rows `[A; G]`, dense or as values on their patterns."""
    if form.patterns is None:
        return csr_array(np.concatenate([A, G]))
    a, g = form.patterns.A, form.patterns.G
    rows, columns = np.concatenate([a.rows, g.rows + form.p]), np.concatenate([a.columns, g.columns])
    return csr_array((np.concatenate([A, G]), (rows, columns)), shape=(form.p + form.m, form.n))


def _model(rows: csr_array, cost, lower, upper, lo, hi) -> Any:
    """One program in HiGHS's terms."""
    model: Any = highspy.HighsLp()
    model.num_row_, model.num_col_ = len(lo), len(cost)
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, lower, upper
    model.row_lower_, model.row_upper_ = lo, hi
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = rows.indptr, rows.indices, rows.data
    return model


def _change(solver: Any, cost, lower, upper, lo, hi) -> None:
    columns, rows = np.arange(len(cost), dtype=np.int32), np.arange(len(lo), dtype=np.int32)
    solver.changeColsCost(len(cost), columns, cost)
    solver.changeColsBounds(len(cost), columns, lower, upper)
    solver.changeRowsBounds(len(lo), rows, lo, hi)


def _status(solver: Any, cost: np.ndarray) -> int:
    found = solver.getModelStatus()
    if found == Model.kUnboundedOrInfeasible:
        columns = np.arange(len(cost), dtype=np.int32)
        solver.changeColsCost(len(cost), columns, np.zeros(len(cost)))
        solver.run()
        feasible = solver.getModelStatus() == Model.kOptimal
        found = Model.kUnbounded if feasible else solver.getModelStatus()
        solver.changeColsCost(len(cost), columns, cost)
    return int(STATUSES.get(found, Status.NUMERICAL_ERROR))
