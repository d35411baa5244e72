"""Proofs that programs over cones have no solution, where the solver's own vectors prove nothing."""

from typing import Any

import numpy as np

from argflux.programs.answers.conic import proves_infeasible, proves_unbounded
from argflux.programs.answers.status import Status
from argflux.programs.cones import Zero
from argflux.programs.cones.form import ConeBlocks, ConeForm
from argflux.programs.cones.product import Product
from argflux.programs.forms.form import dense_curvature
from argflux.programs.solvers.conic import solve_conic
from argflux.programs.solvers.conicnewton import refine

LARGE = 300


def proved(form: ConeForm, settings: Any, values: ConeBlocks, status: np.ndarray, doubtful: np.ndarray) -> np.ndarray:
    """Statuses, with those of the doubtful instances proved where that is possible.

    The point that misses the constraints by least, and the direction that falls fastest, both the solutions of
    programs that always have one, prove that there is none of the given one.
    """
    which = np.flatnonzero(doubtful)
    if not len(which) or form.n + form.m > LARGE:
        return status
    status, dense = status.copy(), _dense(form, ConeBlocks(*[a[which] if len(a) > 1 else a for a in values]))
    plain = ConeForm(form.n, form.product, "dense")
    none = proves_infeasible(plain, dense, _nearest(plain, settings, dense, len(which)))
    falling = proves_unbounded(plain, dense, _steepest(plain, settings, dense, len(which))) & ~none
    status[which[none]] = int(Status.PRIMAL_INFEASIBLE)
    status[which[falling]] = int(Status.DUAL_INFEASIBLE)
    return status


def _dense(form: ConeForm, values: ConeBlocks) -> ConeBlocks:
    P, A = form.matrices(values.P, values.A)
    P = P.dense() if form.P_pattern else dense_curvature(form, P)
    return ConeBlocks((P + P.mT) / 2, values.q, A.dense() if form.A_pattern else A, values.b)


def _nearest(form: ConeForm, settings: Any, values: ConeBlocks, batch: int) -> np.ndarray:
    """The duals of `min |r|²/2` with `A x + s + r = b`."""
    n, m = form.n, form.m
    P = np.diag(np.concatenate([np.zeros(n), np.ones(m)]))[None]
    A = np.concatenate([values.A, np.broadcast_to(np.eye(m), (len(values.A), m, m))], 2)
    wide = ConeForm(n + m, form.product, "dense")
    return _solved(wide, settings, ConeBlocks(P, np.zeros((1, n + m)), A, values.b), batch)[1]


def _steepest(form: ConeForm, settings: Any, values: ConeBlocks, batch: int) -> np.ndarray:
    """The direction of `min |d|²/2 + q'd` with `P d = 0` and `-A d` in the cones."""
    n = form.n
    size = max(len(values.P), len(values.A))
    A = np.concatenate([np.broadcast_to(M, (size, *M.shape[1:])) for M in (values.P, values.A)], 1)
    tall = ConeForm(n, Product.of([Zero(n), *form.product.cones]), "dense")
    return _solved(tall, settings, ConeBlocks(np.eye(n)[None], values.q, A, np.zeros((1, A.shape[1]))), batch)[0]


def _solved(form: ConeForm, settings: Any, values: ConeBlocks, batch: int) -> tuple[np.ndarray, np.ndarray]:
    every = np.ones(batch, bool)
    values = ConeBlocks(values.P, np.broadcast_to(values.q, (batch, form.n)), values.A, values.b)
    answer, _, _ = solve_conic(form, settings, values, every)
    best = refine(form, values, answer, every)
    return best.answer.x, best.answer.z
