"""One nonlinear program at a time, beside every solver of them that Python can ask and that runs on a CPU.

    python -m benchmarks single

Two programs, of Hock and Schittkowski's 71 and Rosenbrock's valley in a ball, at fixed parameters, each solver at its
default settings from the same start. Ours is one compiled call, also with the gradient of a weighted sum of x with
respect to all parameters; the others solve alone. What they compile once is compiled before. `off` is the largest
difference between their x and ours.
"""

import contextlib
import math
from collections.abc import Callable
from typing import Any

import casadi as ca
import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs import Program, Status
from argflux.programs.forms.nonlinear import NonlinearForm
from benchmarks import ipopt
from benchmarks.nonlinear import Problem, alternate, casadi_of, silent
from benchmarks.report import publish

ENDLESS = 1e20


def hs071() -> Problem:
    product = lambda x: x[0] * x[1] * x[2] * x[3]
    f = lambda x, p: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]
    squares = lambda x, p: x[0] ** 2 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2 - p[1]
    start, p = np.array([1.0, 5.0, 5.0, 1.0]), np.array([[25.0, 40.0]])
    theirs = lambda x, p: (f(x, p), squares(x, p), p[0] - product(x))
    return Problem(4, f, squares, lambda x, p: p[0] - product(x), 1.0, 5.0, start, p, theirs)


def valley() -> Problem:
    f = lambda x, p: 100 * (x[1] - x[0] ** 2) ** 2 + (p[0] - x[0]) ** 2
    ball = lambda x, p: x[0] ** 2 + x[1] ** 2 - p[1]
    theirs = lambda x, p: (f(x, p), ca.DM(0, 1), ball(x, p))
    bound, start = ENDLESS, np.array([-1.2, 1.0])
    return Problem(2, f, None, ball, -bound, bound, start, np.array([[1.0, 1.5]]), theirs)


def form_of(problem: Problem) -> NonlinearForm:
    """The program at its parameters."""
    p, row = jnp.asarray(problem.parameters[0]), lambda h: h and (lambda x: jnp.atleast_1d(h(x, p)))
    sizes = [0 if h is None else 1 for h in (problem.c, problem.g)]
    return NonlinearForm(problem.n, *sizes, lambda x: problem.f(x, p), row(problem.c), row(problem.g))


def ours(problem: Problem) -> tuple[Callable, Callable]:
    free = np.abs(problem.upper) >= ENDLESS
    bounds = {} if free else {"lower": problem.lower, "upper": problem.upper}
    program = Program(problem.f, (problem.n,), equality=problem.c, inequality=problem.g, **bounds)
    w, p = jnp.cos(jnp.arange(problem.n)), jnp.asarray(problem.parameters[0])
    start = jnp.asarray(problem.start)
    solve = jax.jit(lambda p: program.solve(p, start=start))
    gradient = jax.jit(jax.grad(lambda p: program.solve(p, start=start).x @ w))
    return lambda: jax.block_until_ready(solve(p)), lambda: jax.block_until_ready(gradient(p))


def by_casadi(method: str) -> Callable[[Problem], Callable]:
    def make(problem: Problem) -> Callable:
        solve = casadi_of(problem, method)
        return lambda: solve()[0]

    return make


def by_ipopt(module: str) -> Callable[[Problem], Callable]:
    """Ipopt by cyipopt, or POUNCE by the same interface."""

    def make(problem: Problem) -> Callable:
        wide = lambda bound: np.full(problem.n, float(bound))
        made = ipopt.problem_of(module, form_of(problem), wide(problem.lower), wide(problem.upper))
        return lambda: made.solve(problem.start)[0]

    return make


def by_ripopt(problem: Problem) -> Callable:
    import ripopt

    form = form_of(problem)
    low = [0.0] * form.p + [-ENDLESS] * form.m
    rows = {"fun": form.constraints, "lb": low, "ub": [0.0] * form.rows}
    bounds = [(float(problem.lower), float(problem.upper))] * problem.n
    made = ripopt.Problem(form.objective, problem.start, bounds=bounds, constraints=rows)
    return lambda: np.asarray(made.solve(problem.start).x)


