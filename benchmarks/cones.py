"""Batches of programs over cones with gradients, beside Moreau, diffcp and a loop over Clarabel.

Every instance has its own q, A and b, and gradients are with respect to all of them, of a weighted sum of x. Moreau is
its interior point (it takes no matrices); diffcp solves by Clarabel and differentiates by LSQR, in two threads; the
loop over Clarabel is forward alone, on one core, at its default settings. Times are medians of turns taken
alternately; ratios are theirs over ours, above 1 we are faster: "with gradients" compares with our forward and
reverse, "forward" likewise. "peak MB" is the largest memory of a process of its own that makes the batch and takes our
gradient, with what Python, JAX and the peers' imports take. Pass parts of names of rows to run these alone, without
saving.
"""

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO
from scipy import sparse

from argflux.programs import Status, solve_cone
from argflux.programs import cones as C
from argflux.programs.cones.product import Product
from argflux.programs.cones.triangles import vector_of
from argflux.programs.solvers.conic import clarabel_rows
from benchmarks.report import publish

TURNS, PATIENCE = 5, 60.0


class Batch(NamedTuple):
    """Programs of the same cones: `P` shared, a diagonal or `None`; `A` dense, or values at places they share."""

    P: Any
    q: np.ndarray
    A: np.ndarray
    b: np.ndarray
    cones: list
    places: Any = None

    @property
    def sparse(self) -> list:
        """The matrices A, each in SciPy's CSR form."""
        if self.places is None:
            return [sparse.csr_array(A) for A in self.A]
        shape = self.b.shape[1], self.q.shape[1]
        return [sparse.csr_array((values, np.asarray(self.places).T), shape=shape) for values in self.A]


def inside(r: np.random.Generator, batch: int, cone: C.Cone) -> Any:
    """Points inside of a cone and of its dual."""
    if isinstance(cone, C.Zero):
        return np.zeros((batch, cone.k)), r.normal(size=(batch, cone.k))
    if isinstance(cone, C.NonNegative):
        return np.abs(r.normal(size=(2, batch, cone.k)))
    if isinstance(cone, C.SecondOrder):
        v = r.normal(size=(2, batch, cone.k))
        v[..., 0] = np.linalg.norm(v[..., 1:], axis=-1) + np.abs(v[..., 0])
        return v
    if isinstance(cone, C.Semidefinite):
        factor = r.normal(size=(2, batch, cone.k, cone.k)) / math.sqrt(cone.k)
        return vector_of(factor @ factor.mT)
    x, y, room = r.normal(size=batch), np.abs(r.normal(size=batch)) + 0.2, np.abs(r.normal(size=batch))
    s = np.stack([x, y, y * np.exp(x / y) + room], 1)
    return s, np.stack([-y, x, y * np.exp(-x / y - 1) + room], 1)


def random(batch: int, n: int, cones: list, curved: bool = False, seed: int = 0) -> Batch:
    """Programs that are strictly feasible on both sides."""
    r = np.random.default_rng(seed)
    parts = [inside(r, batch, cone) for cone in cones]
    s, z = (np.concatenate([part[i] for part in parts], 1) for i in (0, 1))
    A, x = r.normal(size=(batch, s.shape[1], n)), r.normal(size=(batch, n))
    q = -np.einsum("bij,bi->bj", A, z) - (x if curved else 0)
    return Batch(np.ones(n) if curved else None, q, A, np.einsum("bij,bj->bi", A, x) + s, cones)


def portfolio(batch: int, n: int) -> Batch:
    """Robust portfolios: the worst of an ellipsoid of returns, no short sales, a limit on risk."""
    r, rows = np.random.default_rng(1), []
    for _ in range(batch):
        mean, factor = r.uniform(0, 0.1, n), r.normal(size=(5, n)) * 0.05
        spread = np.diag(r.uniform(0.01, 0.05, n))
        # unknowns: weights and the bound t on |spread w|
        budget = np.concatenate([np.ones(n), [0.0]])[None]
        long = np.concatenate([-np.eye(n), np.zeros((n, 1))], 1)
        worst = -np.concatenate([np.eye(1, n + 1, n), np.concatenate([spread, np.zeros((n, 1))], 1)])
        risk = -np.concatenate([np.zeros((1, n + 1)), np.concatenate([factor, np.zeros((5, 1))], 1)])
        b = np.concatenate([[1.0], np.zeros(n), np.zeros(n + 1), [0.04], np.zeros(5)])
        rows.append((np.concatenate([-mean, [1.0]]), np.concatenate([budget, long, worst, risk]), b))
    q, A, b = (np.stack(part) for part in zip(*rows, strict=True))
    return Batch(None, q, A, b, [C.Zero(1), C.NonNegative(n), C.SecondOrder(n + 1), C.SecondOrder(6)])


