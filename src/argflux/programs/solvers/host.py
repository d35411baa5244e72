"""DAQP's dual active-set method on the host, for batches of dense programs."""

from typing import NamedTuple

import numpy as np

from argflux.programs.forms.arrays import joined
from argflux.programs.forms.form import Blocks, Form, batch_size, bounds
from argflux.programs.solvers.scaling import power
from argflux.programs.solvers.workspace import SOLVED, Workspace

UNBOUNDED = 1e30
ACTIVE, AT_LOWER, EQUALITY = 1, 3, 5
FLAT = 1e-12
NEAR = 16.0


class Hosted(NamedTuple):
    """Result: primal, duals of the rows `[A; G]`, signed duals of the bounds, DAQP's flag, its iterations.

    `near` says which answers came of proximal steps, which end beside the solution.
    """

    x: np.ndarray
    dual: np.ndarray
    bound: np.ndarray
    flag: np.ndarray
    iterations: np.ndarray
    near: np.ndarray

    @property
    def found(self) -> np.ndarray:
        """Whether each instance was solved."""
        return self.flag == SOLVED


def solve_daqp(form: Form, blocks: Blocks, usable: np.ndarray, start: np.ndarray, limit: int) -> Hosted:
    """Solve programs one by one on the host.

    Args:
        form: static sizes and kinds.
        blocks: arrays with leading axis 1 or batch.
        usable: which instances to solve, `(batch,)`.
        start: guessed sides of the rows `[A; G]` and the bounds, 0 where inactive.
        limit: limit on changes of the active set.

    Source:
        Arnström, Bemporad and Axehill, "A dual active-set solver for embedded quadratic programming using
        recursive LDL' updates" (2022).
    """
    batch, n, ms = batch_size(blocks), form.n, form.n if form.bounded else 0
    units = _units(form, blocks.P)
    H, (C, across) = _curvature(form, blocks.P, units), _rows(blocks.A, blocks.G, units)
    f, low, high, sense = _vectors(form, blocks, batch, units, across, start)
    size = _sizes(f, low, high, ms, H is not None)
    f, low, high = f / size, np.clip(low / size, -UNBOUNDED, UNBOUNDED), np.clip(high / size, -UNBOUNDED, UNBOUNDED)
    x, lam, (flag, iterations) = np.zeros(f.shape), np.zeros(low.shape), np.zeros((2, batch), np.int32)
    near = np.zeros(batch, bool)
    workspace = Workspace(H is not None and len(H) == len(C) == 1, limit)
    for i in np.flatnonzero(usable):
        P = None if H is None else H[i % len(H)]
        *found, flag[i], iterations[i] = workspace.solve(P, f[i], C[i % len(C)], high[i], low[i], sense[i])
        if flag[i] == SOLVED:
            (x[i], lam[i]), near[i] = found, workspace.is_near
    sound = np.isfinite(np.concatenate([x, lam], 1)).all(1, keepdims=True)
    x, lam = np.where(sound, x * (units * size), 0.0), np.where(sound, lam * size, 0.0)
    bound = lam[:, :ms] / units if ms else np.zeros((batch, n))
    return Hosted(x, lam[:, ms:] * across, bound, flag, iterations, near)


def _units(form: Form, P: np.ndarray) -> np.ndarray:
    """Units of the unknowns in which the curvature is one, as DAQP's tolerances are absolute."""
    if form.curvature == "none":
        return np.ones((1, form.n))
    diagonal = P if form.curvature == "diagonal" else np.einsum("bii->bi", P)
    mean = np.maximum(diagonal.mean(1, keepdims=True), 0.0)
    return np.sqrt(power(np.where(diagonal > FLAT * mean, diagonal, mean)))


def _curvature(form: Form, P: np.ndarray, units: np.ndarray) -> np.ndarray | None:
    """P as symmetric matrices in units, if there is any."""
    if form.curvature == "none":
        return None
    if form.curvature == "diagonal":
        return (P * units**2)[:, :, None] * np.eye(form.n)
    return (P + P.mT) * (0.5 * units[:, :, None] * units[:, None])


def _rows(A: np.ndarray, G: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows in units, brought to norms near one in instances that have some far from it, and the factors."""
    C = joined(A, G) * (units[:, None] if A.shape[1] + G.shape[1] else 1.0)
    norms = np.sqrt(np.einsum("bij,bij->bi", C, C))
    far = (norms.max(1, initial=0.0) >= NEAR) | (norms.min(1, initial=np.inf) <= 1 / NEAR)
    if not far.any():
        return C, np.ones((1, C.shape[1]))
    across = np.where(far[:, None], power(norms), 1.0)
    return C * across[:, :, None], across


def _sizes(f: np.ndarray, low: np.ndarray, high: np.ndarray, ms: int, curved: bool) -> np.ndarray:
    """What solutions are like: the unconstrained minimum within its bounds, or what the limits ask of it, `(b, 1)`."""
    far = np.maximum(low.max(1, initial=0.0), -high.min(1, initial=0.0))
    if curved:
        inner = np.clip(-f, low[:, :ms], high[:, :ms]) if ms else f
        far = np.maximum(far, np.abs(inner).max(1))
    return np.where(far < UNBOUNDED, 1 / power(far), 1.0)[:, None]


def _vectors(form: Form, blocks: Blocks, batch: int, units, across, start) -> tuple[np.ndarray, ...]:
    """Costs and limits of every instance in units, bounds first as DAQP wants them, and the start.

    Equal limits make an equality, a start an active row.
    """
    ms, p, h = form.n if form.bounded else 0, form.p, blocks.h
    lower, upper = (bound[:, :ms] / units[:, :ms] for bound in bounds(form, blocks))
    lo = _whole(batch, lower, blocks.b * across[:, :p], np.full_like(h, -np.inf))
    hi = _whole(batch, upper, blocks.b * across[:, :p], h * across[:, p:])
    k = lo.shape[1] - ms
    guess = _whole(batch, start[:, k : k + ms], start[:, :k])
    sense = np.where(guess < 0, AT_LOWER, np.where(guess > 0, ACTIVE, 0))
    sense = np.where(np.abs(np.where(guess < 0, lo, hi)) < UNBOUNDED, sense, 0)
    sense = np.ascontiguousarray(np.where(lo == hi, EQUALITY, sense), np.int32)
    return _whole(batch, blocks.q * units), lo, hi, sense


def _whole(batch: int, *parts: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(joined(*parts, size=batch))  # DAQP reads rows from their addresses
