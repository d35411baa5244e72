"""Programs with structure: projections on the simplex, sparse programs, parts, a wide CVXPY problem, and peak memory.

The sparse setting is cvxpylayers': 1024 variables, equalities and inequalities, 1 % of the entries and a diagonal,
P = I, a batch of 32, gradients with respect to q, b and h; `slack` 0 is theirs, where every inequality is weakly
active, and a random slack the regular case. Clarabel's loop is the peer, forward only, at its own tolerance; ours
solves to 1e-10 and makes the answer exact. Moreau, with gradients, is the peer of the other rows, in a process of its
own that has 45 s. Peak memory is that of a process that only makes the data, solves and differentiates, above what
it held after its imports. Times are seconds.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO

from argflux.programs import Program, project, simplex, solve_qp
from benchmarks.report import publish

SIMPLEX = (20, 100, 450, 1000, 4600, 10_000)
SPARSE, BATCH, DENSITY = 1024, 32, 0.01
TURNS = 5
MEMORY = (1000, 100, 100)
PATIENCE = 45


def row(
    setting: str, seconds: float, *, compile_time: float = float("nan"), peer: str = "", theirs: float | str = 0.0
) -> dict:
    return {
        "setting": setting,
        "seconds": seconds,
        "compile s": compile_time,
        "peer": peer,
        "peer / argflux": theirs if isinstance(theirs, str) else theirs / seconds if theirs else float("nan"),
    }


def timed(f: Callable, *args: jax.Array, turns: int = TURNS) -> tuple[float, float]:
    """Best time of a call, and the time to compile."""
    start = time.perf_counter()
    run = jax.jit(f).lower(*args).compile()
    compile_time, best = time.perf_counter() - start, float("inf")
    for _ in range(turns):
        start = time.perf_counter()
        jax.block_until_ready(run(*args))
        best = min(best, time.perf_counter() - start)
    return best, compile_time


def projection(n: int) -> dict:
    y = jnp.asarray(np.random.default_rng(0).normal(size=n))
    nearest = project(simplex(n))
    seconds, compile_time = timed(jax.grad(lambda y: jnp.sum(nearest(y) ** 2)), y)
    name, theirs = f"simplex, n = {n}, with gradient", moreau_of("simplex", n)
    return row(name, seconds, compile_time=compile_time, peer="Moreau, with gradient", theirs=theirs)


def matrix(r: np.random.Generator) -> np.ndarray:
    return r.normal(size=(SPARSE, SPARSE)) * (r.uniform(size=(SPARSE, SPARSE)) < DENSITY) + np.eye(SPARSE)


def sparse_data(slack: float) -> list[np.ndarray]:
    r = np.random.default_rng(0)
    A, G, x = matrix(r), matrix(r), r.normal(size=(BATCH, SPARSE))
    return [A, G, r.normal(size=x.shape), x @ A.T, x @ G.T + slack * r.uniform(size=x.shape)]


def sparse(slack: float) -> list[dict]:
    A, G, q, b, h = sparse_data(slack)
    left, right = BCOO.fromdense(jnp.asarray(A)), BCOO.fromdense(jnp.asarray(G))
    one = lambda q, b, h: solve_qp(jnp.ones(SPARSE), q, left, b, right, h).x
    run = lambda *vectors: jax.vmap(one)(*vectors)
    data = [jnp.asarray(v) for v in (q, b, h)]
    forward, _ = timed(run, *data, turns=1)
    both, compile_time = timed(jax.grad(lambda *v: jnp.sum(run(*v) ** 2), (0, 1, 2)), *data, turns=1)
    theirs = clarabel_loop(A, G, q, b, h)
    again = [row("the same", both, peer="Moreau, with gradient", theirs=moreau_of("sparse", slack))] if slack else []
    name = f"sparse 1024, batch 32, slack {slack:g}"
    return [
        row(f"{name}, forward", forward, peer="Clarabel loop, forward", theirs=theirs),
        row(f"{name}, with gradient", both, compile_time=compile_time, peer="Clarabel loop, forward", theirs=theirs),
        *again,
    ]


def worker(*words: object) -> str:
    """What this script prints in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.structured", *map(str, words)]
    return subprocess.run(command, capture_output=True, check=True, text=True, timeout=PATIENCE).stdout


def moreau_of(kind: str, size: float) -> float | str:
    try:
        return float(worker(kind, size))
    except subprocess.TimeoutExpired:
        return f"failed: not done after {PATIENCE} s"
    except subprocess.CalledProcessError as error:
        print(error.stderr)
        return f"failed: {(error.stderr.strip().splitlines() or ['no message'])[-1][:60]}"


