"""Proofs that a linear program has no feasible point, or none that is best, checked by their own residuals."""

from typing import Any, NamedTuple

import highspy
import numpy as np
from highspy import HighsModelStatus as Model
from scipy.sparse import csr_array

from argflux.programs.answers.status import Status

PROOF = 1e-9
FAILED = int(Status.NUMERICAL_ERROR)


class Program(NamedTuple):
    """The vectors of one program, in units."""

    cost: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    lo: np.ndarray
    hi: np.ndarray


def change(model: Any, program: Program) -> bool:
    """Replace the vectors of a model; whether HiGHS takes them."""
    n, k = len(program.cost), len(program.lo)
    columns, rows = np.arange(n, dtype=np.int32), np.arange(k, dtype=np.int32)
    answers = [
        model.changeColsCost(n, columns, program.cost),
        model.changeColsBounds(n, columns, program.lower, program.upper),
        model.changeRowsBounds(k, rows, program.lo, program.hi),
    ]
    return highspy.HighsStatus.kError not in answers


def judge_failure(model: Any, rows: csr_array, program: Program) -> int:
    """Of a program that HiGHS calls infeasible or unbounded, what can be proved."""
    status = _proved(model, rows, program)
    if status != FAILED:
        return status
    model.setOptionValue("presolve", "off")  # only the simplex method itself leaves rays
    for cost in (np.zeros_like(program.cost), program.cost):
        if not change(model, program._replace(cost=cost)) or model.run() == highspy.HighsStatus.kError:
            return FAILED
        status = _proved(model, rows, program)
        if status != FAILED:
            return status
    return int(Status.SOLVED) if model.getModelStatus() == Model.kOptimal else FAILED


def _proved(model: Any, rows: csr_array, program: Program) -> int:
    """What the rays that a model holds prove, and the point beside them."""
    _, exists, ray = model.getDualRay()
    if exists and contradicts(rows, program, ray):
        return int(Status.PRIMAL_INFEASIBLE)
    _, exists, ray = model.getPrimalRay()
    x = np.array(model.getSolution().col_value)
    proved = exists and falls(rows, program, ray) and meets(rows, program, x)
    return int(Status.DUAL_INFEASIBLE) if proved else FAILED


def meets(rows: csr_array, program: Program, x: np.ndarray) -> bool:
    """Whether a point is feasible, beside its size."""
    if len(x) != len(program.cost) or not np.isfinite(x).all():
        return False
    values = np.concatenate([rows @ x, x])
    size = PROOF * (1.0 + np.concatenate([abs(rows) @ np.abs(x), np.abs(x)]))
    low, high = (np.concatenate(pair) for pair in ((program.lo, program.lower), (program.hi, program.upper)))
    return bool(np.all((values >= low - size) & (values <= high + size)))


def contradicts(rows: csr_array, program: Program, ray: np.ndarray) -> bool:
    """Farkas: whether `y'C x` cannot reach what the rows ask of it, for the ray y or for -y."""
    for y in (ray, -ray):
        pull = rows.T @ y
        pull[np.abs(pull) <= PROOF * (abs(rows).T @ np.abs(y))] = 0.0
        most = np.where(pull > 0, program.upper, program.lower)
        least = np.where(y > 0, program.lo, program.hi)
        terms = np.concatenate([y[y != 0] * least[y != 0], -(pull[pull != 0] * most[pull != 0])])
        if np.isfinite(terms).all() and terms.sum() > PROOF * np.abs(terms).sum():
            return True
    return False


def falls(rows: csr_array, program: Program, ray: np.ndarray) -> bool:
    """Whether the cost falls along a ray that no row and no bound ends."""
    length = np.abs(ray).max(initial=0.0)
    if not 0 < length < np.inf:
        return False
    ray = ray / length
    moves = np.concatenate([rows @ ray, ray])
    noise = PROOF * np.concatenate([abs(rows) @ np.abs(ray), np.ones(len(ray))])
    ends = np.concatenate([program.lo, program.lower]), np.concatenate([program.hi, program.upper])
    stays = ((moves >= -noise) | np.isinf(ends[0])) & ((moves <= noise) | np.isinf(ends[1]))
    return bool(stays.all() and program.cost @ ray < -PROOF * (np.abs(program.cost) @ np.abs(ray)))
