"""Nonlinear problems by Ipopt, through cyipopt, with derivatives of JAX; at its default settings."""

import importlib.util
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.forms.nonlinear import NonlinearForm

ENDLESS, SECONDS = 1e20, 60.0
SOLVED, INFEASIBLE = (0, 1), 2


class Found(NamedTuple):
    """Where Ipopt ended: its status, the objective, and the largest violation of constraints and bounds."""

    status: int
    objective: float
    breach: float


class Functions:
    """What Ipopt calls."""

    def __init__(self, form: NonlinearForm):
        """Compile the functions and their dense derivatives."""
        empty = lambda x: jnp.zeros((0, form.n))
        self.n, self.m = form.n, form.rows
        self.f, self.df = jax.jit(form.objective), jax.jit(jax.grad(form.objective))
        self.c = jax.jit(form.constraints)
        self.C = jax.jit(jax.jacobian(form.constraints)) if form.rows else empty
        sums = lambda x, dual, weight: weight * form.objective(x) + dual @ form.constraints(x)
        self.W = jax.jit(jax.hessian(sums))

    def objective(self, x: np.ndarray) -> float:
        """The objective."""
        return float(self.f(x))

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Its gradient."""
        return np.asarray(self.df(x))

    def constraints(self, x: np.ndarray) -> np.ndarray:
        """All rows."""
        return np.asarray(self.c(x))

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Their Jacobian."""
        return np.asarray(self.C(x)).ravel()

    def hessian(self, x: np.ndarray, dual: np.ndarray, weight: float) -> np.ndarray:
        """The lower triangle of the Lagrangian's Hessian."""
        return np.asarray(self.W(x, dual, weight))[np.tril_indices(self.n)]

    def jacobianstructure(self) -> tuple[np.ndarray, ...]:
        """Rows and columns of the Jacobian."""
        return tuple(np.indices((self.m, self.n)).reshape(2, -1))

    def hessianstructure(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of that."""
        return np.tril_indices(self.n)


def is_there() -> bool:
    """Whether cyipopt is installed."""
    return importlib.util.find_spec("cyipopt") is not None


def problem_of(module: str, form: NonlinearForm, lower: Any, upper: Any) -> Any:
    """The problem as `cyipopt` takes it, or another module of the same interface."""
    functions, equal = Functions(form), np.arange(form.rows) < form.p
    bounds = {"lb": np.maximum(lower, -ENDLESS), "ub": np.minimum(upper, ENDLESS)}
    sides = {"cl": np.where(equal, 0.0, -ENDLESS), "cu": np.zeros(form.rows)}
    made = importlib.import_module(module).Problem(n=form.n, m=form.rows, problem_obj=functions, **bounds, **sides)
    for name, value in {"print_level": 0, "sb": "yes", "max_wall_time": SECONDS}.items():
        made.add_option(name, value)
    return made


def solve(form: NonlinearForm, start: Any, lower: Any, upper: Any) -> Found:
    """Solve one problem from its start."""
    problem, functions, equal = (
        problem_of("cyipopt", form, lower, upper),
        Functions(form),
        np.arange(form.rows) < form.p,
    )
    x, told = problem.solve(np.asarray(start))
    rows = functions.constraints(x)
    outside = np.concatenate([np.where(equal, np.abs(rows), rows), lower - x, x - upper])
    return Found(int(told["status"]), functions.objective(x), float(outside.max(initial=0.0)))
