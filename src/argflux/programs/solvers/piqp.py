"""PIQP's proximal interior-point method on one quadratic program with sparse matrices."""

import importlib
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix

from argflux.programs.answers.status import Status
from argflux.programs.forms.stencil import stencils
from argflux.programs.solvers.clarabel import FAILED
from argflux.programs.solvers.correction import Answered, Point, Program
from argflux.programs.solvers.scaling import Units

ACCURACY = 1e-5
LIMIT = 100


def run_piqp(program: Program, settings: Any, units: Units) -> Answered:
    """What PIQP makes of a program, in units; its word that there is no solution counts for nothing.

    Source:
        Schwan, Jiang, Kuhn and Jones, "PIQP: a proximal interior-point quadratic programming solver" (2023).
    """
    piqp: Any = importlib.import_module("piqp")
    made, data = stencils(program.form), program.data.in_units(units)
    n, p, k = len(data.q), program.form.p, len(data.right)
    given, every = np.isfinite(data.right), np.ones(n, bool)
    equal, below = (given & side for side in (np.arange(k) < p, np.arange(k) >= p))
    A, G = (made.rows.part(data.values, side, every) for side in (equal, below))
    solver = piqp.SparseSolver()
    solver.settings.max_iter = min(settings.max_iterations, LIMIT)
    solver.settings.eps_abs = solver.settings.eps_rel = ACCURACY * min(settings.tolerance, 1e-8)
    matrices = made.upper.matrix(data.values), A, G
    P, A, G = map(csc_matrix, matrices)
    solver.setup(P, data.q, A, data.right[equal], G, None, data.right[below], data.lower, data.upper)
    status = solver.solve()
    found, dual = solver.result, np.zeros(k)
    dual[equal], dual[below] = found.y, found.z_u
    parts = np.array(found.x), dual, np.array(found.z_bu) - np.array(found.z_bl)
    point = Point(*(value * unit for value, unit in zip(parts, units.parts(), strict=True)))
    if status != piqp.PIQP_SOLVED or not all(np.isfinite(part).all() for part in point):
        return Answered(program.nothing(), FAILED, int(found.info.iter))
    return Answered(point, int(Status.SOLVED), int(found.info.iter))
