"""Batches of random quadratic programs, solved and differentiated, beside Moreau's active set, a loop over PIQP,
qpax (its implicit back end, under vmap) and cvxpylayers (with diffcp).

The programs are OptNet's: P = LL' + I/1000, all matrices normal, feasible by construction; gradients with respect
to every block; cvxpylayers, whose parameters must enter affinely, has L in the place of P. The last size is that of
cvxpylayers' dense benchmark. Times are medians of turns taken alternately, those of qpax and cvxpylayers of a second
call; ratios are theirs over ours, above 1 we are faster. qpth is left out: the metadata of its last release are not
valid, and pip refuses to install it.
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
TURNS = 7
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


def moreau_of(batch: int, n: int, m: int, p: int, solver: str = "active_set") -> Callable:
    import moreau
    from moreau.jax import Solver

    def pattern(rows):
        return (np.arange(rows + 1) * n).tolist(), np.tile(np.arange(n), rows).tolist()

    (P_offsets, P_columns), (A_offsets, A_columns) = pattern(n), pattern(p + m)
    program = Solver(
        n=n,
        m=p + m,
        P_row_offsets=P_offsets,
        P_col_indices=P_columns,
        A_row_offsets=A_offsets,
        A_col_indices=A_columns,
        cones=moreau.Cones(num_zero_cones=p, num_nonneg_cones=m),
        settings=moreau.Settings(solver=solver, device="cpu", batch_size=batch, enable_grad=True),
    )

    def solve(P, q, A, b, G, h):
        rows, right = jnp.concatenate([A, G], 1), jnp.concatenate([b, h], 1)
        return program.solve(P.reshape(batch, -1), rows.reshape(batch, -1), q, right).x

    return solve


def qpax_of() -> Callable:
    from qpax import solve_qp_primal

    return jax.vmap(lambda *blocks: solve_qp_primal(*blocks, backend="i", solver_tol=1e-8, target_kappa=1e-8))


def cvxpylayers_of(n: int, m: int, p: int) -> Callable:
    import cvxpy as cp
    from cvxpylayers.jax import CvxpyLayer

    x, shapes = cp.Variable(n), ((n, n), n, (p, n), p, (m, n), m)
    root, q, A, b, G, h = (cp.Parameter(shape) if np.all(shape) else None for shape in shapes)
    rows = [G @ x <= h] + ([A @ x == b] if p else [])
    problem = cp.Problem(cp.Minimize(cp.sum_squares(root @ x) / 2 + q @ x), rows)
    layer = CvxpyLayer(problem, [v for v in (root, q, A, b, G, h) if v is not None], [x])
    return lambda *blocks: layer(*[block for block in blocks if block.size])[0]


def attempt(name: str, peer: Callable, seconds: float) -> float | str:
    """How often a peer's gradient takes longer than ours; in words where it fails, or is no number."""
    try:
        run = peer()
        times = []
        for _ in range(2):
            start = time.perf_counter()
            slopes = jax.block_until_ready(run())
            times.append(time.perf_counter() - start)
    except Exception as error:
        reason = str(error).splitlines() or [""]
        print(f"{name} failed: {error}")
        return f"failed: {type(error).__name__} {reason[0][:40]}"
    spoiled = int(np.sum(~np.isfinite(np.asarray(slopes[1])).all(1)))
    ratio = times[1] / seconds
    return f"{ratio:.3g}, NaN in {spoiled}" if spoiled else ratio


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
    start = time.perf_counter()
    backward = compiled(gradient_of(ours), blocks)
    compile_time = time.perf_counter() - start
    runs = {"ours": compiled(ours, blocks), "ours_gradient": backward, "piqp": piqp_loop(arrays)}
    runs |= {"moreau": compiled(theirs, blocks), "moreau_gradient": compiled(gradient_of(theirs), blocks)}
    t = alternate(runs)
    roots = [jnp.asarray(np.linalg.cholesky(arrays[0]).transpose(0, 2, 1)), *blocks[1:]]
    layers = lambda: (lambda run: lambda: run(*roots))(gradient_of(cvxpylayers_of(n, m, p)))
    return {
        "batch, n, m, p": f"{batch}, {n}, {m}, {p}",
        "forward ms": 1e3 * t["ours"],
        "with gradient ms": 1e3 * t["ours_gradient"],
        "compile s": compile_time,
        "moreau forward": t["moreau"] / t["ours"],
        "moreau with gradient": t["moreau_gradient"] / t["ours_gradient"],
        "piqp forward / ours with gradient": t["piqp"] / t["ours_gradient"],
        "qpax with gradient": attempt("qpax", lambda: compiled(gradient_of(qpax_of()), blocks), t["ours_gradient"]),
        "cvxpylayers with gradient": attempt("cvxpylayers", layers, t["ours_gradient"]),
    }


def main() -> None:
    jax.config.update("jax_enable_x64", True)  # for all threads: Moreau's host callbacks need it too
    try:
        rows = [measure(*size) for size in SIZES]
    finally:
        jax.config.update("jax_enable_x64", False)
    publish(
        "programs", "quadratic programs: peers / argflux", rows, ("moreau", "piqp", "qpax", "cvxpylayers", "diffcp")
    )


if __name__ == "__main__":
    main()
