"""Batches of degenerate programs: gradients of 64 shortest paths, beside an earlier build of argflux.

Each of the 64 is a linear program on a grid of 5 x 5 nodes and 40 edges with `smoothing=1.0`, in one compiled and
mapped call; its rows depend on each other. Both builds run by turns in processes of their own, on an otherwise idle
machine and with one spinning process a core. The other rows are regular programs, which should not have become slower.
Ratios are the earlier build's times over ours, above 1 we are faster.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import publish

ROOT = Path(__file__).parent.parent
BEFORE = "e23b544"
TURNS = 5
CALLS = 7

CHILD = """
import json, statistics, sys, time
import jax, jax.numpy as jnp, numpy as np
from argflux.programs import solve_lp, solve_qp

side = 5
edges = [(i * side + j, i * side + j + 1) for i in range(side) for j in range(side - 1)]
edges += [(i * side + j, (i + 1) * side + j) for i in range(side - 1) for j in range(side)]
A = np.zeros((side * side, len(edges)), np.float32)
for k, (a, b) in enumerate(edges):
    A[a, k], A[b, k] = 1, -1
b = np.zeros(side * side, np.float32)
b[0], b[-1] = 1, -1
costs = np.random.default_rng(0).uniform(0.5, 1.5, (64, len(edges))).astype(np.float32)
path = lambda c: solve_lp(c, A, b, lower=0.0, smoothing=1.0)
runs = {
    "paths": (jax.jit(lambda c: jax.vmap(lambda c: path(c).x)(c)), (costs,)),
    "paths, gradient": (jax.jit(jax.grad(lambda c: jnp.sum(jax.vmap(lambda c: path(c).x)(c) ** 2))), (costs,)),
}


def regular(batch, n, m, p):
    r = np.random.default_rng(0)
    factor = r.normal(size=(batch, n, n))
    P, q = factor @ factor.transpose(0, 2, 1) + 1e-3 * np.eye(n), r.normal(size=(batch, n))
    G, x0, A = r.normal(size=(batch, m, n)), r.normal(size=(batch, n)), r.normal(size=(batch, p, n))
    h = np.einsum("bij,bj->bi", G, x0) + r.uniform(size=(batch, m))
    blocks = [P, q, A, np.einsum("bij,bj->bi", A, x0), G, h]
    return [a.astype(np.float32) for a in blocks]


solve = lambda *blocks: jax.vmap(lambda *one: solve_qp(*one).x)(*blocks)
for size in ((128, 10, 10, 5), (1000, 10, 10, 0), (128, 100, 100, 0)):
    gradient = jax.jit(jax.grad(lambda *blocks: jnp.sum(solve(*blocks) ** 2), tuple(range(6))))
    runs[f"{size}, gradient"] = gradient, regular(*size)
times = {}
for name, (run, given) in runs.items():
    jax.block_until_ready(run(*given))
    taken = []
    for _ in range(int(sys.argv[1])):
        start = time.perf_counter()
        jax.block_until_ready(run(*given))
        taken.append(time.perf_counter() - start)
    times[name] = statistics.median(taken)
print(json.dumps(times))
"""


def measure(source: Path) -> dict[str, float]:
    """Medians in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(source / "src")}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(CALLS)], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def alternate(sources: dict[str, Path], spinning: int) -> dict[str, dict[str, float]]:
    """Medians of both builds over turns taken alternately, while processes spin."""
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(spinning)]
    try:
        found = {name: [] for name in sources}
        for _ in range(TURNS):
            for name, source in sources.items():
                found[name].append(measure(source))
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
    return {
        name: {row: statistics.median(turn[row] for turn in turns) for row in turns[0]} for name, turns in found.items()
    }


def main() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(before), BEFORE], cwd=ROOT, check=True)
        try:
            times = {load: alternate({"ours": ROOT, "before": before}, load) for load in (0, cores)}
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(before)], cwd=ROOT, check=True)
    rows = [
        {
            "batch": row,
            "idle ms": 1e3 * times[0]["ours"][row],
            "idle: before / ours": times[0]["before"][row] / times[0]["ours"][row],
            "under load ms": 1e3 * times[cores]["ours"][row],
            "under load: before / ours": times[cores]["before"][row] / times[cores]["ours"][row],
        }
        for row in times[0]["ours"]
    ]
    publish("degenerate", f"degenerate and regular batches: {BEFORE} / now", rows, ("numpy", "scipy", "threadpoolctl"))


if __name__ == "__main__":
    main()
