"""Structured programs with gradients: projections on the simplex, sparse programs, CVXPY's parameters, memory.

Peers are PIQP's sparse solver, one instance after another and without gradients, and CVXPY's own solve. Ratios are
theirs over ours, above 1 we are faster although ours differentiate too. Memory is that of a process of its own.
"""

import subprocess
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO
from scipy import sparse

import argflux as af
from benchmarks.programs import alternate, compiled
from benchmarks.report import publish

SIMPLEX = (20, 100, 450, 1_000, 4_600, 10_000)
SPARSE = (8, 1024, 0.01)
CANONICAL = 100

MEMORY = """
import resource, sys
import jax, jax.numpy as jnp, numpy as np
import argflux as af
from benchmarks.programs import gradient_of, instances, ours
blocks = [jnp.asarray(a, jnp.float32) for a in instances(1000, 100, 100, 0)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
jax.block_until_ready(jax.jit(gradient_of(ours))(*blocks))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def simplex_row(n: int) -> dict:
    import piqp

    y = jax.random.normal(jax.random.key(n), (n,))
    weights = jax.random.normal(jax.random.key(n + 1), (n,))
    slope = jax.grad(lambda y: jnp.vdot(weights, af.project(af.simplex(n))(y)))
    began = time.perf_counter()
    ours = compiled(slope, [y])
    seconds = time.perf_counter() - began

    def theirs():
        solver = piqp.SparseSolver()
        solver.settings.eps_abs = 1e-8
        row = sparse.csc_matrix(np.ones((1, n)))
        solver.setup(sparse.eye(n, format="csc"), -np.asarray(y, float), row, np.ones(1), None, None, None, np.zeros(n))
        solver.solve()

    return _row(f"simplex, n = {n}", alternate({"ours": ours, "theirs": theirs}), seconds)


def sparse_row(batch: int, n: int, density: float) -> dict:
    """P = I, A and G sparse plus I, b = A x, h = G x + slack; gradients in q, b, h; each run once.

    cvxpylayers' paper has h = G x: all inequalities are active at the one point that is feasible, and no derivative
    exists there.
    """
    import piqp

    r = np.random.default_rng(0)
    A, G = (sparse.csr_matrix(sparse.random(n, n, density, random_state=r) + sparse.eye(n)) for _ in range(2))
    q, x = r.normal(size=(2, batch, n))
    b, h = x @ A.T, x @ G.T + r.uniform(size=(batch, n))
    held = [BCOO.from_scipy_sparse(M) for M in (A, G)]

    def loss(q, b, h):
        solve = lambda q, b, h: af.solve_qp(jnp.ones(n), q, held[0], b, held[1], h).x
        return jnp.sum(jax.vmap(solve)(q, b, h) ** 2)

    began = time.perf_counter()
    ours = compiled(jax.grad(loss, (0, 1, 2)), [jnp.asarray(a) for a in (q, b, h)])
    seconds = time.perf_counter() - began

    def theirs():
        for i in range(batch):
            solver = piqp.SparseSolver()
            solver.settings.eps_abs = 1e-8
            solver.setup(sparse.eye(n, format="csc"), q[i], A.tocsc(), b[i], G.tocsc(), None, h[i])
            solver.solve()

    times = {name: _once(run) for name, run in {"ours": ours, "theirs": theirs}.items()}
    return _row(f"sparse, {batch} x {n}, {density:.0%}", times, seconds)


def canonical_row(n: int) -> dict:
    """From CVXPY's problem with a matrix of parameters, n x n, to a program; CVXPY's solve is the peer."""
    import cvxpy

    root, q, x = cvxpy.Parameter((n, n)), cvxpy.Parameter(n), cvxpy.Variable(n)
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(root @ x) + q @ x), [cvxpy.sum(x) == 1])
    root.value, q.value = np.random.default_rng(0).normal(size=(n, n)), np.ones(n)
    began = time.perf_counter()
    program = af.Program.from_cvxpy(problem, parameters=[root, q], variables=[x])
    seconds = time.perf_counter() - began
    values = [jnp.asarray(root.value), jnp.asarray(q.value)]
    slope = compiled(jax.grad(lambda root, q: jnp.sum(program(root, q) ** 2), (0, 1)), values)
    return _row(f"CVXPY, {n} x {n} parameters", alternate({"ours": slope, "theirs": problem.solve}), seconds)


def memory_row() -> dict:
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    return {
        "what": "peak MB, 1000 x n = 100, float32",
        "ours, ms": float(done.stdout),
        "peer / ours": 0.0,
        "made, s": 0.0,
    }


def _once(run: Callable) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _row(what: str, times: dict[str, float], seconds: float) -> dict:
    return {
        "what": what,
        "ours, ms": 1e3 * times["ours"],
        "peer / ours": times["theirs"] / times["ours"],
        "made, s": seconds,
    }


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    runs: list[Callable[[], dict]] = [*(lambda n=n: simplex_row(n) for n in SIMPLEX)]
    runs += [lambda: sparse_row(*SPARSE), lambda: canonical_row(CANONICAL), memory_row]
    try:
        rows = [run() for run in runs]
    finally:
        jax.config.update("jax_enable_x64", False)
    publish("structured", "structured programs with gradients", rows, ("piqp", "cvxpy"))


if __name__ == "__main__":
    main()
