"""Programs that others wrote: the convex quadratic programs of Maros and Mészáros, beside Clarabel's own solve.

Reads the .mat files (P, q, A, l, u; the last rows of A are the bounds) in the folder $MAROS_MESZAROS. Every problem in
one process: Clarabel's forward solve at its default settings, ours, and ours with the gradient of x'w with respect to
q, each the median of a few warm runs, by turns. Objectives are compared with Clarabel's at 1e-10, and the "breach" is
the largest violation of the optimality conditions, in the units of the file and beside the largest number of each: on
YAO Clarabel ends AlmostSolved at an objective twice the true one. Ratios are our time over Clarabel's own solve: below
1 we are faster.

The profile has the forward times of Clarabel, PIQP, HiGHS (its solver of quadratic programs, 5 s at most) and OSQP at
1e-6 too: which share of the problems each solves, to a breach of 1e-5, within how many times the time of the fastest.
"""

import math
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.io
from jax.experimental.sparse import BCOO
from scipy import sparse

from argflux.programs import Status, solve_lp, solve_qp
from benchmarks.report import RESULTS, publish

FAR = 0.99e20  # some of the files have what rounding made of 1e20
SHIFT = 1e-3
RUNS, BUDGET = 5, 3.0
PATIENCE, LOOSE = 5.0, 1e-5


class Problem(NamedTuple):
    """`min x'Px/2 + q'x` with `Ax = b`, `Gx <= h`, `lower <= x <= upper`, matrices of SciPy."""

    P: Any
    q: np.ndarray
    A: Any
    b: np.ndarray
    G: Any
    h: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def read(path: Path) -> Problem:
    data = scipy.io.loadmat(path)
    P, A = sparse.csc_array(data["P"]), sparse.csr_array(data["A"])
    q, low, high = (np.ravel(data[name]).astype(float) for name in ("q", "l", "u"))
    if (sparse.tril(P, -1).nnz == 0) != (sparse.triu(P, 1).nnz == 0):  # one triangle
        P = sparse.csc_array(P + P.T - sparse.diags_array(P.diagonal()))
    low, high = np.where(low <= -FAR, -np.inf, low), np.where(high >= FAR, np.inf, high)
    rows = A.shape[0] - len(q)
    A, (l, u) = A[:rows], (low[:rows], high[:rows])
    equal, top, bottom = l == u, (l != u) & np.isfinite(u), (l != u) & np.isfinite(l)
    G, h = sparse.vstack([A[top], -A[bottom]]).tocsr(), np.concatenate([u[top], -l[bottom]])
    return Problem(P, q, A[equal], u[equal], G, h, low[rows:], high[rows:])


def clarabel_of(p: Problem, tolerance: float | None = None) -> Callable[[], Any]:
    """A function that makes and solves it by Clarabel, its default settings unless a tolerance is given."""
    import clarabel

    top, bottom = np.isfinite(p.upper), np.isfinite(p.lower)
    eye = sparse.eye_array(len(p.q)).tocsr()
    rows = sparse.csc_array(sparse.vstack([p.A, p.G, eye[top], -eye[bottom]]))
    right = np.concatenate([p.b, p.h, p.upper[top], -p.lower[bottom]])
    cones = [clarabel.ZeroConeT(len(p.b)), clarabel.NonnegativeConeT(len(right) - len(p.b))]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    if tolerance is not None:
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tolerance
    P = sparse.csc_array(sparse.triu(p.P))
    return lambda: clarabel.DefaultSolver(P, p.q, rows, right, cones, settings).solve()


def ours_of(p: Problem) -> Callable[[jax.Array], Any]:
    """Our solve as a function of q."""
    matrix = lambda M: BCOO.from_scipy_sparse(M) if M.shape[0] else None
    vector = lambda v, M: jnp.asarray(v) if M.shape[0] else None
    rows = matrix(p.A), vector(p.b, p.A), matrix(p.G), vector(p.h, p.G), jnp.asarray(p.lower), jnp.asarray(p.upper)
    if not p.P.nnz:
        return lambda q: solve_lp(q, *rows)
    diagonal = p.P.nnz == np.count_nonzero(p.P.diagonal())
    P = jnp.asarray(p.P.diagonal()) if diagonal else BCOO.from_scipy_sparse(p.P)
    return lambda q: solve_qp(P, q, *rows)


