"""Batches of random quadratic programs, solved and differentiated, beside Moreau's active set and a loop over PIQP.

The programs are OptNet's: P = LL' + I/1000, all matrices normal, feasible by construction; gradients with respect
to every block. The last size is that of cvxpylayers' dense benchmark. Times are medians of turns taken alternately;
ratios are theirs over ours, above 1 we are faster.
"""

import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs import solve_qp
from benchmarks.report import publish

SIZES = ((128, 10, 10, 5), (1000, 10, 10, 0), (128, 100, 100, 0), (128, 100, 100, 50), (128, 128, 128, 0))
TURNS = 5
BLOCKS = tuple(range(6))


def instances(batch: int, n: int, m: int, p: int) -> list[np.ndarray]:
    r = np.random.default_rng(0)
    factor = r.normal(size=(batch, n, n))
    P, q = factor @ factor.transpose(0, 2, 1) + 1e-3 * np.eye(n), r.normal(size=(batch, n))
    G, x0 = r.normal(size=(batch, m, n)), r.normal(size=(batch, n))
    h, A = np.einsum("bij,bj->bi", G, x0) + r.uniform(size=(batch, m)), r.normal(size=(batch, p, n))
    return [P, q, A, np.einsum("bij,bj->bi", A, x0), G, h]


def ours(*blocks: jax.Array) -> jax.Array:
    return jax.vmap(lambda *one: solve_qp(*one).x)(*blocks)


def moreau_of(batch: int, n: int, m: int, p: int) -> Callable:
    import moreau
    from moreau.jax import Solver

    def pattern(rows):
        return (np.arange(rows + 1) * n).tolist(), np.tile(np.arange(n), rows).tolist()

    (P_offsets, P_columns), (A_offsets, A_columns) = pattern(n), pattern(p + m)
    solver = Solver(
        n=n,
        m=p + m,
        P_row_offsets=P_offsets,
        P_col_indices=P_columns,
        A_row_offsets=A_offsets,
        A_col_indices=A_columns,
        cones=moreau.Cones(num_zero_cones=p, num_nonneg_cones=m),
        settings=moreau.Settings(solver="active_set", device="cpu", batch_size=batch, enable_grad=True),
    )

    def solve(P, q, A, b, G, h):
        rows, right = jnp.concatenate([A, G], 1), jnp.concatenate([b, h], 1)
        return solver.solve(P.reshape(batch, -1), rows.reshape(batch, -1), q, right).x

    return solve


def piqp_loop(blocks: list[np.ndarray]) -> Callable:
    import piqp

    def solve():
        for P, q, A, b, G, h in zip(*blocks, strict=True):
            solver = piqp.DenseSolver()
            solver.settings.eps_abs = 1e-8
            solver.setup(P, q, A if len(b) else None, b if len(b) else None, G, None, h)
            solver.solve()

    return solve


def compiled(f: Callable, blocks: list[jax.Array]) -> Callable:
    run = jax.jit(f).lower(*blocks).compile()
    return lambda: jax.block_until_ready(run(*blocks))


def gradient_of(f: Callable) -> Callable:
    return jax.grad(lambda *blocks: jnp.sum(f(*blocks) ** 2), BLOCKS)


def alternate(runs: dict[str, Callable]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(TURNS + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


def measure(batch: int, n: int, m: int, p: int) -> dict:
    arrays = instances(batch, n, m, p)
    blocks = [jnp.asarray(a) for a in arrays]
    theirs = moreau_of(batch, n, m, p)
    start = time.process_time()
    backward = compiled(gradient_of(ours), blocks)
    compile_time = time.process_time() - start
    runs = {"ours": compiled(ours, blocks), "ours_gradient": backward, "piqp": piqp_loop(arrays)}
    runs |= {"moreau": compiled(theirs, blocks), "moreau_gradient": compiled(gradient_of(theirs), blocks)}
    t = alternate(runs)
    return {
        "batch, n, m, p": f"{batch}, {n}, {m}, {p}",
        "forward ms": 1e3 * t["ours"],
        "with gradient ms": 1e3 * t["ours_gradient"],
        "compile s": compile_time,
        "moreau forward": t["moreau"] / t["ours"],
        "moreau with gradient": t["moreau_gradient"] / t["ours_gradient"],
        "piqp forward / ours with gradient": t["piqp"] / t["ours_gradient"],
    }


def main() -> None:
    jax.config.update("jax_enable_x64", True)  # for all threads: Moreau's host callbacks need it too
    try:
        rows = [measure(*size) for size in SIZES]
    finally:
        jax.config.update("jax_enable_x64", False)
    publish("programs", "quadratic programs: peers / argflux", rows, ("moreau", "piqp"))


if __name__ == "__main__":
    main()
