"""Batches of nonlinear programs with gradients, beside CasADi and POUNCE.

Ours is one compiled call: every instance solved, and the gradient of a weighted sum of x with respect to all
parameters. CasADi's times are of solving alone: `sqpmethod` with `qrqp` and Ipopt at their default accuracies, mapped
over two threads where that does not fail, else called one after another; its Jacobians would come on top. POUNCE is
its batched solver with gradients. All start from the same point. Times are medians of turns taken alternately, fewer
where a turn is long; ratios are theirs over ours, above 1 we are faster, and none are given where ours is not
solved. "off" is the largest difference between our x
and Ipopt's. "steps from solutions nearby" are those where parameters have moved by a hundredth. Pass parts of
names of rows to run these alone, without saving.
"""

import contextlib
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import casadi as ca
import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs import Program, Status
from benchmarks.report import publish

TURNS, PATIENCE = 7, 60.0


class Problem(NamedTuple):
    """A program in JAX and in CasADi: `f`, `c(x) = 0` and `g(x) <= 0` of x and parameters; a batch of parameters."""

    n: int
    f: Callable
    c: Callable | None
    g: Callable | None
    lower: Any
    upper: Any
    start: np.ndarray
    parameters: np.ndarray
    casadi: Callable  # from x and p to f, c, g

    @property
    def program(self) -> Program:
        """Stated for us."""
        bounds = {"lower": self.lower, "upper": self.upper}
        return Program(self.f, (self.n,), equality=self.c, inequality=self.g, **bounds)


def hs071(batch: int) -> Problem:
    r = np.random.default_rng(0)
    product = lambda x: x[0] * x[1] * x[2] * x[3]
    f = lambda x, p: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]
    squares = lambda x: x[0] ** 2 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2
    return Problem(
        4,
        f,
        lambda x, p: jnp.sum(x * x) - p[1],
        lambda x, p: p[0] - product(x),
        1.0,
        5.0,
        np.array([1.0, 5.0, 5.0, 1.0]),
        np.array([25.0, 40.0]) + r.uniform(-1, 1, (batch, 2)),
        lambda x, p: (f(x, p), squares(x) - p[1], p[0] - product(x)),
    )


def valley(batch: int) -> Problem:
    """Rosenbrock's valley in five unknowns, in a ball of a radius given, with a bound."""
    r = np.random.default_rng(1)

    def f(x, p):
        return sum((x[i + 1] - x[i] ** 2) ** 2 * 10 + (p[i] - x[i]) ** 2 for i in range(4))

    ball = lambda x, p: sum(x[i] ** 2 for i in range(5)) - p[4]
    parameters = np.concatenate([r.uniform(0.5, 1.5, (batch, 4)), r.uniform(1.0, 3.0, (batch, 1))], 1)
    start = np.full(5, 0.5)
    return Problem(5, f, None, ball, -1.0, 1.2, start, parameters, lambda x, p: (f(x, p), ca.DM(0, 1), ball(x, p)))


def pendulum(batch: int, horizon: int) -> Problem:
    """Swing a pendulum up by a limited torque: angles, speeds and torques of a horizon; the start is given."""
    step, n = 0.1, 3 * horizon
    r = np.random.default_rng(2)

    def parts(x):
        return x[:horizon], x[horizon : 2 * horizon], x[2 * horizon :]

    def f(x, p):
        angle, speed, torque = parts(x)
        return jnp.sum(p[2] * (1 + jnp.cos(angle)) + 0.1 * speed**2 + p[3] * torque**2)

    def c(x, p):
        angle, speed, torque = parts(x)
        before = jnp.concatenate([p[:1], angle[:-1]]), jnp.concatenate([p[1:2], speed[:-1]])
        return jnp.concatenate(
            [
                angle - before[0] - step * speed,
                speed - before[1] - step * (torque - jnp.sin(before[0])),
            ]
        )

    def theirs(x, p):
        angle, speed, torque = parts(x)
        before = ca.vertcat(p[0], angle[:-1]), ca.vertcat(p[1], speed[:-1])
        value = ca.sum1(p[2] * (1 + ca.cos(angle)) + 0.1 * speed**2 + p[3] * torque**2)
        rows = ca.vertcat(angle - before[0] - step * speed, speed - before[1] - step * (torque - ca.sin(before[0])))
        return value, rows, ca.DM(0, 1)

    bounds = np.concatenate([np.full(2 * horizon, np.inf), np.full(horizon, 0.7)])
    parameters = np.stack([*r.uniform(-0.3, 0.3, (2, batch)), *r.uniform(0.5, 1.5, (2, batch))], 1)
    return Problem(n, f, c, None, -bounds, bounds, np.zeros(n), parameters, theirs)


