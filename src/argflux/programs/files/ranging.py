"""Ranging: how far each cost and right-hand side of a linear program may move before the basis changes."""

from typing import Any, NamedTuple

import highspy
import numpy as np
from scipy.sparse import csc_array

from argflux.programs.files.contents import Contents
from argflux.programs.solvers.models import new_model, run_simplex

LEAST = 1e-12


class Ranges(NamedTuple):
    """Lowest and highest value of each number, `(count, 2)`, between which the optimal basis and so all prices stay."""

    cost: np.ndarray
    rhs: np.ndarray


def basis_ranges(contents: Contents) -> Ranges | None:
    """Solve a linear program by HiGHS's simplex and ask for its ranging; `None` if there is no optimal basis."""
    found: list[Ranges | None] = []
    run_simplex(lambda left: found.extend(_ranges(contents) for _ in left), 1, 1)
    return found[0]


def _ranges(c: Contents) -> Ranges | None:
    model = new_model({"presolve": "off", "solver": "simplex", "small_matrix_value": LEAST})
    lp = _lp(c)
    model.passModel(lp)
    model.run()
    if model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    _free_other_sides(model, lp)
    found = model.getRanging()[1]
    if not found.valid:
        return None
    cost = np.stack([found.col_cost_dn.value_, found.col_cost_up.value_], 1)[: len(c.columns)]
    sides = np.stack([found.row_bound_dn.value_, found.row_bound_up.value_], 1)[: len(c.rows)]
    activity, basis = np.array(model.getSolution().row_value), list(model.getBasis().row_status)
    rhs = _rhs(c, sides, activity, basis)
    return Ranges(_holding(-cost[:, ::-1] if c.maximised else cost, c.cost), _holding(rhs, c.rhs))


def _lp(c: Contents) -> Any:
    lp: Any = highspy.HighsLp()
    matrix = csc_array((c.matrix.values, (c.matrix.rows, c.matrix.columns)), shape=(len(c.rows), len(c.columns)))
    lp.num_col_, lp.num_row_ = len(c.columns), len(c.rows)
    lp.col_cost_ = -c.cost if c.maximised else c.cost
    lp.col_lower_, lp.col_upper_ = c.lower, c.upper
    lp.row_lower_ = np.where(np.isinf(c.below), -np.inf, c.rhs + c.below)
    lp.row_upper_ = np.where(np.isinf(c.above), np.inf, c.rhs + c.above)
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    return lp


def _free_other_sides(model: Any, lp: Any) -> None:
    """Let rows that are held by one of two sides go without the other, where HiGHS would end the range."""
    low, high, status = np.array(lp.row_lower_), np.array(lp.row_upper_), list(model.getBasis().row_status)
    for k in np.flatnonzero(np.isfinite(low) & np.isfinite(high) & (low < high)).tolist():
        if status[k] == highspy.HighsBasisStatus.kLower:
            model.changeRowBounds(k, low[k], np.inf)
        elif status[k] == highspy.HighsBasisStatus.kUpper:
            model.changeRowBounds(k, -np.inf, high[k])
    model.run()


def _rhs(c: Contents, sides: np.ndarray, activity: np.ndarray, basis: list) -> np.ndarray:
    """Where a right-hand side may be: as far as the side that holds, or as far as what the row is, if none does."""
    status = highspy.HighsBasisStatus
    ranges = np.stack([activity - c.above, activity - c.below], 1)  # of rows that are held by neither side
    for k, held in enumerate(basis):
        if held in (status.kLower, status.kUpper):
            ranges[k] = sides[k] - (c.below if held == status.kLower else c.above)[k]
    return ranges


def _holding(ranges: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The ranges with rounding taken off, so that they hold the numbers themselves."""
    return np.stack([np.minimum(ranges[:, 0], values), np.maximum(ranges[:, 1], values)], 1)
