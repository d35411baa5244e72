"""First calls: how long a program of a new size takes until its first answer, beside an earlier build of argflux.

Every time is one call in a process of its own that has solved a program of another size already, so imports and what
all sizes share are paid. Ratios are the earlier build's times over ours, above 1 we are faster. The unit of the last
column is the time to compile and run the gradient of a small multilayer perceptron in the same process.
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

CHILD = """
import json, sys, time
import jax, jax.numpy as jnp, numpy as np
import argflux as af
from argflux.programs import solve_lp, solve_qp

def blocks(n, m, p):
    r = np.random.default_rng(0)
    F, x0 = r.normal(size=(n, n)), r.normal(size=n)
    G, A = r.normal(size=(m, n)), r.normal(size=(p, n))
    P, q, h = F @ F.T + np.eye(n), r.normal(size=n), G @ x0 + r.uniform(size=m)
    return [np.asarray(a, np.float32) for a in (P, q, A, A @ x0, G, h)]

def loss(q, P, *rest):
    return jnp.sum(solve_qp(P, q, *rest).x ** 2)

def linear(n, m, p):
    c = np.random.default_rng(0).uniform(size=n).astype(np.float32)
    return solve_lp(c, np.ones((1, n), np.float32), np.ones(1, np.float32), lower=0.0).x

def quadratic(*size):
    return solve_qp(*blocks(*size)).x

def gradient(*size):
    P, q, *rest = blocks(*size)
    return af.gradient(lambda q: loss(q, P, *rest), q)

def theirs(*size):
    P, q, *rest = blocks(*size)
    return jax.grad(loss)(q, P, *rest)

box = af.Program(lambda x, y: jnp.sum((x - y) ** 2), variable=lambda y: y, lower=0.0)

def boxed(n, m, p):
    return box.solve(jnp.linspace(-1.0, 1.0, n)).x

def compiled(*size):
    P, q, *rest = blocks(*size)
    return jax.jit(jax.grad(loss))(q, P, *rest)

def perceptron(*_):
    w = [jnp.ones((20, 30)), jnp.ones((30, 1))]
    return jax.jit(jax.grad(lambda w, x: jnp.sum(jnp.tanh(x @ w[0]) @ w[1])))(w, jnp.ones((8, 20)))

calls = {"solve_lp": linear, "solve_qp": quadratic, "Program in bounds": boxed}
calls |= {"af.gradient": gradient, "jax.grad": theirs, "jit of jax.grad": compiled}
sizes = {"small": ((10, 8, 2), (12, 9, 3)), "medium": ((30, 20, 5), (33, 22, 6))}
start = time.perf_counter()
jax.block_until_ready(perceptron())
unit, times = time.perf_counter() - start, {}
for size, (first, second) in sizes.items():
    for name, call in calls.items():
        jax.block_until_ready(call(*first))
        start = time.perf_counter()
        jax.block_until_ready(call(*second))
        times[f"{name}, {size}"] = time.perf_counter() - start
print(json.dumps([unit, times]))
"""


def measure(source: Path) -> tuple[float, dict[str, float]]:
    """The unit, and the time of each call, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(source / "src")}
    done = subprocess.run([sys.executable, "-c", CHILD], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(before), BEFORE], cwd=ROOT, check=True)
        try:
            turns = [(measure(ROOT), measure(before)) for _ in range(TURNS)]
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(before)], cwd=ROOT, check=True)
    unit = statistics.median(ours[0] for ours, _ in turns)
    rows = []
    for row in turns[0][0][1]:
        ours, theirs = (statistics.median(turn[i][1][row] for turn in turns) for i in (0, 1))
        rows.append({"first call": row, "ours ms": 1e3 * ours, "before / ours": theirs / ours, "in units": ours / unit})
    publish("first_call", f"first calls of a new size: {BEFORE} / now", rows, ("numpy", "scipy"))


if __name__ == "__main__":
    main()
