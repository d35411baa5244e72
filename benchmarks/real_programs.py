"""Programs that others wrote: the convex quadratic programs of Maros and Mészáros, beside Clarabel's own solve.

Reads the .mat files (P, q, A, l, u; the last rows of A are the bounds) in the folder $MAROS_MESZAROS. Every problem in
one process: Clarabel's forward solve at its default settings, ours, and ours with the gradient of x'w with respect to
q, each the median of a few warm runs, by turns. Objectives are compared with Clarabel's at 1e-10. Ratios are our time
over Clarabel's own solve: below 1 we are faster.
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
from benchmarks.report import publish

FAR = 0.99e20  # some of the files have what rounding made of 1e20
SHIFT = 1e-3
RUNS, BUDGET = 5, 3.0


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


def measure(name: str, p: Problem) -> dict[str, Any]:
    solve, q = ours_of(p), jnp.asarray(p.q)
    w = jnp.asarray(np.random.default_rng(0).normal(size=len(p.q)))
    gradient = jax.grad(lambda q: solve(q).x @ w)
    peer, exact = clarabel_of(p), clarabel_of(p, 1e-10)()
    found, slope = solve(q), gradient(q)
    times = [median_time(run) for run in (peer, lambda: solve(q), lambda: gradient(q))]
    scale = max(1.0, abs(exact.obj_val))
    return {
        "problem": name,
        "unknowns": len(p.q),
        "rows": len(p.b) + len(p.h),
        "status": Status(int(found.status)).name,
        "objective's error": abs(float(found.objective) - exact.obj_val) / scale,
        "finite gradient": bool(jnp.all(jnp.isfinite(slope))),
        "Clarabel ms": 1e3 * times[0],
        "ours / Clarabel": times[1] / times[0],
        "with gradient / Clarabel": times[2] / times[0],
    }


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
    rows = []
    for path in sorted(Path(folder).glob("*.mat")):
        try:
            rows.append(measure(path.stem, read(path)))
        except Exception as error:  # VALUES is not convex, and says so
            print(f"{path.stem}: {type(error).__name__}: {error}")
            continue
        print(*(f"{v:.3g}" if isinstance(v, float) else v for v in rows[-1].values()), flush=True)
    title = ", ".join(
        f"{column}: {mean(rows, column):.2f} in the mean, {max(row[column] for row in rows):.1f} at worst"
        for column in ("ours / Clarabel", "with gradient / Clarabel")
    )
    publish("real_programs", title, rows, ("numpy", "scipy", "clarabel", "highspy", "daqp"))


if __name__ == "__main__":
    main()