def median_time(run: Callable[[], Any]) -> float:
    taken: list[float] = []
    while len(taken) < RUNS and sum(taken) < BUDGET:
        start = time.perf_counter()
        jax.block_until_ready(run())
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def piqp_of(p: Problem) -> Callable[[], Any]:
    import piqp

    matrix = lambda M: sparse.csc_matrix(M)

    def solve() -> np.ndarray:
        solver = piqp.SparseSolver()
        solver.setup(matrix(p.P), p.q, matrix(p.A), p.b, matrix(p.G), None, p.h, p.lower, p.upper)
        solver.solve()
        return np.array(solver.result.x)

    return solve


def osqp_of(p: Problem) -> Callable[[], Any]:
    import osqp

    eye = sparse.eye_array(len(p.q))
    rows = sparse.csc_matrix(sparse.vstack([p.A, p.G, eye]))
    low = np.concatenate([p.b, np.full(len(p.h), -np.inf), p.lower])
    high, P = np.concatenate([p.b, p.h, p.upper]), sparse.csc_matrix(sparse.triu(p.P))

    def solve() -> np.ndarray:
        solver = osqp.OSQP()
        limits = {"eps_abs": 1e-6, "eps_rel": 1e-6, "max_iter": 100_000, "time_limit": PATIENCE}
        solver.setup(P, p.q, rows, low, high, verbose=False, polishing=False, **limits)
        return np.array(solver.solve().x)

    return solve


def highs_of(p: Problem) -> Callable[[], Any]:
    import highspy

    rows = sparse.csr_array(sparse.vstack([p.A, p.G]))
    lower = sparse.csc_array(sparse.tril(p.P))

    def solve() -> np.ndarray:
        model = highspy.HighsModel()
        lp, hessian = model.lp_, model.hessian_
        lp.num_row_, lp.num_col_ = rows.shape
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = p.q, p.lower, p.upper
        lp.row_lower_, lp.row_upper_ = np.concatenate([p.b, np.full(len(p.h), -np.inf)]), np.concatenate([p.b, p.h])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = rows.indptr, rows.indices, rows.data
        hessian.dim_, hessian.format_ = len(p.q), highspy.HessianFormat.kTriangular
        hessian.start_, hessian.index_, hessian.value_ = lower.indptr, lower.indices, lower.data
        solver = highspy.Highs()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("time_limit", PATIENCE)
        solver.passModel(model)
        solver.run()
        return np.array(solver.getSolution().col_value)

    return solve


PEERS = {"PIQP": piqp_of, "HiGHS": highs_of, "OSQP": osqp_of}


def infeasible(p: Problem, x: np.ndarray) -> float:
    """How far a point is from the rows and bounds, beside the largest right side."""
    if len(x) != len(p.q) or not np.isfinite(x).all():
        return math.inf
    parts = np.abs(p.A @ x - p.b), p.G @ x - p.h, p.lower - x, x - p.upper
    size = 1 + max((float(np.abs(part[np.isfinite(part)]).max(initial=0.0)) for part in (p.b, p.h)), default=0.0)
    return max(float(np.max(part, initial=0.0)) for part in parts) / size


def breach(p: Problem, s: Any) -> float:
    """The largest violation of the optimality conditions by a solution of ours."""
    x, y, z, low, high = (np.asarray(part) for part in (s.x, s.y, s.z, s.z_lower, s.z_upper))
    terms = [p.P @ x, p.q, p.A.T @ y, p.G.T @ z, high - low]
    slope = float(np.abs(sum(terms)).max() / max(1.0, *(np.abs(term).max() for term in terms)))
    slacks = [(p.h - p.G @ x, z), (x - p.lower, low), (p.upper - x, high)]
    products = max(
        float(np.abs(np.where(dual > 0, slack, 0.0) * dual).max(initial=0.0)) for slack, dual in slacks
    ) / max(1.0, abs(float(p.q @ x + x @ (p.P @ x) / 2)))
    signs = max(float(np.max(-dual, initial=0.0)) for _, dual in slacks)
    return max(infeasible(p, x), slope, products, signs)


