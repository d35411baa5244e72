"""Programs with structure: projections on the simplex, sparse programs, parts, a wide CVXPY problem, and peak memory.

The sparse setting is cvxpylayers': 1024 variables, equalities and inequalities, 1 % of the entries and a diagonal,
P = I, a batch of 32, gradients with respect to q, b and h; `slack` 0 is theirs, where every inequality is weakly
active, and a random slack the regular case. Clarabel's loop is the peer, forward only, at its own tolerance; ours
solves to 1e-10 and makes the answer exact. Times are seconds.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable

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


def row(
    setting: str, seconds: float, *, compile_time: float = float("nan"), peer: str = "", theirs: float = 0.0
) -> dict:
    return {
        "setting": setting,
        "seconds": seconds,
        "compile s": compile_time,
        "peer": peer,
        "peer / argflux": theirs / seconds if theirs else float("nan"),
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
    return row(f"simplex, n = {n}, with gradient", seconds, compile_time=compile_time)


def matrix(r: np.random.Generator) -> np.ndarray:
    return r.normal(size=(SPARSE, SPARSE)) * (r.uniform(size=(SPARSE, SPARSE)) < DENSITY) + np.eye(SPARSE)


def sparse(slack: float) -> list[dict]:
    r = np.random.default_rng(0)
    A, G, x = matrix(r), matrix(r), r.normal(size=(BATCH, SPARSE))
    q, b, h = r.normal(size=x.shape), x @ A.T, x @ G.T + slack * r.uniform(size=x.shape)
    left, right = BCOO.fromdense(jnp.asarray(A)), BCOO.fromdense(jnp.asarray(G))
    one = lambda q, b, h: solve_qp(jnp.ones(SPARSE), q, left, b, right, h).x
    run = lambda *vectors: jax.vmap(one)(*vectors)
    data = [jnp.asarray(v) for v in (q, b, h)]
    forward, _ = timed(run, *data, turns=1)
    both, compile_time = timed(jax.grad(lambda *v: jnp.sum(run(*v) ** 2), (0, 1, 2)), *data, turns=1)
    theirs = clarabel_loop(A, G, q, b, h)
    name = f"sparse 1024, batch 32, slack {slack:g}"
    return [
        row(f"{name}, forward", forward, peer="Clarabel loop, forward", theirs=theirs),
        row(f"{name}, with gradient", both, compile_time=compile_time, peer="Clarabel loop, forward", theirs=theirs),
    ]


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
    """Peak memory of a process that solves and differentiates a large batch, in the place of seconds."""
    start = time.perf_counter()
    text = subprocess.run(
        [sys.executable, "-m", "benchmarks.structured", "memory"], capture_output=True, check=True
    ).stdout
    return row(f"batch {MEMORY[0]} of n = {MEMORY[1]}, peak {float(text):.2f} GB", time.perf_counter() - start)


def use_memory() -> None:
    batch, n, m = MEMORY
    r = np.random.default_rng(0)
    factor = r.normal(size=(batch, n, n)).astype(np.float32)
    P = jnp.asarray(factor @ factor.transpose(0, 2, 1) + 1e-2 * np.eye(n, dtype=np.float32))
    G = jnp.asarray(r.normal(size=(batch, m, n)), jnp.float32)
    q, h = jnp.asarray(r.normal(size=(batch, n)), jnp.float32), jnp.asarray(r.uniform(size=(batch, m)), jnp.float32)
    del factor
    loss = lambda P, q, G, h: jnp.sum(jax.vmap(lambda P, q, G, h: solve_qp(P, q, G=G, h=h).x)(P, q, G, h) ** 2)
    jax.block_until_ready(jax.jit(jax.grad(loss, (0, 1, 2, 3)))(P, q, G, h))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    try:
        rows = [projection(n) for n in SIMPLEX] + sparse(1.0) + sparse(0.0)
        rows += [canonicalisation(n) for n in (10, 100)]
    finally:
        jax.config.update("jax_enable_x64", False)
    publish("structured", "structured programs", [*rows, memory()], ("clarabel", "cvxpy"))


if __name__ == "__main__":
    use_memory() if sys.argv[1:] == ["memory"] else main()
