"""Clarabel's interior-point method on one quadratic program with sparse matrices."""

import functools
import importlib
from typing import Any

import numpy as np

from argflux.programs.answers.status import Status
from argflux.programs.forms.form import Form
from argflux.programs.forms.stencil import numbers, stencils
from argflux.programs.solvers.correction import Answered, Point, Program
from argflux.programs.solvers.scaling import Units

ACCURACY = 1e-2
LIMIT = 200
FEW, CROWDED = 400, 110
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


def run_clarabel(program: Program, settings: Any, units: Units) -> Answered:
    """What Clarabel makes of the rows and the bounds that are there, in units.

    Source:
        Goulart and Chen, "Clarabel: an interior-point solver for conic programs with quadratic objectives" (2024).
    """
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


@functools.lru_cache(maxsize=64)
def is_crowded(form: Form) -> bool:
    """Whether factors of the optimality systems have many entries in each column, as Clarabel orders them."""
    made, k = stencils(form), form.p + form.m
    if form.n + k < FEW:
        return False
    ones = numbers(*(np.ones(size) for size in _counts(form)))
    rows: Any = made.rows.matrix(ones)
    clarabel: Any = importlib.import_module("clarabel")
    options = clarabel.DefaultSettings()
    options.verbose = False
    given = made.upper.matrix(ones), np.zeros(form.n), rows, np.ones(k), [clarabel.NonnegativeConeT(k)] if k else []
    return clarabel.DefaultSolver(*given, options).get_info().linsolver.nnzL > CROWDED * (form.n + k)


def _counts(form: Form) -> tuple[int, int, int]:
    """How many numbers P, A and G are given by."""
    assert form.patterns is not None
    P = form.patterns.P.count if form.patterns.P else 0 if form.curvature == "none" else form.n
    return P, form.patterns.A.count, form.patterns.G.count


def _options(settings: Any) -> Any:
    options = importlib.import_module("clarabel").DefaultSettings()
    options.verbose = False
    options.max_iter = min(settings.max_iterations, LIMIT)
    options.tol_feas = options.tol_gap_abs = options.tol_gap_rel = ACCURACY * min(settings.tolerance, 1e-8)
    return options
