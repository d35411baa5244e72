"""Derivatives of solutions of problems that others wrote, beside differences of problems solved again.

    python -m benchmarks sensitivities                 the first 75 of at most 10 unknowns with regular solutions
    python -m benchmarks.sensitivities HS71 HS43       some, printed only

Every problem of `sif2jax` gets parameters: a linear term of the objective, a constant in each row, and a shift of each
bound. `z` is a weighted sum of the solution, its multipliers and its objective. `forward` compares a directional
derivative of `z` with differences of solutions (central ones at two distances, extrapolated), `reverse` the product of
the gradient and the direction with it, and `second` the derivative of the gradient with differences of gradients, for
the first problems that are solved. All are relative to the larger of 1 and the derivative.
"""

import sys
import time
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from argflux import gradient
from argflux.programs import Program, Status
from benchmarks.hock_schittkowski import Problem, problems
from benchmarks.report import publish

MOST, COUNT, TWICE = 10, 75, 25
STEP = 1e-5
SLOW = ("HS105",)  # XLA compiles it for more than ten minutes
LIMITS = {"forward": 1e-5, "reverse": 1e-9, "second": 1e-5}


class Shifted:
    """A problem with parameters, from a solution of its own."""

    def __init__(self, problem: Problem):
        """State the problem, and solve it from its start if it is nonlinear."""
        form, low, high = problem.form, problem.lower, problem.upper
        moved = lambda f, of: f and (lambda x, tilt, shifts, bounds: f(x) + shifts[of])
        self.name, self.form = problem.name, form
        self.program = Program(
            lambda x, tilt, shifts, bounds: form.objective(x) + tilt @ x,
            form.n,
            equality=moved(form.equality, slice(0, form.p)),
            inequality=moved(form.inequality, slice(form.p, None)),
            lower=lambda tilt, shifts, bounds: low + bounds,
            upper=lambda tilt, shifts, bounds: high + bounds,
        )
        self.sizes = np.cumsum([form.n, form.rows])
        self.none = jnp.zeros(2 * form.n + form.rows)
        self.kind = self.program.kind(*jnp.split(self.none, self.sizes))
        self.solution = self.solve(self.none, problem.start) if self.kind == "nonlinear" else None
        self.weights = np.random.default_rng(len(self.name)).normal(size=4 * form.n + form.rows + 1)

    def solve(self, theta, start):
        """The solution at parameters."""
        return self.program.solve(*jnp.split(theta, self.sizes), start=start)

    def number(self, theta):
        """A weighted sum of all that a solution says."""
        found = self.solve(theta, self.solution)
        fields = found.x, found.y, found.z, found.z_lower, found.z_upper, found.objective
        values = jnp.concatenate([jnp.ravel(a) for a in jax.tree.leaves(fields)])
        return self.weights[: len(values)] @ values

    def slope(self, theta):
        """Its gradient by our engine."""
        (found,) = gradient(self.number, theta)
        return found

    def direction(self):
        """A random direction in which fixed unknowns stay fixed."""
        return jnp.asarray(np.random.default_rng(1).normal(size=len(self.none)))


def differences(function, theta, along) -> np.ndarray:
    """The derivative along a direction by central differences at two distances, extrapolated."""
    central = lambda h: (np.asarray(function(theta + h * along)) - np.asarray(function(theta - h * along))) / (2 * h)
    return (4 * central(STEP) - central(2 * STEP)) / 3


def apart(a, b) -> float:
    """The largest difference, relative to the larger of 1 and the largest number."""
    a, b = np.asarray(a), np.asarray(b)
    return float(np.max(np.abs(a - b)) / max(1.0, np.max(np.abs(b))))


def row(problem: Problem, twice: bool) -> dict | None:
    """What a problem's derivatives are worth; nothing for those whose solution is none, or not regular."""
    begin, it = time.perf_counter(), Shifted(problem)
    if it.solution is None or int(it.solution.status) != Status.SOLVED or int(it.solution.regularity):
        return None
    none, along = it.none, it.direction()
    forward = jax.jvp(it.number, (none,), (along,))[1]
    slope = it.slope(none)
    second = apart(jax.jvp(it.slope, (none,), (along,))[1], differences(it.slope, none, along)) if twice else None
    return {
        "problem": problem.name,
        "n": it.form.n,
        "p": it.form.p,
        "m": it.form.m,
        "parameters": len(none),
        "forward": apart(forward, differences(it.number, none, along)),
        "reverse": apart(slope @ along, forward),
        "second": second,
        "seconds": time.perf_counter() - begin,
    }


def table(names: tuple = ()) -> Iterator[dict]:
    """A row of each problem, printed as they come."""
    count = 0
    for problem in problems(names):
        if count == COUNT:
            return
        if problem.form.n > MOST or problem.name in SLOW:
            continue
        found = row(problem, count < TWICE)
        print(problem.name, found and {k: v for k, v in found.items() if k in (*LIMITS, "seconds")}, flush=True)
        if found:
            count += 1
            yield found
        jax.clear_caches()


def _good(rows: list[dict], what: str, limit: float) -> str:
    errors = [row[what] for row in rows if row[what] is not None]
    return f"{sum(error <= limit for error in errors)} of {len(errors)}"


def main() -> None:
    """Compare all, and write the table."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        rows = list(table())
    title = "; ".join(f"{what} to {limit:.0e}: {_good(rows, what, limit)}" for what, limit in LIMITS.items())
    publish("sensitivities", title, rows, ("sif2jax",))


if __name__ == "__main__":
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        list(table(tuple(sys.argv[1:])))
