"""Clarabel on programs over cones, one instance after another."""

import functools
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csc_array

from argflux.programs.answers.conic import ConeAnswer
from argflux.programs.answers.status import Status
from argflux.programs.cones import Exponential, NonNegative, Power, SecondOrder, Semidefinite, Zero
from argflux.programs.cones.cone import Cone
from argflux.programs.cones.form import ConeForm
from argflux.programs.cones.product import Product
from argflux.programs.cones.triangles import places_of
from argflux.programs.forms.form import dense_curvature
from argflux.programs.solvers.clarabel import FAILED, LIMIT, STATUSES

ACCURACY = 1e-9


class Upper(NamedTuple):
    """A batch of sparse matrices in Clarabel's CSC order: which entries, and where columns start."""

    values: np.ndarray
    indices: np.ndarray
    starts: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def of(cls, values: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> "Upper":
        """Sort entries by columns."""
        order = np.lexsort((rows, columns))
        starts = np.searchsorted(columns[order], np.arange(shape[1] + 1))
        return cls(values[:, order], rows[order], starts, shape)

    def matrices(self) -> Callable[[int], Any]:
        """A function to the matrix of an instance, good until it is called again: SciPy takes long to make one."""
        made = csc_array((self.values[0].copy(), self.indices, self.starts), shape=self.shape)

        def of(i: int) -> Any:
            made.data = self.values[i % len(self.values)]
            return made

        return of


def solve_conic(
    form: ConeForm, settings: Any, blocks: Any, usable: np.ndarray, gentle: bool = False
) -> tuple[ConeAnswer, Any, Any]:
    """Points, statuses and iterations of programs given by their values; certificates in the places of points.

    Where that ends short of a solution, a `gentle` run, in the user's units and with longer line searches, may find it.

    Source:
        Goulart and Chen, "Clarabel: an interior-point solver for conic programs with quadratic objectives" (2024).
    """
    batch, n, m = len(usable), form.n, form.m
    found = ConeAnswer(np.zeros((batch, n)), np.zeros((batch, m)), np.zeros((batch, m)))
    status, iterations = np.full(batch, FAILED, np.int32), np.zeros(batch, np.int32)
    order = clarabel_rows(form.product)
    P, A = _curvatures(form, blocks.P), _rows(form, blocks.A, order)
    cones, options, chosen = _cones(form.product), _options(settings, gentle), np.flatnonzero(usable)
    solver: Any = importlib.import_module("clarabel").DefaultSolver

    curvature, rows = P.matrices(), A.matrices()
    for i in chosen.tolist():
        pick = lambda a, i=i: a[i % len(a)]
        answer = solver(curvature(i), pick(blocks.q), rows(i), pick(blocks.b)[order], cones, options).solve()
        found.x[i], found.s[i, order], found.z[i, order] = answer.x, answer.s, answer.z
        status[i], iterations[i] = int(STATUSES.get(str(answer.status), FAILED)), answer.iterations
    short = (status == int(Status.ITERATION_LIMIT)) & (settings.max_iterations >= LIMIT)
    status[short] = FAILED  # the limit is ours, not the user's
    return found, status, iterations


@functools.lru_cache(maxsize=64)
def clarabel_rows(product: Product) -> np.ndarray:
    """Our number of each of Clarabel's rows: it has the upper triangle of matrices column by column."""
    parts = [start + _triangle(cone) for cone, start in zip(product.cones, product.starts, strict=False)]
    return np.concatenate([*parts, np.zeros(0, int)]).astype(int)


def _triangle(cone: Cone) -> np.ndarray:
    if not isinstance(cone, Semidefinite):
        return np.arange(cone.rows)
    columns, rows = np.tril_indices(cone.k)
    return places_of(cone.k)[rows, columns]


def _cones(product: Product) -> list:
    clarabel: Any = importlib.import_module("clarabel")
    made = {
        Zero: lambda cone: clarabel.ZeroConeT(cone.k),
        NonNegative: lambda cone: clarabel.NonnegativeConeT(cone.k),
        SecondOrder: lambda cone: clarabel.SecondOrderConeT(cone.k),
        Semidefinite: lambda cone: clarabel.PSDTriangleConeT(cone.k),
        Exponential: lambda cone: clarabel.ExponentialConeT(),
        Power: lambda cone: clarabel.PowerConeT(cone.a),
    }
    return [made[type(cone)](cone) for cone in product.cones]


def _curvatures(form: ConeForm, P: np.ndarray) -> Upper:
    n = form.n
    if form.P_pattern is not None:
        rows, columns = form.P_pattern.rows, form.P_pattern.columns
        low, high = np.minimum(rows, columns), np.maximum(rows, columns)
        return Upper.of(np.where(rows == columns, P, P / 2), low, high, (n, n))
    if form.curvature == "dense":
        whole = dense_curvature(form, P)
        rows, columns = np.nonzero(np.triu((whole != 0).any(0)))
        return Upper.of(whole[:, rows, columns], rows, columns, (n, n))
    every = np.arange(n if form.curvature == "diagonal" else 0)
    return Upper.of(P.reshape(len(P), -1)[:, : len(every)], every, every, (n, n))


def _rows(form: ConeForm, A: np.ndarray, order: np.ndarray) -> Upper:
    place = np.argsort(order)
    if form.A_pattern is not None:
        return Upper.of(A, place[form.A_pattern.rows], form.A_pattern.columns, (form.m, form.n))
    rows, columns = np.nonzero((A != 0).any(0))
    return Upper.of(A[:, rows, columns], place[rows], columns, (form.m, form.n))


def _options(settings: Any, gentle: bool) -> Any:
    options = importlib.import_module("clarabel").DefaultSettings()
    options.verbose = False
    options.max_threads = 1
    options.chordal_decomposition_enable = False
    options.equilibrate_enable = not gentle
    options.linesearch_backtrack_step = 0.5 if gentle else options.linesearch_backtrack_step
    options.max_iter = min(settings.max_iterations, LIMIT)
    options.tol_feas = options.tol_gap_abs = options.tol_gap_rel = min(settings.tolerance, ACCURACY)
    return options