def measure(name: str, p: Problem) -> tuple[dict[str, Any], dict[str, float]]:
    """A row of the table, and the forward times of all solvers, infinite where they fail."""
    solve, q = ours_of(p), jnp.asarray(p.q)
    w = jnp.asarray(np.random.default_rng(0).normal(size=len(p.q)))
    gradient = jax.grad(lambda q: solve(q).x @ w)
    peer, exact = clarabel_of(p), clarabel_of(p, 1e-10)()
    found, slope = solve(q), gradient(q)
    times = [median_time(run) for run in (peer, lambda: solve(q), lambda: gradient(q))]
    scale = max(1.0, abs(exact.obj_val))
    row = {
        "problem": name,
        "unknowns": len(p.q),
        "rows": len(p.b) + len(p.h),
        "status": Status(int(found.status)).name,
        "breach": breach(p, found),
        "objective's error": abs(float(found.objective) - exact.obj_val) / scale,
        "finite gradient": bool(jnp.all(jnp.isfinite(slope))),
        "Clarabel ms": 1e3 * times[0],
        "ours / Clarabel": times[1] / times[0],
        "with gradient / Clarabel": times[2] / times[0],
    }
    best, forward = float(found.objective), {"argflux": times[1], "Clarabel": times[0]}
    runs = {"Clarabel": lambda: np.array(peer().x)}
    for other, make in PEERS.items():
        try:
            runs[other] = make(p)
            forward[other] = median_time(runs[other])
        except Exception as error:
            print(f"{name}, {other}: {type(error).__name__}: {error}")
            runs[other] = lambda: np.full(1, np.nan)
    for other, run in runs.items():
        x = run()
        right = infeasible(p, x) < LOOSE and abs(x @ (p.P @ x) / 2 + p.q @ x - best) < LOOSE * max(1.0, abs(best))
        forward[other] = forward.get(other, math.inf) if right else math.inf
    return row, forward


def draw(times: list[dict[str, float]]) -> None:
    """The performance profile."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    fastest = np.array([min(row.values()) for row in times])
    for name in times[0]:
        ratios = np.sort([row[name] for row in times] / fastest)
        share = np.arange(1, len(ratios) + 1) / len(ratios)
        given = np.isfinite(ratios)
        axes.step(ratios[given], share[given], where="post", label=f"{name} ({int(given.sum())} solved)")
    axes.set(xscale="log", xlabel="time beside the fastest", ylabel="share of problems solved", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False)
    axes.set_title(f"{len(times)} problems of Maros and Mészáros, forward", loc="left", fontsize=11)
    figure.savefig(RESULTS / "real_programs.png", dpi=150)


def mean(rows: list[dict], column: str) -> float:
    """The geometric mean of times shifted by a millisecond, beside Clarabel's."""
    peer = [row["Clarabel ms"] / 1e3 for row in rows]
    ours = [row[column] * t for row, t in zip(rows, peer, strict=True)]
    shifted = lambda times: math.exp(statistics.fmean(math.log(t + SHIFT) for t in times)) - SHIFT
    return shifted(ours) / shifted(peer)


def main() -> None:
    folder = os.environ.get("MAROS_MESZAROS")
    if folder is None:
        return print("real_programs: left out; set MAROS_MESZAROS to the folder of the .mat files")
    jax.config.update("jax_enable_x64", True)
    rows, profile = [], []
    for path in sorted(Path(folder).glob("*.mat")):
        try:
            row, times = measure(path.stem, read(path))
        except Exception as error:  # VALUES is not convex, and says so
            print(f"{path.stem}: {type(error).__name__}: {error}")
            continue
        rows.append(row)
        profile.append(times)
        print(*(f"{v:.3g}" if isinstance(v, float) else v for v in rows[-1].values()), flush=True)
    title = ", ".join(
        f"{column}: {mean(rows, column):.2f} in the mean, {max(row[column] for row in rows):.1f} at worst"
        for column in ("ours / Clarabel", "with gradient / Clarabel")
    )
    publish("real_programs", title, rows, ("numpy", "scipy", "clarabel", "highspy", "daqp", "piqp", "osqp"))
    draw(profile)


if __name__ == "__main__":
    main()
