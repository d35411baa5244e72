"""Clarabel's interior-point method on the host, for quadratic programs with sparse matrices."""

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csc_array, eye_array, triu, vstack

from argflux.errors import MissingDependencyError
from argflux.programs.answers.judge import Answer
from argflux.programs.answers.status import Status
from argflux.programs.derivatives.leastnorm import symmetric_factors
from argflux.programs.derivatives.sparsekkt import System, curvature_of, rows_of
from argflux.programs.forms.form import Blocks, Form, batch_size, bounds
from argflux.programs.forms.hostcall import cores, share
from argflux.programs.forms.pattern import Sparse

ACCURACY = 1e-2
WEAK = 1e-5
STEPS = 10
CONVEX = 1e-9


class Vectors(NamedTuple):
    """The vectors of one instance."""

    q: np.ndarray
    b: np.ndarray
    h: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


class Point(NamedTuple):
    """Primal, duals of the rows, signed duals of the bounds."""

    x: np.ndarray
    dual: np.ndarray
    bound: np.ndarray


def has_clarabel() -> bool:
    """Whether the package `clarabel` is installed."""
    return importlib.util.find_spec("clarabel") is not None


def require_clarabel(where: str) -> None:
    """Refuse sparse quadratic programs without their solver.

    Raises:
        MissingDependencyError: if Clarabel is not installed.
    """
    if not has_clarabel():
        raise MissingDependencyError(
            "a sparse quadratic program, without Clarabel",
            "the package clarabel",
            "pip install 'argflux[solvers]', or pass dense matrices",
            where=where,
        )


def solve_clarabel(form: Form, settings: Any, blocks: Blocks) -> Answer:
    """Solve programs whose matrices are values on patterns, one after another.

    Source:
        Goulart and Chen, "Clarabel: an interior-point solver for conic programs with quadratic objectives" (2024).
    """
    batch = batch_size(blocks)
    P, A, G = (M.values if isinstance(M, Sparse) else M for M in (blocks.P, blocks.A, blocks.G))
    arrays = (P, blocks.q, A, blocks.b, G, blocks.h, *bounds(form, blocks))
    found = np.zeros((batch, form.n)), np.zeros((batch, form.p + form.m)), np.zeros((batch, form.n))
    status, iterations = np.full(batch, int(Status.NUMERICAL_ERROR), np.int32), np.zeros(batch, np.int32)

    def work(left: Iterator[int]) -> None:
        for i in left:
            instance = [a[i % len(a)] for a in arrays]
            if all(np.isfinite(a).all() for a in instance[:5]):
                *point, status[i], iterations[i] = solve_one(form, settings, *instance)
                for values, part in zip(found, point, strict=True):
                    values[i] = part

    share(work, batch, cores())
    return Answer(*found, status, iterations, status == int(Status.SOLVED))


def solve_one(form: Form, settings: Any, P, q, A, b, G, h, lower, upper) -> tuple:
    """One instance: x, duals, signed duals of the bounds, status, iterations."""
    clarabel: Any = importlib.import_module("clarabel")

    n, p, k = form.n, form.p, form.p + form.m
    nothing = np.zeros(n), np.zeros(k), np.zeros(n)
    P, C, eye = curvature_of(form, P), rows_of(form, A, G), eye_array(n, format="csr")
    if not is_convex(P):
        return *nothing, int(Status.BAD_DATA), 0
    right = np.concatenate([b, h, upper, -lower])
    given = np.flatnonzero(np.isfinite(right))
    rows = csc_array(vstack([C, eye, -eye]).tocsr()[given])
    cones = [clarabel.ZeroConeT(p), clarabel.NonnegativeConeT(len(given) - p)]
    cones = [cone for cone, size in zip(cones, (p, len(given) - p), strict=True) if size]
    solver = clarabel.DefaultSolver(csc_array(triu(P)), q, rows, right[given], cones, _options(settings))
    found = solver.solve()
    status = _status(str(found.status))
    z = np.zeros(len(right))
    z[given] = np.asarray(found.z)
    slack = np.asarray(found.s)
    z[given[p:]] = np.where(slack[p:] > z[given[p:]], 0.0, z[given[p:]])
    point = Point(np.asarray(found.x), z[:k], z[k : k + n] - z[k + n :])
    if status == Status.SOLVED:
        point = _polish(P, C, Vectors(q, b, h, lower, upper), point, settings.tolerance)
    return *point, int(status), found.iterations