def oscillator(batch: int, horizon: int) -> Problem:
    """Bring van der Pol's oscillator to rest within ten seconds; the force and one state are limited."""
    step, n = 10.0 / horizon, 3 * horizon
    r = np.random.default_rng(4)

    def rows(first, second, force, before, after):
        faster = before[0] + step * ((1 - before[1] ** 2) * before[0] - before[1] + force)
        return first - faster, second - before[1] - step * after

    def f(x, p):
        first, second, force = (x[k * horizon : (k + 1) * horizon] for k in range(3))
        return step * jnp.sum(p[2] * first**2 + second**2 + p[3] * force**2)

    def c(x, p):
        first, second, force = (x[k * horizon : (k + 1) * horizon] for k in range(3))
        before = jnp.concatenate([p[:1], first[:-1]]), jnp.concatenate([p[1:2], second[:-1]])
        return jnp.concatenate(rows(first, second, force, before, before[0]))

    def theirs(x, p):
        first, second, force = (x[k * horizon : (k + 1) * horizon] for k in range(3))
        before = ca.vertcat(p[0], first[:-1]), ca.vertcat(p[1], second[:-1])
        value = step * ca.sum1(p[2] * first**2 + second**2 + p[3] * force**2)
        return value, ca.vertcat(*rows(first, second, force, before, before[0])), ca.DM(0, 1)

    free = np.full(horizon, np.inf)
    lower = np.concatenate([np.full(horizon, -0.25), -free, np.full(horizon, -1.0)])
    upper = np.concatenate([free, free, np.full(horizon, 1.0)])
    parameters = np.stack([*r.uniform([[0.0], [0.9]], [[0.1], [1.1]], (2, batch)), *r.uniform(0.5, 1.5, (2, batch))], 1)
    return Problem(n, f, c, None, lower, upper, np.zeros(n), parameters, theirs)


def ours_of(problem: Problem) -> tuple[Callable, Callable]:
    """Solutions, and the gradient with respect to all parameters."""
    program, w = problem.program, jnp.asarray(np.random.default_rng(9).normal(size=problem.n))
    start, P = jnp.asarray(problem.start), jnp.asarray(problem.parameters)
    solve = jax.jit(jax.vmap(lambda p: program.solve(p, start=start)))
    gradient = jax.jit(jax.grad(lambda P: jnp.sum(jax.vmap(lambda p: program.solve(p, start=start))(P).x @ w)))
    return lambda: jax.block_until_ready(solve(P)), lambda: jax.block_until_ready(gradient(P))


def steps_of(problem: Problem, found: Any) -> tuple[float, float]:
    """Mean steps of programs whose parameters moved by a hundredth, from the start and from the solutions known."""
    program, start = problem.program, jnp.asarray(problem.start)
    P = jnp.asarray(problem.parameters * (1 + 0.01 * np.random.default_rng(3).uniform(-1, 1, problem.parameters.shape)))
    cold = jax.jit(jax.vmap(lambda p: program.solve(p, start=start).iterations))(P)
    warm = jax.jit(jax.vmap(lambda p, s: program.solve(p, start=s).iterations))(P, found)
    return float(jnp.mean(cold)), float(jnp.mean(warm))


def casadi_of(problem: Problem, method: str) -> Callable:
    """All instances by one of CasADi's methods: mapped over threads, or one after another where that raises."""
    x, p = ca.SX.sym("x", problem.n), ca.SX.sym("p", problem.parameters.shape[1])
    f, c, g = problem.casadi(x, p)
    options: dict[str, Any] = {"print_time": False}
    if method == "sqpmethod":
        quiet = {"print_iter": False, "print_header": False, "print_info": False, "error_on_fail": False}
        options |= {"qpsol": "qrqp", "qpsol_options": quiet, "print_iteration": False, "print_header": False}
        options |= {"print_status": False}
    else:
        options |= {"ipopt": {"print_level": 0, "sb": "yes"}}
    solver = ca.nlpsol("S", method, {"x": x, "p": p, "f": f, "g": ca.vertcat(c, g)}, options)
    equal, below = c.shape[0], g.shape[0]
    wide = lambda bound: np.broadcast_to(bound, (problem.n,))
    given = {
        "x0": problem.start,
        "lbx": wide(problem.lower),
        "ubx": wide(problem.upper),
        "lbg": np.concatenate([np.zeros(equal), np.full(below, -np.inf)]),
        "ubg": np.zeros(equal + below),
    }
    batch = len(problem.parameters)
    alone = lambda: np.array([np.asarray(solver(p=p, **given)["x"])[:, 0] for p in problem.parameters])
    if batch == 1:
        return alone
    mapped = solver.map(batch, "thread", 2)
    tiled = {name: np.tile(value[:, None], batch) for name, value in given.items()}
    together = lambda: np.asarray(mapped(p=problem.parameters.T, **tiled)["x"]).T
    try:
        together()
    except RuntimeError:
        return alone
    return together


