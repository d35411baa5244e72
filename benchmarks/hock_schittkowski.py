"""Nonlinear problems that others wrote: those of Hock, Schittkowski and CUTEst in `sif2jax`, from their own starts.

    python -m benchmarks hock_schittkowski                all with constraints or bounds and at most 50 unknowns
    python -m benchmarks.hock_schittkowski HS71 HS13      some, printed only

Every problem at default settings, one after another, each compiled by itself. `known` is the best objective known:
`sif2jax`'s own field, or where that has none or one that contradicts the collection, the number in `KNOWN`. `reached`
says whether ours is as good, to 1e-5 and at a point that meets the constraints to 1e-6. `error` is the largest
violation of the optimality conditions by JAX's derivatives, beside the largest multiplier. `Ipopt` and `by Ipopt` are
the objective at which Ipopt ends by the same functions, and whether that is as good, where cyipopt is installed.

`sif2jax` promises inequalities as `g(x) >= 0`, but writes some rows as their files do, `g(x) <= 0`; `FLIPPED` has the
rows of each problem that are meant the other way round, which the best objectives known confirm.
"""

import itertools
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from argflux.programs import Status
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.solvers.barrier import barrier_points
from benchmarks import ipopt
from benchmarks.report import RESULTS, publish

MOST, PATIENCE, KEPT, PROCESSES = 50, 120, 15, 2
GOOD, FEASIBLE = 1e-5, 1e-6
ENDLESS = 1e19
EVERY = -1
FLIPPED = {
    **dict.fromkeys(("CANTILVR", "CSFI1", "CSFI2", "HS64", "TRO3X3", "TRO6X2"), (0,)),
    **dict.fromkeys(("CHACONN1", "CHACONN2", "DEMYMALO", "DIPIGRI", "ELATTAR", "HAIFAS", "MINMAXBD"), (EVERY,)),
    **dict.fromkeys(("HS101", "HS102", "HS103", "HS108", "PENTAGON", "POLAK6", "ZECEVIC3", "ZECEVIC4"), (EVERY,)),
    **dict.fromkeys(("MAKELA1", "MAKELA2", "MAKELA3", "MAKELA4"), (EVERY,)),
    **dict.fromkeys(("POLAK1", "POLAK2", "POLAK3", "POLAK4", "POLAK5"), (EVERY,)),
    **dict.fromkeys(("HS76", "HS76I"), (0, 1)),
    "BATCH": (60,),
    "BURKEHAN": (EVERY,),
    "OPTPRLOC": (*range(27), 28),
    "DEMBO7": tuple(range(1, 20)),
    "HS93": (1,),
    "HS104": (0, 1, 2, 3),
}
KNOWN = {
    "BATCH": 259180.35, "CB2": 1.9522245, "CB3": 2.0, "CSFI1": -49.07520, "CSFI2": 55.01760, "DEGENLPA": 3.06039,
    "DEGENLPB": -30.73124, "DEVGLA2B": 10640.459, "EGGCRATEB": 9.4881974, "ELATVIDUB": 54.751119,
    "FBRAINLS": 0.41660293, "FLETCHER": 11.656854, "HS5": -1.9132230, "HS21MOD": -95.96, "HS34": -0.83403245,
    "HS35MOD": 0.25, "JUDGEB": 16.081730, "PALMER1A": 0.089893566, "PALMER2B": 0.62326811, "PALMER2E": 0.00020654504,
    "PALMER3A": 0.020431342, "PALMER4": 2285.3832, "PALMER4B": 6.8351568, "PALMER5B": 0.0097524,
    "DIAGIQB": None, "HS88": 1.3626568, "HS89": 1.3626568, "PALMER8A": 0.074009697, "PALMER8E": 0.0063393,
    "ZECEVIC3": 97.309452, "PALMER6A": 0.055949227, "PALMER6E": 0.00022394034, "PALMER7E": 10.153900,
    "OPTPRLOC": -16.41977, "TRO3X3": None, "TRO6X2": 1225.0,
}  # fmt: skip
INFEASIBLE = ("BURKEHAN", "HIMMELBD")