def by_ipax(problem: Problem) -> Callable:
    """With derivatives of JAX, compiled; second ones by its own approximation, as it takes no others here."""
    import ipax

    form, wide = form_of(problem), lambda bound: np.full(problem.n, float(bound))
    given: dict[str, Any] = {}
    for name, rows, jacobian in (
        ("eq_constraints", form.equality, "eq_jacobian"),
        ("ineq_constraints", form.inequality, "ineq_jacobian"),
    ):
        if rows is not None:
            value, slope = jax.jit(rows), jax.jit(jax.jacobian(rows))
            given[name] = lambda x, value=value: np.asarray(value(x))
            given[jacobian] = lambda x, slope=slope: np.asarray(slope(x))
    f, df = jax.jit(form.objective), jax.jit(jax.grad(form.objective))
    bounds = None if abs(problem.upper) >= ENDLESS else (wide(problem.lower), wide(problem.upper))
    given |= {"bounds": bounds} if bounds else {}
    made = ipax.FunctionProblem(problem.n, lambda x: float(f(x)), gradient=lambda x: np.asarray(df(x)), **given)
    return lambda: np.asarray(ipax.solve(made, problem.start).x)


def by_slsqp(problem: Problem) -> Callable:
    import optimistix
    from slsqp_jax import SLSQP

    form, options = form_of(problem), {}
    if form.equality is not None:
        options |= {"eq_constraint_fn": lambda x, _: form.equality(x), "n_eq_constraints": form.p}
    if form.inequality is not None:
        options |= {"ineq_constraint_fn": lambda x, _: -form.inequality(x), "n_ineq_constraints": form.m}
    if abs(problem.upper) < ENDLESS:
        options["bounds"] = jnp.asarray([[problem.lower, problem.upper]] * problem.n)
    solver = SLSQP(**options)
    objective = lambda x, _: (form.objective(x), None)
    run = jax.jit(lambda x: optimistix.minimise(objective, solver, x, has_aux=True, max_steps=200, throw=False).value)
    start = jnp.asarray(problem.start)
    return lambda: np.asarray(jax.block_until_ready(run(start)))


PEERS: dict[str, Callable[[Problem], Callable]] = {
    "CasADi sqpmethod": by_casadi("sqpmethod"),
    "CasADi Ipopt": by_casadi("ipopt"),
    "Ipopt, cyipopt": by_ipopt("cyipopt"),
    "POUNCE": by_ipopt("pounce"),
    "ripopt": by_ripopt,
    "ipax": by_ipax,
    "slsqp-jax": by_slsqp,
}
PROBLEMS = {"HS071": hs071, "valley in a ball": valley}
PACKAGES = ("casadi", "cyipopt-wheels", "pounce-solver", "ripopt", "ipax", "slsqp-jax", "optimistix")


def measure(name: str, problem: Problem) -> list[dict[str, Any]]:
    """A row of each peer."""
    solve, gradient = ours(problem)
    found = solve()
    assert int(found.status) == Status.SOLVED
    with silent():
        runs = {"ours": solve, "ours, gradient": gradient}
        for peer, make in PEERS.items():
            with contextlib.suppress(ImportError):
                runs[peer] = make(problem)
        t = alternate(runs)
        ends = {peer: np.asarray(runs[peer]()) for peer in PEERS if peer in runs and math.isfinite(t[peer])}
    rows = []
    for peer in PEERS:
        taken, x = t.get(peer, math.nan), ends.get(peer)
        off = math.nan if x is None else float(np.abs(x - np.asarray(found.x)).max())
        rows.append({"program": name, "peer": peer, "ms": 1e3 * taken, "off": off})
        rows[-1] |= {"ours ms": 1e3 * t["ours"], "ours with gradients ms": 1e3 * t["ours, gradient"]}
        rows[-1]["peer / ours with gradients"] = taken / t["ours, gradient"]
        print(*(f"{v:.3g}" if isinstance(v, float) else v for v in rows[-1].values()), sep=", ", flush=True)
    return rows


def main() -> None:
    """Measure all and save them."""
    jax.config.update("jax_enable_x64", True)
    rows = [row for name, make in PROBLEMS.items() for row in measure(name, make())]
    publish("single", "one nonlinear program at a time: peers / argflux", rows, PACKAGES)


if __name__ == "__main__":
    main()