def use_moreau(kind: str, size: float) -> None:
    """Print Moreau's time for a projection on the simplex, or for the sparse batch, with gradients."""
    import moreau
    from moreau.jax import Solver
    from scipy.sparse import csr_array, eye_array, vstack

    jax.config.update("jax_enable_x64", True)
    if kind == "simplex":
        n, equal = int(size), 1
        rows = csr_array(vstack([csr_array(np.ones((1, n))), -eye_array(n)]))
        vectors = [-np.random.default_rng(0).normal(size=(1, n)), np.concatenate([np.ones(1), np.zeros(n)])[None]]
    else:
        A, G, q, b, h = sparse_data(float(size))
        n, equal, rows, vectors = SPARSE, len(A), csr_array(np.concatenate([A, G])), [q, np.concatenate([b, h], 1)]
    eye, batch = csr_array(eye_array(n)), len(vectors[0])
    patterns = [[part.tolist() for part in (M.indptr, M.indices)] for M in (eye, rows)]
    cones = moreau.Cones(num_zero_cones=equal, num_nonneg_cones=rows.shape[0] - equal)
    settings = moreau.Settings(device="cpu", batch_size=batch, enable_grad=True)
    solver = Solver(n, rows.shape[0], *patterns[0], *patterns[1], cones=cones, settings=settings)
    values = [jnp.tile(jnp.asarray(M.data), (batch, 1)) for M in (eye, rows)]
    loss = lambda q, b: jnp.sum(solver.solve(*values, q, b).x ** 2)
    print(timed(jax.grad(loss, (0, 1)), *map(jnp.asarray, vectors), turns=5 if kind == "simplex" else 1)[0])


def clarabel_loop(A: np.ndarray, G: np.ndarray, q: np.ndarray, b: np.ndarray, h: np.ndarray) -> float:
    import clarabel
    from scipy.sparse import csc_array, eye_array

    rows, eye = csc_array(np.concatenate([A, G])), csc_array(eye_array(SPARSE))
    cones = [clarabel.ZeroConeT(SPARSE), clarabel.NonnegativeConeT(SPARSE)]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    start = time.perf_counter()
    for i in range(BATCH):
        clarabel.DefaultSolver(eye, q[i], rows, np.concatenate([b[i], h[i]]), cones, settings).solve()
    return time.perf_counter() - start


def canonicalisation(n: int) -> dict:
    """Least squares with a matrix of n² parameters; cvxpylayers' issue 33 says 42 s at n = 100."""
    import cvxpy as cp

    x, root, q = cp.Variable(n), cp.Parameter((n, n)), cp.Parameter(n)
    start = time.perf_counter()
    Program.from_cvxpy(cp.Problem(cp.Minimize(cp.sum_squares(root @ x) + q @ x)), [root, q], [x])
    return row(f"from_cvxpy, {n} x {n} parameters", time.perf_counter() - start)


def memory() -> dict:
    """Peak memory of a process that solves and differentiates a large batch."""
    seconds, peak, above = map(float, worker("memory").split())
    return row(f"batch {MEMORY[0]} of n = {MEMORY[1]}: {above:.2f} GB above imports, {peak:.2f} GB in all", seconds)


def use_memory() -> None:
    """Print the time of the first call, the peak of this process in GB, and how far it is above its imports."""
    before, start = resident("VmRSS"), time.perf_counter()
    batch, n, m = MEMORY
    keys = jax.random.split(jax.random.key(0), 4)
    factor, G = (jax.random.normal(key, (batch, rows, n)) for key, rows in zip(keys, (n, m), strict=False))
    P = factor @ jnp.swapaxes(factor, 1, 2) + 1e-2 * jnp.eye(n)
    del factor
    q, h = jax.random.normal(keys[2], (batch, n)), jax.random.uniform(keys[3], (batch, m))
    loss = lambda P, q, G, h: jnp.sum(jax.vmap(lambda P, q, G, h: solve_qp(P, q, G=G, h=h).x)(P, q, G, h) ** 2)
    jax.block_until_ready(jax.jit(jax.grad(loss, (0, 1, 2, 3)))(P, q, G, h))
    peak = resident("VmHWM")
    print(time.perf_counter() - start, peak, peak - before)


def resident(field: str) -> float:
    """Memory of this process in GB: now (VmRSS) or at its peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e6 for line in lines if line.startswith(field))


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    try:
        rows = [projection(n) for n in SIMPLEX] + sparse(1.0) + sparse(0.0)
        rows += [canonicalisation(n) for n in (10, 100)]
    finally:
        jax.config.update("jax_enable_x64", False)
    publish("structured", "structured programs", [*rows, memory()], ("clarabel", "cvxpy", "moreau"))


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case ["memory"]:
            use_memory()
        case [kind, size]:
            use_moreau(kind, float(size))
