"""POUNCE's interior-point method on one nonlinear program."""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from argflux.programs.answers.status import Status
from argflux.programs.solvers.exchange import Ask, Values

ENDLESS, FALLEN, VIOLATED = 1e20, 1e10, 1e-6
NEAR = {"warm_start_init_point": "yes", "mu_init": 1e-6}
NEAR |= {f"warm_start_{what}": 1e-9 for what in ("bound_push", "slack_bound_push", "mult_bound_push")}
STATUSES = {
    0: Status.SOLVED,
    1: Status.SOLVED,
    2: Status.LOCALLY_INFEASIBLE,
    4: Status.DUAL_INFEASIBLE,
    -1: Status.ITERATION_LIMIT,
}


class Found(NamedTuple):
    """A point, duals of the rows and the bounds, how it ended, and after how many steps."""

    x: np.ndarray
    dual: np.ndarray
    z_lower: np.ndarray
    z_upper: np.ndarray
    status: int
    iterations: int


@dataclass(frozen=True)
class Task:
    """One program: its start, maybe `(dual, z_lower, z_upper)` known to be near, bounds, and where entries are.

    `C` and `W` are rows and columns of the entries of the Jacobian and of the Hessian; the first `p` rows are
    equalities.
    """

    start: np.ndarray
    known: tuple
    lower: np.ndarray
    upper: np.ndarray
    p: int
    rows: int
    C: tuple[np.ndarray, np.ndarray]
    W: tuple[np.ndarray, np.ndarray]


class Functions:
    """The functions as POUNCE calls them; what was asked last is remembered."""

    def __init__(self, task: Task, ask: Callable[[Ask], Values]):
        """`ask` waits for values."""
        self.task, self.ask = task, ask
        self.lower = np.flatnonzero(task.W[0] >= task.W[1])
        self.last, self.known = Ask(task.start, 1.0, np.zeros(task.rows)), None

    def at(self, x: np.ndarray, weight: float | None = None, dual: Any = None) -> Values:
        """Values at a point, with any weights or with these."""
        there = Ask(x, self.last.weight if weight is None else weight, self.last.dual if dual is None else dual)
        if self.known is None or not all(map(np.array_equal, there, self.last)):
            self.last = Ask(x.copy(), float(there.weight), there.dual.copy())
            self.known = self.ask(self.last)
        return self.known

    def objective(self, x: np.ndarray) -> float:
        """The objective."""
        return float(self.at(x).f)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Its gradient."""
        return self.at(x).df

    def constraints(self, x: np.ndarray) -> np.ndarray:
        """All rows."""
        return self.at(x).rows

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Entries of their Jacobian."""
        return self.at(x).C

    def hessian(self, x: np.ndarray, dual: np.ndarray, weight: float) -> np.ndarray:
        """Entries of the lower triangle of the Lagrangian's Hessian."""
        return self.at(x, weight, dual).W[self.lower]

    def jacobianstructure(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the Jacobian's entries."""
        return self.task.C

    def hessianstructure(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the Hessian's entries."""
        return self.task.W[0][self.lower], self.task.W[1][self.lower]


def is_there() -> bool:
    """Whether POUNCE is installed."""
    return importlib.util.find_spec("pounce") is not None


def run_pounce(task: Task, tolerance: float, limit: int, ask: Callable[[Ask], Values]) -> Found:
    """What POUNCE makes of a program; of its verdicts those count that the point it ends at confirms.

    Source:
        Wächter and Biegler, "On the implementation of an interior-point filter line-search algorithm for large-scale
        nonlinear programming" (2006), whose method POUNCE's is.
    """
    pounce: Any = importlib.import_module("pounce")
    functions, n, rows = Functions(task, ask), len(task.start), task.rows
    begun = functions.at(task.start)
    if not all(np.isfinite(part).all() for part in (begun.f, begun.rows, begun.df, begun.C)):
        return Found(task.start, np.zeros(rows), np.zeros(n), np.zeros(n), int(Status.BAD_DATA), 0)
    below = np.where(np.arange(rows) < task.p, 0.0, -ENDLESS)
    limits = np.maximum(task.lower, -ENDLESS), np.minimum(task.upper, ENDLESS)
    problem = pounce.Problem(n, rows, functions, lb=limits[0], ub=limits[1], cl=below, cu=np.zeros(rows))
    options = {"tol": tolerance, "max_iter": limit, "print_level": 0} | (NEAR if task.known else {})
    for name, value in options.items():
        problem.add_option(name, value)
    names = "lagrange", "zl", "zu"
    x, told = problem.solve(task.start, **dict(zip(names, task.known, strict=False)))
    dual, low, high = (np.asarray(told[name]) for name in ("mult_g", "mult_x_L", "mult_x_U"))
    status = STATUSES.get(told["status"], Status.NUMERICAL_ERROR)
    violation = np.abs(np.where(np.arange(rows) < task.p, told["g"], np.maximum(told["g"], 0.0))).max(initial=0.0)
    if status == Status.LOCALLY_INFEASIBLE and not violation > VIOLATED:
        status = Status.NUMERICAL_ERROR
    if status == Status.DUAL_INFEASIBLE and not (told["obj_val"] < -FALLEN and violation <= VIOLATED):
        status = Status.NUMERICAL_ERROR
    return Found(np.asarray(x), dual, low, high, int(status), int(told["iter_count"]))