def thin(batch: int, n: int) -> Batch:
    """Least distances to points in second-order cones of three entries a row."""
    r, kinds = np.random.default_rng(2), [C.SecondOrder(5)] * (n // 5)
    rows = np.repeat(np.arange(n), 3)
    columns = np.concatenate([r.choice(n, 3, replace=False) for _ in range(n)])
    order = np.lexsort((columns, rows))
    base = Batch(np.ones(n), np.zeros((batch, n)), r.normal(size=(batch, 3 * n)), np.zeros((batch, n)), kinds)
    base = base._replace(places=jnp.stack([rows[order], columns[order]], 1))
    parts = [inside(r, batch, cone) for cone in kinds]
    s, z = (np.concatenate([part[i] for part in parts], 1) for i in (0, 1))
    x = r.normal(size=(batch, n))
    q = -x - np.stack([A.T @ row for A, row in zip(base.sparse, z, strict=True)])
    return base._replace(q=q, b=s + np.stack([A @ row for A, row in zip(base.sparse, x, strict=True)]))


def ours_of(batch: Batch) -> Callable:
    return lambda q, A, b: solved(batch, q, A, b).x


def solved(batch: Batch, q: Any, A: Any, b: Any) -> Any:
    """Our solutions."""
    P = None if batch.P is None else jnp.asarray(batch.P)
    if batch.places is None:
        return jax.vmap(lambda q, A, b: solve_cone(P, q, A, b, batch.cones))(q, A, b)
    shape = b.shape[1], q.shape[1]
    matrix = lambda values: BCOO((values, batch.places), shape=shape)
    return jax.vmap(lambda q, A, b: solve_cone(P, q, matrix(A), b, batch.cones))(q, A, b)


def moreau_of(batch: Batch) -> Callable:
    import moreau
    from moreau.jax import Solver

    (count, n), m = batch.q.shape, batch.b.shape[1]
    kinds = moreau.Cones(
        num_zero_cones=sum(c.k for c in batch.cones if isinstance(c, C.Zero)),
        num_nonneg_cones=sum(c.k for c in batch.cones if isinstance(c, C.NonNegative)),
        so_cone_dims=[c.k for c in batch.cones if isinstance(c, C.SecondOrder)],
        num_exp_cones=sum(isinstance(c, C.Exponential) for c in batch.cones),
    )
    diagonal = 0 if batch.P is None else n
    starts, columns = np.arange(m + 1) * n, np.tile(np.arange(n), m)
    if batch.places is not None:
        starts, columns = batch.sparse[0].indptr, batch.sparse[0].indices
    program = Solver(
        n=n,
        m=m,
        P_row_offsets=np.minimum(np.arange(n + 1), diagonal).tolist(),
        P_col_indices=list(range(diagonal)),
        A_row_offsets=starts.tolist(),
        A_col_indices=columns.tolist(),
        cones=kinds,
        settings=moreau.Settings(solver="ipm", device="cpu", batch_size=count, enable_grad=True),
    )
    P = jnp.ones((count, diagonal))
    return lambda q, A, b: program.solve(P, A.reshape(count, -1), q, b).x


def clarabel_of(batch: Batch) -> Callable:
    import clarabel

    from argflux.programs.solvers.conic import _cones

    product = Product.of(batch.cones)
    order, kinds, settings = clarabel_rows(product), _cones(product), clarabel.DefaultSettings()
    settings.verbose, settings.max_threads = False, 1
    n = batch.q.shape[1]
    P = sparse.csc_array((n, n)) if batch.P is None else sparse.csc_array(sparse.diags_array(batch.P))
    rows = [sparse.csc_array(A[order]) for A in batch.sparse]

    def run(*_: Any) -> np.ndarray:
        given = zip(rows, batch.q, batch.b, strict=True)
        return np.array([clarabel.DefaultSolver(P, q, A, b[order], kinds, settings).solve().x for A, q, b in given])

    return run


def diffcp_of(batch: Batch) -> Callable:
    """Forward and the adjoint of the same weights; it has no quadratic terms in this mode."""
    import diffcp

    words = {
        "z": sum(c.k for c in batch.cones if isinstance(c, C.Zero)),
        "l": sum(c.k for c in batch.cones if isinstance(c, C.NonNegative)),
        "q": [c.k for c in batch.cones if isinstance(c, C.SecondOrder)],
        "s": [c.k for c in batch.cones if isinstance(c, C.Semidefinite)],
        "ep": sum(isinstance(c, C.Exponential) for c in batch.cones),
    }
    rows = [sparse.csc_matrix(A) for A in batch.sparse]
    count, m = batch.b.shape
    weights = [weights_of(batch)[i] for i in range(count)]

    def run(*_: Any) -> np.ndarray:
        given = rows, list(batch.b), list(batch.q), [words] * count
        xs, _, _, _, adjoint = diffcp.solve_and_derivative_batch(
            *given, n_jobs_forward=2, n_jobs_backward=2, solve_method="Clarabel"
        )
        adjoint(weights, [np.zeros(m)] * count, [np.zeros(m)] * count)
        return np.array(xs)

    return run


def weights_of(batch: Batch) -> np.ndarray:
    return np.random.default_rng(9).normal(size=batch.q.shape)


def compiled(solve: Callable, batch: Batch, gradient: bool) -> Callable:
    """A function of no arguments that solves the batch, and waits for it."""
    w, blocks = jnp.asarray(weights_of(batch)), [jnp.asarray(a) for a in batch[1:4]]
    f = jax.jit(jax.grad(lambda *blocks: jnp.sum(solve(*blocks) * w), (0, 1, 2)) if gradient else solve)
    return lambda: jax.block_until_ready(f(*blocks))


def alternate(runs: dict[str, Callable]) -> dict[str, float]:
    """Median time of each, by turns; infinite for what fails."""
    taken: dict[str, list[float]] = {}
    for turn in range(TURNS + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            try:
                run()
            except Exception as error:
                print(f"{name}: {type(error).__name__}: {str(error)[:100]}")
                taken[name] = [math.inf] * TURNS
                continue
            if turn:
                taken.setdefault(name, []).append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def peak_of(name: str) -> float:
    """Megabytes, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.cones", "--peak", name]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def peak(name: str) -> None:
    """Print the most memory that this process had, after our gradient of a row; `getrusage` counts its parent's too."""
    batch = ROWS[name][0]()
    compiled(ours_of(batch), batch, True)()
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)


def measure(name: str, batch: Batch, peers: tuple[str, ...]) -> dict[str, Any]:
    ours = ours_of(batch)
    start = time.perf_counter()
    found = jax.jit(lambda q, A, b: solved(batch, q, A, b))(*batch[1:4])
    first = time.perf_counter() - start
    runs = {"ours": compiled(ours, batch, False), "ours, gradient": compiled(ours, batch, True)}
    runs["Clarabel"] = clarabel_of(batch)
    if "Moreau" in peers:
        runs["Moreau"] = compiled(moreau_of(batch), batch, False)
        runs["Moreau, gradient"] = compiled(moreau_of(batch), batch, True)
    if "diffcp" in peers:
        runs["diffcp"] = diffcp_of(batch)
    t = alternate(runs)
    row = {
        "batch": name,
        "solved": f"{int(np.sum(np.asarray(found.status) == Status.SOLVED))} of {len(batch.q)}",
        "largest residual": float(max(np.max(r) for r in jax.tree.leaves(found.residuals))),
        "forward ms": 1e3 * t["ours"],
        "with gradients ms": 1e3 * t["ours, gradient"],
        "first call s": first,
        "peak MB": peak_of(name),
        "Clarabel forward / ours forward": t["Clarabel"] / t["ours"],
        "Clarabel forward / ours with gradients": t["Clarabel"] / t["ours, gradient"],
    }
    for peer in ("Moreau", "diffcp"):
        with_gradients = {"Moreau": "Moreau, gradient", "diffcp": "diffcp"}[peer]
        row[f"{peer} with gradients"] = t.get(with_gradients, math.nan) / t["ours, gradient"]
    return row


ROWS: dict[str, tuple[Callable[[], Batch], tuple[str, ...]]] = {
    "128 x n = 50, 10 second-order cones of 5": (lambda: random(128, 50, [C.SecondOrder(5)] * 10, True), ("Moreau",)),
    "128 x n = 40, the same, linear": (lambda: random(128, 40, [C.SecondOrder(5)] * 10), ("Moreau", "diffcp")),
    "1000 x n = 10, 2 second-order cones of 6": (
        lambda: random(1000, 10, [C.SecondOrder(6)] * 2),
        ("Moreau", "diffcp"),
    ),
    "128 x semidefinite 12": (lambda: random(128, 30, [C.Semidefinite(12)]), ("diffcp",)),
    "16 x semidefinite 40": (lambda: random(16, 100, [C.Semidefinite(40)]), ("diffcp",)),
    "128 x 30 exponential cones": (lambda: random(128, 40, [C.Exponential()] * 30), ("Moreau", "diffcp")),
    "64 x robust portfolio, n = 100": (lambda: portfolio(64, 100), ("Moreau", "diffcp")),
    "8 x n = 2000, 400 second-order cones of 5, sparse": (lambda: thin(8, 2000), ("Moreau",)),
}


def main(wanted: Sequence[str] = ()) -> None:
    """Measure all rows and save them; or those whose names have a part that is wanted, without saving."""
    jax.config.update("jax_enable_x64", True)
    rows = []
    for name, (make, peers) in ROWS.items():
        if wanted and not any(word in name for word in wanted):
            continue
        rows.append(measure(name, make(), peers))
        print(*(f"{v:.3g}" if isinstance(v, float) else v for v in rows[-1].values()), sep=", ", flush=True)
    if wanted:
        return
    publish("cones", "batches of cone programs: peers / argflux", rows, ("moreau", "clarabel", "diffcp"))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--peak", name]:
            jax.config.update("jax_enable_x64", True)
            peak(name)
        case wanted:
            main(wanted)