def _polish(P: csc_array, C: csc_array, data: Vectors, point: Point, tolerance: float) -> Point:
    """Meet the optimality conditions exactly on the active set, mended step by step, or with all that nearly hold."""
    score = lambda found: _wrong(P, C, data, found)
    best, held = point, _held(C, data, point, 0.0)
    for _ in range(STEPS):
        found = _meet(P, C, data, point, held)
        best = min(best, found, key=score)
        mended = _held(C, data, found, 0.0)
        if score(best) <= tolerance / 10 or all(map(np.array_equal, held, mended)):
            break
        held = mended
    if score(best) <= tolerance / 10:
        return best
    return min(best, _meet(P, C, data, point, _held(C, data, point, WEAK)), key=score)


def _held(C: csc_array, data: Vectors, point: Point, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that hold, lower and upper bounds that do: where duals outweigh slacks, or slacks are within `width`."""
    right, near = np.concatenate([data.b, data.h]), width * (1.0 + np.abs(point.x).max())
    held = lambda slack, dual: (dual > slack) | (slack <= near if width else slack < 0)
    active = held(right - C @ point.x, point.dual) | (np.arange(len(right)) < len(data.b))
    below = held(point.x - data.lower, -point.bound)
    return active, below, held(data.upper - point.x, point.bound) & ~below


def _meet(P: csc_array, C: csc_array, data: Vectors, point: Point, held: tuple) -> Point:
    """The least correction that meets the optimality conditions where everything `held` does."""
    active, below, above = held
    system, fixed = System(P, C, active, below | above), below | above
    point = Point(point.x, np.where(active, point.dual, 0.0), np.where(fixed, point.bound, 0.0))
    for _ in range(2):
        r1 = -(P @ point.x + data.q + C.T @ point.dual + point.bound)
        r2 = np.where(active, np.concatenate([data.b, data.h]) - C @ point.x, 0.0)
        r3 = np.where(fixed, np.where(below, data.lower, data.upper) - point.x, 0.0)
        moved = [part[:, 0] for part in system.solve([r1[:, None], r2[:, None], r3[:, None]])]
        point = Point(*(a + b for a, b in zip(point, moved, strict=True)))
    return point


def _wrong(P: csc_array, C: csc_array, data: Vectors, point: Point) -> float:
    """Largest violation of the optimality conditions, relative to the data."""
    p, Px, Cx, Cd = len(data.b), P @ point.x, C @ point.x, C.T @ point.dual
    slack = np.concatenate([data.b, data.h]) - Cx
    low, high = point.x - data.lower, data.upper - point.x
    largest = lambda *parts: max((float(np.abs(part).max()) for part in parts if part.size), default=0.0)
    primal = largest(slack[:p], np.minimum(slack[p:], 0), np.minimum(low, 0), np.minimum(high, 0))
    dual = largest(Px + data.q + Cd + point.bound, np.minimum(point.dual[p:], 0))
    with np.errstate(invalid="ignore"):
        at = np.where(point.bound > 0, high, low) * point.bound
        gap = largest(np.nan_to_num(point.dual[p:] * slack[p:]), np.nan_to_num(at))
    cost = 1.0 + abs(float(point.x @ (Px / 2 + data.q)))
    return max(primal / (1.0 + largest(data.b, Cx)), dual / (1.0 + largest(Px, data.q, Cd)), gap / cost)


def _options(settings: Any) -> Any:
    clarabel: Any = importlib.import_module("clarabel")

    options = clarabel.DefaultSettings()
    options.verbose = False
    options.max_iter = min(settings.max_iterations, 500)
    options.tol_feas = options.tol_gap_abs = options.tol_gap_rel = ACCURACY * min(settings.tolerance, 1e-8)
    options.direct_solve_method = "faer"
    return options


def _status(name: str) -> Status:
    if name in ("Solved", "AlmostSolved", "InsufficientProgress"):
        return Status.SOLVED
    failures = {"PrimalInfeasible": Status.PRIMAL_INFEASIBLE, "DualInfeasible": Status.DUAL_INFEASIBLE}
    failures |= {f"Almost{name}": status for name, status in failures.items()}
    return failures.get(name, Status.ITERATION_LIMIT if name == "MaxIterations" else Status.NUMERICAL_ERROR)


def is_convex(P: csc_array) -> bool:
    """Whether P is positive semidefinite up to rounding: by Gershgorin's discs, or else by the signs of its pivots."""
    diagonal, size = P.diagonal(), abs(P)
    if np.all(2 * diagonal >= size.sum(1)):
        return True
    shift = CONVEX * max(float(size.max()), 1e-300)
    try:
        lu = symmetric_factors(P + shift * eye_array(len(diagonal)))
    except RuntimeError:
        return False
    return bool(np.array_equal(lu.perm_r, lu.perm_c) and np.all(lu.U.diagonal() > 0))
