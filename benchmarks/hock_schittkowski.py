"""Nonlinear problems of Hock, Schittkowski and CUTEst, from `sif2jax`, solved from their own starts at default settings.

    python -m benchmarks.hock_schittkowski                 all with at most 50 unknowns; writes results/sif2jax.json
    python -m benchmarks.hock_schittkowski HS71 HS13       some, printed only

`reached` says whether the objective is the best known one, or as good; `violation` is the largest violation of the
optimality conditions at what was returned, by JAX's derivatives and relative to the multipliers.
"""

import json
import pathlib
import signal
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import sif2jax
from jax.flatten_util import ravel_pytree

from argflux.programs import Status
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.solvers.barrier import barrier_points

MOST, PATIENCE = 50, 120
GOOD, FEASIBLE = 1e-5, 1e-6
KNOWN = pathlib.Path(__file__).parent / "results" / "sif2jax_known.json"


class Problem:
    """One problem as functions of a flat vector."""

    def __init__(self, source):
        self.source, self.name = source, source.name
        self.start, back = ravel_pytree(source.y0)
        self.start = self.start.astype(jnp.float64)
        self.n = len(self.start)
        flat = lambda tree: jnp.zeros(0) if tree is None else ravel_pytree(tree)[0].astype(jnp.float64)
        whole = lambda x: jnp.asarray(source.objective(back(x), source.args), jnp.float64).reshape(())
        limited = (
            isinstance(
                source,
                sif2jax._problem.AbstractConstrainedMinimisation | sif2jax._problem.AbstractConstrainedQuadraticProblem,
            )
            if False
            else hasattr(source, "constraint")
        )
        parts = (lambda x: source.constraint(back(x))) if limited else (lambda x: (None, None))
        c, g = (lambda x: flat(parts(x)[0])), (lambda x: -flat(parts(x)[1]))
        self.p, self.m = (
            len(jax.eval_shape(f, self.start)) if False else jax.eval_shape(f, self.start).shape[0] for f in (c, g)
        )
        self.form = NonlinearForm(self.n, self.p, self.m, whole, c if self.p else None, g if self.m else None)
        bounds = source.bounds
        low, high = (flat(b) for b in bounds) if bounds is not None else (None, None)
        full = lambda v, b: jnp.full(self.n, b) if v is None else jnp.broadcast_to(v, (self.n,))
        self.lower, self.upper = full(low, -jnp.inf), full(high, jnp.inf)
        self.lower = jnp.where(self.lower < -1e19, -jnp.inf, self.lower)
        self.upper = jnp.where(self.upper > 1e19, jnp.inf, self.upper)

    @property
    def expected(self) -> float | None:
        value = self.source.expected_objective_value
        return None if value is None else float(np.asarray(value))


def problems() -> list[Problem]:
    """All distinct ones with constraints or bounds, and few unknowns."""
    found = {}
    for source in [*sif2jax.constrained_minimisation_problems, *sif2jax.bounded_minimisation_problems]:
        size = sum(np.size(leaf) for leaf in jax.tree.leaves(jax.eval_shape(lambda: source.y0)))
        if size <= MOST and source.name not in found:
            found[source.name] = Problem(source)
    return list(found.values())


def violation(problem: Problem, answer) -> tuple[float, float]:
    """The largest violation of the constraints, and of all optimality conditions."""
    form = problem.form
    x, y, z, low, high = (np.asarray(a[0]) for a in answer[:5])
    empty = lambda x: jnp.zeros(0)
    c, g = form.equality or empty, form.inequality or empty
    rows, sides = np.asarray(c(x)), np.asarray(g(x))
    slope = jax.grad(form.objective)(x) + jax.jacobian(c)(x).T @ y + jax.jacobian(g)(x).T @ z - low + high
    size = max(1.0, *(np.abs(a).max(initial=0) for a in (y, z, low, high)))
    bounds = np.concatenate([problem.lower - x, x - problem.upper, sides, np.abs(rows), [0.0]])
    primal = bounds.max(initial=0)
    gap = lambda z, s: np.abs(np.minimum(z, np.where(np.isfinite(s), s, np.inf))).max(initial=0)
    pairs = max(gap(z, -sides), gap(low, x - problem.lower), gap(high, problem.upper - x))
    return float(primal), float(max(primal, np.abs(slope).max() / size, pairs))


def solved(problem: Problem) -> dict:
    """Solve one problem and measure what came."""
    run = jax.jit(lambda x, low, high: barrier_points(problem.form, (), x, low, high))
    begin = time.perf_counter()
    with jax.numpy_dtype_promotion("standard"):
        answer = jax.block_until_ready(run(problem.start[None], problem.lower[None], problem.upper[None]))
        primal, whole = violation(problem, answer)
        f = float(problem.form.objective(answer.x[0]))
    return {
        "problem": problem.name,
        "n": problem.n,
        "p": problem.p,
        "m": problem.m,
        "status": Status(int(answer.status[0])).name,
        "iterations": int(answer.iterations[0]),
        "objective": f,
        "known": problem.expected,
        "primal": primal,
        "violation": whole,
        "seconds": time.perf_counter() - begin,
    }


def reached(row: dict, known: float | None) -> bool:
    if known is None:
        return row["status"] == "SOLVED"
    return row["primal"] <= FEASIBLE and row["objective"] <= known + GOOD * max(1.0, abs(known))


def main(names: list[str]) -> None:
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError()))
    rows = []
    out = pathlib.Path("/tmp/sif_rows.jsonl").open("a" if names else "w")
    for problem in problems():
        if names and problem.name not in names:
            continue
        signal.alarm(PATIENCE)
        try:
            row = solved(problem)
        except Exception as error:
            row = {
                "problem": problem.name,
                "n": problem.n,
                "status": type(error).__name__ + str(error)[:200],
                "objective": np.nan,
                "primal": np.nan,
                "violation": np.nan,
                "known": problem.expected,
                "iterations": -1,
                "seconds": np.nan,
                "p": problem.p,
                "m": problem.m,
            }
        signal.alarm(0)
        row["reached"] = reached(row, row["known"])
        rows.append(row)
        out.write(json.dumps(row) + "\n")
        out.flush()
        mark = "" if row["reached"] else "<---"
        if row["status"] == "SOLVED" and not row["violation"] < 1e-6:
            mark += " KKT"
        print(
            f"{row['problem']:10} n {row['n']:3} p {row['p']:3} m {row['m']:3} {row['status']:18} it {row['iterations']:4} f {row['objective']:.8e} known {row['known']} viol {row['primal']:.1e} {row['violation']:.1e} {row['seconds']:.1f}s {mark}",
            flush=True,
        )
        if len(rows) % 40 == 0:
            jax.clear_caches()
    print(sum(r["reached"] for r in rows), "of", len(rows))


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main(sys.argv[1:])