class Problem:
    """One problem as functions of a flat vector."""

    def __init__(self, source):
        """Take a problem of `sif2jax` apart."""
        start, back = ravel_pytree(source.y0)
        flat = lambda tree: jnp.zeros(0) if tree is None else ravel_pytree(tree)[0].astype(jnp.float64)
        parts = lambda x: source.constraint(back(x)) if hasattr(source, "constraint") else (None, None)
        objective = lambda x: jnp.asarray(source.objective(back(x), source.args), jnp.float64).reshape(())
        self.source, self.name, self.start, n = source, source.name, start.astype(jnp.float64), len(start)
        c, side = (lambda x: flat(parts(x)[0])), (lambda x: -flat(parts(x)[1]))
        p, m = (jax.eval_shape(f, self.start).shape[0] for f in (c, side))
        rows, sign = FLIPPED.get(self.name, ()), np.ones(m)
        sign[list(range(m) if EVERY in rows else rows)] = -1
        g = lambda x: sign * side(x)
        self.form = NonlinearForm(n, p, m, objective, c if p else None, g if m else None)
        low, high = source.bounds if source.bounds is not None else (None, None)
        full = lambda tree, value: jnp.full(n, value) if tree is None else jnp.broadcast_to(flat(tree), (n,))
        low, high = full(low, -jnp.inf), full(high, jnp.inf)
        self.lower, self.upper = jnp.where(low < -ENDLESS, -jnp.inf, low), jnp.where(high > ENDLESS, jnp.inf, high)

    @property
    def known(self) -> float | None:
        """The best objective known."""
        value = KNOWN.get(self.name, self.source.expected_objective_value)
        return None if value is None else float(np.asarray(value))

    def solve(self):
        """Solve from the problem's start."""
        run = jax.jit(lambda x, low, high: barrier_points(self.form, (), x, low, high))
        return run(self.start[None], self.lower[None], self.upper[None])

    def breaches(self, answer) -> tuple[float, float]:
        """The largest violation of the constraints, and of all optimality conditions."""
        x, y, z, low, high = (np.asarray(a[0]) for a in answer[:5])
        empty: Callable = lambda x: jnp.zeros(0)
        f, c, g = self.form.objective, self.form.equality or empty, self.form.inequality or empty
        sums = lambda x: jax.grad(f)(x) + jax.jacobian(c)(x).T @ y + jax.jacobian(g)(x).T @ z - low + high
        rows, sides, slope = map(np.asarray, jax.jit(lambda x: (c(x), g(x), sums(x)))(x))
        size = max(1.0, *(np.abs(a).max(initial=0) for a in (y, z, low, high)))
        below, above = x - self.lower, self.upper - x
        primal = max(np.max(a, initial=0) for a in (-below, -above, sides, np.abs(rows)))
        products = [np.abs(v * np.where(np.isfinite(s), s, 1)) for v, s in ((z, sides), (low, below), (high, above))]
        least = min(np.min(a, initial=0) for a in (z, low, high))
        gap = max(np.max(a, initial=0) for a in products) / size
        return float(primal), float(max(primal, np.abs(slope).max() / size, gap, -least))


def problems(names: tuple = ()) -> Iterator[Problem]:
    """Those with constraints or bounds and few unknowns, each once; or the named ones."""
    import sif2jax

    seen = set()
    for source in [*sif2jax.constrained_minimisation_problems, *sif2jax.bounded_minimisation_problems]:
        if source.name in seen or (names and source.name not in names):
            continue
        seen.add(source.name)
        if sum(np.size(leaf) for leaf in jax.tree.leaves(jax.eval_shape(lambda s=source: s.y0))) <= MOST:
            yield Problem(source)


def row(problem: Problem) -> dict:
    """Solve a problem, and measure what came; nothing where it takes too long."""
    signal.signal(signal.SIGALRM, _late)
    signal.alarm(PATIENCE)
    begin = time.perf_counter()
    try:
        answer = jax.block_until_ready(problem.solve())
    except TimeoutError:
        answer = None
    finally:
        signal.alarm(0)
    seconds, form = time.perf_counter() - begin, problem.form
    head = {"problem": problem.name, "n": form.n, "p": form.p, "m": form.m}
    if answer is None:
        nothing = {"iterations": 0, "objective": None, "known": problem.known, "reached": False}
        told = {"breach": None, "error": None, "seconds": seconds}
        return {**head, "status": "TIMEOUT", **nothing, **told, **by_ipopt(problem)}
    breach, error = problem.breaches(answer)
    status, objective = Status(int(answer.status[0])), float(form.objective(answer.x[0]))
    return {
        **head,
        "status": status.name,
        "iterations": int(answer.iterations[0]),
        "objective": objective,
        "known": problem.known,
        "reached": _is_reached(problem, status, breach, objective),
        "breach": breach,
        "error": error,
        "seconds": seconds,
        **by_ipopt(problem),
    }


