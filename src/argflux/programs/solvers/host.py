"""DAQP's dual active-set method on the host, for batches of dense programs."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from argflux.programs.form import Blocks, Form, batch_size, bounds
from argflux.programs.hostcall import cores, share
from argflux.programs.solvers.scaling import power
from argflux.programs.solvers.scaling import unit as unit_of

UNBOUNDED = 1e30
ACTIVE, AT_LOWER, EQUALITY = 1, 3, 5
SOLVED, NOT_CONVEX = 1, -5
TOLERANCE = 1e-10
PROXIMITY = -1e-6
FLAT = 1e-12
NEAR = 16.0
THREADED = 1e7


class Hosted(NamedTuple):
    """Result: primal, duals of the rows `[A; G]`, signed duals of the bounds, DAQP's flag, its iterations."""

    x: np.ndarray
    dual: np.ndarray
    bound: np.ndarray
    flag: np.ndarray
    iterations: np.ndarray

    @property
    def found(self) -> np.ndarray:
        """Whether each instance was solved."""
        return self.flag == SOLVED


def solve_daqp(form: Form, blocks: Blocks, usable: np.ndarray, start: np.ndarray, limit: int) -> Hosted:
    """Solve programs one by one on the host, on all cores where there is enough to do.

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
    (P, q, A, b, G, h, *_), (lower, upper) = blocks, bounds(form, blocks)
    batch, n, k = batch_size(blocks), form.n, form.p + form.m
    ms = n if form.bounded else 0
    units = _units(form, P)
    f, low, high, sense = _vectors(batch, ms, units, q, b, h, lower, upper, start)
    x, dual, bound = np.zeros((batch, n)), np.zeros((batch, k)), np.zeros((batch, n))
    flag, iterations = np.zeros(batch, np.int32), np.zeros(batch, np.int32)
    wanted = np.flatnonzero(usable)

    def work(left: Iterator[int]) -> None:
        import daqp

        H, C = np.empty((n, n)), np.empty((k, n))
        for i in map(wanted.__getitem__, left):
            unit = units[i % len(units)]
            curved = _fill(form, H, P[i % len(P)], unit)
            C[: form.p], C[form.p :] = A[i % len(A)], G[i % len(G)]
            C *= unit
            across = _row_units(C)
            lo, hi = low[i].copy(), high[i].copy()
            lo[ms:], hi[ms:] = lo[ms:] * across, hi[ms:] * across
            size = _size(f[i], lo, hi, ms, curved)
            given = (H if curved else None, f[i] / size, C, np.clip(hi / size, -UNBOUNDED, UNBOUNDED))
            given = (*given, np.clip(lo / size, -UNBOUNDED, UNBOUNDED), sense[i])
            for proximity in (0.0, PROXIMITY) if curved else (0.0,):
                found, _, flag[i], info = daqp.solve(*given, primal_tol=TOLERANCE, eps_prox=proximity, iter_limit=limit)
                iterations[i] += info.get("iterations", 0)
                if flag[i] != NOT_CONVEX:
                    break
            lam = info["lam"]
            if flag[i] == SOLVED and np.isfinite(found).all() and np.isfinite(lam).all():
                x[i], dual[i] = found * (unit * size), size * lam[ms:] * across
                if ms:
                    bound[i] = size * lam[:ms] / unit

    share(work, len(wanted), cores() if len(wanted) * n * n * (n + k) > THREADED else 1)
    return Hosted(x, dual, bound, flag, iterations)


def _units(form: Form, P: np.ndarray) -> np.ndarray:
    """Units of the unknowns in which the curvature is one, as DAQP's tolerances are absolute."""
    if form.curvature == "none":
        return np.ones((1, form.n))
    diagonal = P if form.curvature == "diagonal" else np.einsum("bii->bi", P)
    mean = np.maximum(diagonal.mean(1, keepdims=True), 0.0)
    return np.sqrt(power(np.where(diagonal > FLAT * mean, diagonal, mean)))


def _fill(form: Form, H: np.ndarray, P: np.ndarray, unit: np.ndarray) -> bool:
    """Write P as a symmetric matrix in units; whether there is any curvature."""
    if form.curvature == "none":
        return False
    if form.curvature == "diagonal":
        H[:] = 0.0
        np.fill_diagonal(H, P * unit**2)
    else:
        np.add(P, P.T, out=H)
        H *= unit[:, None] * (0.5 * unit)
    return True


def _row_units(C: np.ndarray) -> np.ndarray:
    """Bring the rows of C to norms near one, in place, where some are far from it; the factors."""
    norms = np.sqrt(np.einsum("ij,ij->i", C, C))
    if not len(norms) or (norms.max() < NEAR and norms.min() > 1 / NEAR):
        return np.ones(len(norms))
    across = power(norms)
    C *= across[:, None]
    return across


def _size(f: np.ndarray, lo: np.ndarray, hi: np.ndarray, ms: int, curved: bool) -> float:
    """What the solution is like: the unconstrained minimum within its bounds, or what the limits ask of it."""
    far = max(float(lo.max(initial=0.0)), -float(hi.min(initial=0.0)))
    if curved:
        inner = np.clip(-f, lo[:ms], hi[:ms]) if ms else f
        far = max(far, float(np.abs(inner).max()))
    return 1 / unit_of(far) if far < UNBOUNDED else 1.0


def _vectors(batch: int, ms: int, units, q, b, h, lower, upper, start) -> tuple[np.ndarray, ...]:
    """Costs and limits of every instance in units of the unknowns, bounds first as DAQP wants them, and the start.

    Equal limits make an equality, a start an active row.
    """
    parts = [(lower[:, :ms] / units[:, :ms], upper[:, :ms] / units[:, :ms]), (b, b), (np.full_like(h, -np.inf), h)]
    lo, hi = (_stack(batch, [pair[side] for pair in parts]) for side in (0, 1))
    k = lo.shape[1] - ms
    guess = _stack(batch, [start[:, k : k + ms], start[:, :k]])
    sense = np.where(guess < 0, AT_LOWER, np.where(guess > 0, ACTIVE, 0))
    sense = np.where(np.abs(np.where(guess < 0, lo, hi)) < UNBOUNDED, sense, 0)
    sense = np.ascontiguousarray(np.where(lo == hi, EQUALITY, sense), np.int32)
    return _stack(batch, [q * units]), lo, hi, sense


def _stack(batch: int, parts: list[np.ndarray]) -> np.ndarray:
    wide = np.concatenate([np.broadcast_to(part, (batch, part.shape[1])) for part in parts], 1)
    return np.ascontiguousarray(wide)  # DAQP reads rows from their addresses
