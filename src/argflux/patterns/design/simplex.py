"""Vertices: HiGHS's dual simplex, one model a layer, re-solved for each unit with a changed objective."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from argflux.patterns.design.unit_programs import UnitPrograms, UnitSolutions
from argflux.programs.forms.hostcall import cores
from argflux.programs.solvers.models import new_model

CHUNK = 16
OPTIONS = {
    "solver": "simplex",
    "simplex_strategy": 1,
    "simplex_scale_strategy": 0,
    "parallel": "off",
    "presolve": "off",
    "small_matrix_value": 1e-12,
}


def solve_simplex(
    programs: UnitPrograms, threads: int | None = None, done: Callable[[int], Any] = lambda units: None
) -> UnitSolutions:
    """Find an optimal vertex for every unit.

    Units are solved in chunks, each of which starts from the same basis, so that the vertices do not depend on
    the number of threads. HiGHS works without the interpreter's lock.

    Args:
        programs: the programs.
        threads: how many run at once; None for as many as there are processors.
        done: called with the number of units solved, from the solving threads.
    """
    units = len(programs.gain)
    chunks = [np.arange(first, min(first + CHUNK, units)) for first in range(0, units, CHUNK)]
    stopped: list[bool] = []
    with ThreadPoolExecutor(threads or cores()) as pool:  # new threads: see `new_model`
        start = pool.submit(_starting_basis, programs).result()
        futures = [pool.submit(_solve_chunk, programs, chunk, start, stopped, done) for chunk in chunks]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            stopped.append(True)
            for future in futures:
                future.cancel()
    found = [future.result() for future in futures]
    weights = np.concatenate([weights for weights, _ in found])
    status = np.concatenate([status for _, status in found])
    return UnitSolutions(weights, status, np.where(status == "optimal", 0.0, np.inf))


def _starting_basis(programs: UnitPrograms) -> Any:
    model = _model(programs)
    model.run()
    return model.getBasis()


def _solve_chunk(programs: UnitPrograms, units: np.ndarray, start: Any, stopped: list, done: Callable) -> tuple:
    """Solve some units, none once `stopped` holds something; an error here stops the other chunks at once."""
    found = []
    try:
        model = _model(programs)
        model.setBasis(start)
        for unit in units:
            if stopped:
                break
            found.append(_solve_unit(model, programs, int(unit)))
            done(1)
    except BaseException:
        stopped.append(True)
        raise
    return np.array([weights for weights, _ in found]), np.array([status for _, status in found])


def _solve_unit(model: Any, programs: UnitPrograms, unit: int) -> tuple[np.ndarray, str]:
    _set_unit(model, programs, unit)
    model.run()
    status = model.modelStatusToString(model.getModelStatus()).lower()
    if status != "optimal" and not (programs.hard and status == "infeasible"):
        model.clearSolver()
        model.run()
        status = model.modelStatusToString(model.getModelStatus()).lower()
    columns = programs.rows.shape[1]
    values = np.clip(model.getSolution().col_value[:columns], programs.lower[unit], programs.upper[unit])
    return values, status


def _set_unit(model: Any, programs: UnitPrograms, unit: int) -> None:
    samples, columns = programs.rows.shape
    index = np.arange(columns, dtype=np.int32)
    model.changeColsCost(columns, index, -programs.gain[unit])
    model.changeColsBounds(columns, index, programs.lower[unit], programs.upper[unit])
    if len(programs.offset) > 1:
        least = programs.margin - programs.offset_of(unit)
        model.changeRowsBounds(samples, np.arange(samples, dtype=np.int32), least, np.full(samples, np.inf))


def _model(programs: UnitPrograms) -> Any:
    """The program of the first unit without a gain."""
    model = new_model(OPTIONS)
    model.passModel(_linear_program(programs))
    return model


def _linear_program(programs: UnitPrograms) -> Any:
    """State weights, slacks, and where it saves work the background's share of all pre-activations, by rows.

    The rows are the samples, the balance, and what defines that share.
    """
    samples, columns = programs.rows.shape
    slacks = 0 if programs.hard else samples
    common = background(programs.rows)
    shared = int(common.any())
    below = [row for row in (programs.balance, common if shared else None) if row is not None]
    height = samples + len(below)
    blocks = [
        sparse.csc_array(np.vstack([programs.rows - common, *below])),
        sparse.csc_array(np.eye(height, slacks)),
    ]
    if shared:
        blocks.append(sparse.csc_array(np.r_[np.ones(samples), np.zeros(len(below) - 1), -1.0][:, None]))
    matrix = sparse.csc_array(sparse.hstack(blocks))
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = height, columns + slacks + shared
    lp.col_cost_ = np.r_[np.zeros(columns), np.full(slacks, programs.penalty), np.zeros(shared)]
    lp.col_lower_ = np.r_[programs.lower[0], np.zeros(slacks), np.full(shared, -np.inf)]
    lp.col_upper_ = np.r_[programs.upper[0], np.full(slacks + shared, np.inf)]
    lp.row_lower_ = np.r_[programs.margin - programs.offset_of(0), np.zeros(len(below))]
    lp.row_upper_ = np.r_[np.full(samples, np.inf), np.zeros(len(below))]
    held = lp.a_matrix_
    held.format_ = highspy.MatrixFormat.kColwise
    held.start_, held.index_ = np.asarray(matrix.indptr, np.int32), np.asarray(matrix.indices, np.int32)
    held.value_ = np.asarray(matrix.data, np.float64)
    return lp


def background(rows: np.ndarray) -> np.ndarray:
    """Return each column's most common value, if taking it away at least halves the entries; else zeros."""
    ordered = np.sort(rows, axis=0)
    new = np.vstack([np.ones_like(ordered[:1], bool), ordered[1:] != ordered[:-1]])
    first = np.maximum.accumulate(np.where(new, np.arange(len(rows))[:, None], 0), axis=0)
    last = (np.arange(len(rows))[:, None] - first).argmax(0)
    common = ordered[last, np.arange(rows.shape[1])]
    fewer = np.count_nonzero(rows != common) < np.count_nonzero(rows) / 2
    return common if fewer else np.zeros_like(common)


def largest_margins(programs: UnitPrograms, threads: int | None = None) -> np.ndarray:
    """Find the largest margin that every unit can reach on all samples, shape (units,)."""
    units, column = len(programs.gain), [(0, 0), (0, 1)]
    margin_only = np.zeros((units, programs.rows.shape[1] + 1))
    margin_only[:, -1] = 1.0
    extended = dataclasses.replace(
        programs,
        rows=np.pad(programs.rows, column, constant_values=-1.0),
        gain=margin_only,
        lower=np.pad(programs.lower, column, constant_values=-np.inf),
        upper=np.pad(programs.upper, column, constant_values=np.inf),
        margin=0.0,
        penalty=np.inf,
        balance=None if programs.balance is None else np.append(programs.balance, 0.0),
    )
    return solve_simplex(extended, threads).weights[:, -1]
