"""DAQP on one program after another."""

import math
from typing import Any

import numpy as np

from argflux.programs.derivatives.reduced import flag_of

SOLVED, NOT_CONVEX = 1, -5
TOLERANCE = 1e-10
PROXIMITY = -1e-6


class Workspace:
    """Solves programs one after another, and prepares matrices that they share only once.

    What the program before has left is used for vectors alone, and an answer from it taken if it is a solution;
    else the program is solved as if it were the first. A P that is not definite gets proximal steps, and `is_near` says
    that the last answer came of these.

    Args:
        shared: whether all programs have the same P and rows.
        limit: limit on changes of the active set.
    """

    def __init__(self, shared: bool, limit: int) -> None:
        self._shared, self._model = shared, None
        self.is_near = False
        self._settings = {"primal_tol": TOLERANCE, "eps_prox": 0.0, "iter_limit": limit}

    def solve(self, H: np.ndarray | None, f, C, high, low, sense) -> tuple[np.ndarray, np.ndarray, int, int]:
        """Solution, duals of the bounds and the rows, DAQP's flag, its iterations."""
        import daqp

        self.is_near = False
        limits = {"bupper": high, "blower": low, "sense": sense} if len(sense) else {}
        if self._model is not None and flag_of(self._model.update(f=f, **limits)) >= 0:
            x, value, flag, info = self._model.solve()
            if flag == SOLVED and math.isfinite(value):
                return x, info["lam"], flag, info["iterations"]
        given = H, f, C, high, low, sense
        found = self._prepare(given) if self._shared else daqp.solve(*given, **self._settings)
        x, _, flag, info = found
        if flag == NOT_CONVEX and H is not None:
            x, _, flag, info = daqp.solve(*given, **(self._settings | {"eps_prox": PROXIMITY}))
            self._shared, self.is_near = False, True
        return x, info["lam"], flag, info.get("iterations", 0)

    def _prepare(self, given: tuple) -> Any:
        """Solve the first program, or one after a program that was not solved."""
        import daqp

        model, self._model = daqp.Model(), None
        model.settings = self._settings
        if flag_of(model.setup(*given)) < 0:
            return daqp.solve(*given, **self._settings)
        found = model.solve()
        self._model = model if found[2] == SOLVED else None
        return found