def _is_reached(problem: Problem, status: Status, breach: float, objective: float) -> bool:
    if problem.name in INFEASIBLE:
        return status == Status.LOCALLY_INFEASIBLE
    known = problem.known
    good = known is None or objective <= known + GOOD * max(1.0, abs(known))
    return bool(status == Status.SOLVED and breach <= FEASIBLE and good)


def by_ipopt(problem: Problem) -> dict:
    """What Ipopt makes of a problem, judged alike; nothing where it is not installed, or takes too long."""
    if not ipopt.is_there():
        return {"Ipopt": None, "by Ipopt": None}
    signal.alarm(PATIENCE)
    try:
        found = ipopt.solve(problem.form, problem.start, problem.lower, problem.upper)
    except TimeoutError:
        return {"Ipopt": None, "by Ipopt": False}
    finally:
        signal.alarm(0)
    infeasible = Status.LOCALLY_INFEASIBLE if found.status == ipopt.INFEASIBLE else Status.NUMERICAL_ERROR
    status = Status.SOLVED if found.status in ipopt.SOLVED else infeasible
    reached = _is_reached(problem, status, found.breach, found.objective)
    return {"Ipopt": found.objective, "by Ipopt": reached}


def table(names: tuple = (), part: int = 0, parts: int = 1) -> list[dict]:
    """A row of each problem, or of each `parts`-th, printed as they come."""
    rows: list[dict] = []
    for problem in itertools.islice(problems(names), part, None, parts):
        rows.append(row(problem))
        print(" ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in rows[-1].values()), flush=True)
        if len(rows) % KEPT == 0:
            jax.clear_caches()
    return rows


def _late(*_) -> None:
    raise TimeoutError(f"a problem that takes more than {PATIENCE} s")


def share(part: int) -> list[dict]:
    """The rows of one process."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        return table((), part, PROCESSES)


def main() -> None:
    """Solve all, in processes of their own, and write the table."""
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        parts = list(pool.map(share, range(PROCESSES)))
    report(sorted((row for rows in parts for row in rows), key=lambda row: row["problem"]))


def report(rows: list[dict]) -> None:
    """Write the table."""
    reached = sum(r["reached"] for r in rows)
    wrong = [r["problem"] for r in rows if r["status"] == "SOLVED" and not r["error"] <= FEASIBLE]
    title = (
        f"Best objective known reached on {reached} of {len(rows)}; called solved and not optimal: {wrong or 'none'}"
    )
    if any(r["by Ipopt"] is not None for r in rows):
        title += f"; Ipopt reaches {sum(bool(r['by Ipopt']) for r in rows)}"
    publish("sif2jax", title, rows, ("sif2jax", "cyipopt-wheels") if ipopt.is_there() else ("sif2jax",))
    draw(rows)


def draw(rows: list[dict]) -> None:
    """The share of problems that are solved, and to the best objective known, by the steps that are allowed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    solved = [r["iterations"] for r in rows if r["status"] in ("SOLVED", "LOCALLY_INFEASIBLE")]
    reached = [r["iterations"] for r in rows if r["reached"]]
    for name, steps in (("a point that meets the conditions", solved), ("the best objective known", reached)):
        counts = np.sort(np.maximum(steps, 1))
        share = np.arange(1, len(counts) + 1) / len(rows)
        axes.step(counts, share, where="post", label=f"{name}: {len(counts)}")
    axes.set(xscale="log", xlabel="iterations", ylabel="share of problems", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False)
    axes.set_title(f"{len(rows)} problems of sif2jax from their own starts", loc="left", fontsize=11)
    figure.savefig(RESULTS / "sif2jax.png", dpi=150)


if __name__ == "__main__":
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        table(tuple(sys.argv[1:]))