def pounce_of(problem: Problem) -> Callable:
    """Its batched solver, with gradients."""
    from pounce.jax import JaxProblem

    equal = 0 if problem.c is None else problem.c(jnp.asarray(problem.start), jnp.asarray(problem.parameters[0])).size
    below = 0 if problem.g is None else 1
    rows = lambda x, p: jnp.concatenate([jnp.atleast_1d(h(x, p)) for h in (problem.c, problem.g) if h is not None])
    wide = lambda bound: jnp.broadcast_to(jnp.asarray(bound, float), (problem.n,))
    made = JaxProblem(
        f=problem.f,
        g=rows,
        n=problem.n,
        m=equal + below,
        p_example=jnp.asarray(problem.parameters[0]),
        lb=wide(problem.lower),
        ub=wide(problem.upper),
        cl=jnp.asarray([0.0] * equal + [-1e20] * below),
        cu=jnp.zeros(equal + below),
    )
    w, P = jnp.asarray(np.random.default_rng(9).normal(size=problem.n)), jnp.asarray(problem.parameters)
    start = jnp.asarray(problem.start)

    def loss(P):
        found = made.batched_solve(P, x0=start)
        return jnp.sum((found[0] if isinstance(found, tuple) else found) @ w)

    gradient = jax.grad(loss)
    return lambda: jax.block_until_ready(gradient(P))


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Without what compiled code prints."""
    with open(os.devnull, "w") as sink:
        kept = [os.dup(1), os.dup(2)]
        sys.stdout.flush()
        try:
            os.dup2(sink.fileno(), 1), os.dup2(sink.fileno(), 2)
            yield
        finally:
            os.dup2(kept[0], 1), os.dup2(kept[1], 2)
            for one in kept:
                os.close(one)


def alternate(runs: dict[str, Callable]) -> dict[str, float]:
    """Median time of each, by turns; not a number for what fails."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    begin = time.perf_counter()
    for turn in range(TURNS + 1):
        if turn > 1 and time.perf_counter() - begin > PATIENCE:
            break
        for name, run in runs.items():
            start = time.perf_counter()
            try:
                run()
            except Exception:
                taken[name].append(math.nan)
                continue
            if turn:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def measure(name: str, problem: Problem, peers: tuple[str, ...]) -> dict[str, Any]:
    solve, gradient = ours_of(problem)
    start = time.perf_counter()
    found = solve()
    first = time.perf_counter() - start
    start = time.perf_counter()
    jax.make_jaxpr(problem.f)(problem.start, problem.parameters[0])
    traced = time.perf_counter() - start
    runs = {"ours": solve, "ours, gradient": gradient}
    makers = {"sqpmethod": lambda: casadi_of(problem, "sqpmethod"), "ipopt": lambda: casadi_of(problem, "ipopt")}
    makers["pounce"] = lambda: pounce_of(problem)
    with silent():
        for peer in peers:
            with contextlib.suppress(Exception):
                runs[peer] = makers[peer]()
        theirs = np.asarray(runs["ipopt"]())
        t = alternate(runs)
    row = {
        "batch": name,
        "solved": f"{int(np.sum(np.asarray(found.status) == Status.SOLVED))} of {len(problem.parameters)}",
        "off": float(np.abs(theirs - np.asarray(found.x)).max()),
        "forward ms": 1e3 * t["ours"],
        "with gradients ms": 1e3 * t["ours, gradient"],
        "first call s": first,
        "tracing the objective s": traced,
    }
    row["steps"], row["steps from solutions nearby"] = steps_of(problem, found)
    solved = bool(np.all(np.asarray(found.status) == Status.SOLVED))
    beside = lambda peer: t.get(peer, math.nan) / t["ours, gradient"] if solved else math.nan
    for peer, told in {"sqpmethod": "CasADi sqpmethod forward", "ipopt": "CasADi Ipopt forward"}.items():
        row[f"{told} / ours with gradients"] = beside(peer)
    row["POUNCE with gradients / ours with gradients"] = beside("pounce")
    return row


EVERY = ("sqpmethod", "ipopt", "pounce")
ROWS: dict[str, tuple[Callable[[], Problem], tuple[str, ...]]] = {
    "256 x HS071": (lambda: hs071(256), EVERY),
    "1000 x valley, n = 5": (lambda: valley(1000), EVERY),
    "64 x pendulum, n = 120": (lambda: pendulum(64, 40), EVERY),
    "one HS071": (lambda: hs071(1), EVERY),
    "one oscillator, n = 5001, sparse": (lambda: oscillator(1, 1667), ("ipopt",)),
    "one pendulum, n = 5001, sparse": (lambda: pendulum(1, 1667), ("ipopt",)),
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
    if not wanted:
        publish("nonlinear", "batches of nonlinear programs: peers / argflux", rows, ("casadi", "pounce-solver"))


if __name__ == "__main__":
    main(sys.argv[1:])
