"""DAQP's dual active-set method on the host, for batches of dense programs."""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from argflux.programs.form import Blocks, Form, batch_size, bounds
from argflux.programs.hostcall import cores, host_call, share

UNBOUNDED = 1e30
ACTIVE, AT_LOWER, EQUALITY = 1, 3, 5
THREADED = 1e7


class Hosted(NamedTuple):
    """Result: primal, duals of the rows `[A; G]`, signed duals of the bounds, whether each instance was found."""

    x: jax.Array
    dual: jax.Array
    bound: jax.Array
    found: jax.Array


def solve_daqp(form: Form, blocks: Blocks, usable: jax.Array, start: jax.Array, max_iterations: int) -> Hosted:
    """Solve strictly convex programs one by one on the host, on all cores where there is enough to do.

    Args:
        form: static sizes and kinds.
        blocks: arrays with leading axis 1 or batch.
        usable: which instances to solve, `(batch,)`.
        start: guessed sides of the rows `[A; G]` and the bounds, 0 where inactive.
        max_iterations: limit on changes of the active set.

    Source:
        Arnström, Bemporad and Axehill, "A dual active-set solver for embedded quadratic programming using
        recursive LDL' updates" (2022).
    """
    batch, n, rows = batch_size(blocks), form.n, form.p + form.m
    lower, upper = bounds(form, blocks)
    shapes = [((batch, n), "float64"), ((batch, rows), "float64"), ((batch, n), "float64"), ((batch,), "int32")]
    operands = (*blocks[:6], lower, upper, usable, start)
    x, dual, bound, flag = host_call(_solve_all, shapes, *operands, form=form, limit=int(max_iterations))
    return Hosted(x, dual, bound, flag == 1)


class _Limits(NamedTuple):
    """Vectors of every instance, bounds of the variables first as DAQP wants them."""

    q: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    sense: np.ndarray


def _solve_all(P, q, A, b, G, h, lower, upper, usable, start, *, form: Form, limit: int) -> tuple:
    batch, n, k = len(usable), form.n, form.p + form.m
    ms = n if form.bounded else 0
    limits = _limits(batch, ms, q, b, h, lower, upper, start)
    x, dual, bound, flag = np.zeros((batch, n)), np.zeros((batch, k)), np.zeros((batch, n)), np.zeros(batch, np.int32)
    wanted = np.flatnonzero(usable)

    def work(left: Iterator[int]) -> None:
        import daqp

        H, C = np.empty((n, n)), np.empty((k, n))
        for i in map(wanted.__getitem__, left):
            size = _fill(H, P[i % len(P)])
            C[: form.p], C[form.p :] = A[i % len(A)], G[i % len(G)]
            f, lo, hi, sense = (v[i] for v in limits)
            x[i], _, flag[i], info = daqp.solve(
                H, f / size, C, hi, lo, sense, primal_tol=1e-10, eps_prox=0.0, iter_limit=limit
            )
            dual[i] = size * info["lam"][ms:]
            if ms:
                bound[i] = size * info["lam"][:ms]

    share(work, len(wanted), cores() if len(wanted) * n * n * (n + k) > THREADED else 1)
    return x, dual, bound, flag


def _fill(H: np.ndarray, P: np.ndarray) -> float:
    """Write P as a symmetric matrix with a diagonal near one, because DAQP's tolerances are absolute."""
    diagonal = np.diagonal(P) if P.ndim == 2 else P
    size = float(diagonal.mean())
    size = size if size > 0 else 1.0
    if P.ndim == 1:
        H[:] = 0.0
        np.fill_diagonal(H, P / size)
    else:
        np.add(P, P.T, out=H)
        H *= 0.5 / size
    return size


def _limits(batch: int, ms: int, q, b, h, lower, upper, start) -> _Limits:
    """Stack the limits of bounds and rows; equal ones make an equality, a start an active row."""
    parts = [(lower[:, :ms], upper[:, :ms]), (b, b), (np.full_like(h, -np.inf), h)]
    lo, hi = (_stack(batch, [pair[side] for pair in parts]) for side in (0, 1))
    k = lo.shape[1] - ms
    guess = _stack(batch, [start[:, k : k + ms], start[:, :k]])
    sense = np.where(guess < 0, AT_LOWER, np.where(guess > 0, ACTIVE, 0))
    sense = np.where(np.abs(np.where(guess < 0, lo, hi)) < UNBOUNDED, sense, 0)
    sense = np.ascontiguousarray(np.where(lo == hi, EQUALITY, sense), np.int32)
    return _Limits(_stack(batch, [q]), lo, hi, sense)


def _stack(batch: int, parts: list[np.ndarray]) -> np.ndarray:
    wide = np.concatenate([np.broadcast_to(part, (batch, part.shape[1])) for part in parts], 1)
    wide = np.ascontiguousarray(wide)  # DAQP reads rows from their addresses
    return np.clip(wide, -UNBOUNDED, UNBOUNDED) if wide.dtype == np.float64 else wide
