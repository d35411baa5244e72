"""The optimality system of each instance, reduced to its active rows and free variables, solved on the host."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from argflux.programs.derivatives.padded import Padded
from argflux.programs.derivatives.saddle import Factored
from argflux.programs.derivatives.vertices import solve_vertices
from argflux.programs.forms.blas import one_thread
from argflux.programs.forms.form import Form
from argflux.programs.forms.hostcall import cores, share

NULL = 1e-9
WELL_CONDITIONED = 1e10
ACCURATE = 1e-10
EQUALITY = 5
THREADED = 1e7
REFINEMENTS = 3
BLOCK = 16
OPTIONS = {"primal_tol": 0.0, "eps_prox": 0.0}

Array = NDArray[np.float64]


class System(NamedTuple):
    """`P x + C' y = r1`, `C x = r2`, with the free variables and the active rows only."""

    P: Array
    C: Array


def solve_reduced(P, A, G, active, fixed, mode, r1, r2, r3, *, form: Form) -> tuple[Array, Array, Array]:
    """Solve `P dx + C' ddual + dbound = r1`, `C dx = r2` on active rows, `dx = r3` on fixed variables.

    Where `mode` is 1 the system is taken to be regular, where it is 2 the answer is of least norm, elsewhere it is
    zero. Every array has a leading axis 1 or batch; instances that share their matrices share the factors.
    """
    batch = max(len(part) for part in (P, A, G, active, fixed, mode, r1, r2, r3))
    right = [np.broadcast_to(r, (batch, r.shape[1])) for r in (r1, r2, r3)]
    answer = np.zeros(right[0].shape), np.zeros(right[1].shape), np.zeros(right[2].shape)
    systems = max(len(part) for part in (P, A, G, active, fixed, mode))
    wanted = np.flatnonzero(np.isin(np.broadcast_to(mode, systems), (1, 2)))

    def work(left: Iterator[int]) -> None:
        for i in map(wanted.__getitem__, left):
            known = [part[i % len(part)] for part in (P, A, G, active, fixed)]
            which = slice(i, i + 1) if systems > 1 else slice(None)
            steps = _solve_one(form, mode[i % len(mode)] == 1, *known, *[r[which] for r in right])
            for whole, step in zip(answer, steps, strict=True):
                whole[which] = step

    n, rows = form.n, form.p + form.m
    if form.curvature == "none" and systems == batch and len(wanted):
        at_vertex = np.isin(np.arange(batch), wanted) & (mode == 1)
        with one_thread(rows):
            wanted = wanted[~solve_vertices(A, G, active, fixed, at_vertex, right, answer)[wanted]]
    threads = cores() if len(wanted) * n * n * (n + rows) > THREADED else 1
    if systems == batch > 1 and form.curvature == "dense" and rows and not form.bounded:
        wanted = _solve_blocks(form, wanted, threads, (P, A, G, active, mode), right, answer)
    with one_thread(form.n + rows) if len(wanted) else contextlib.nullcontext():
        share(work, len(wanted), threads)
    return answer


def _solve_blocks(form: Form, wanted: NDArray, threads: int, matrices, right, answer) -> NDArray:
    """Solve regular systems some at a time, which needs fewer turns of the interpreter; which ones are left."""
    size = min(BLOCK, 1 + len(wanted) // (4 * threads))
    counts = (matrices[3] > 0).sum(1)
    wanted = wanted[np.argsort(counts[wanted % len(counts)], kind="stable")]
    blocks = [wanted[i : i + size] for i in range(0, len(wanted), size)]
    left: list[NDArray] = []

    def work(numbers: Iterator[int]) -> None:
        for which in map(blocks.__getitem__, numbers):
            P, A, G, active, mode = (_pick(part, which) for part in matrices)
            rows, doubtful = np.concatenate([A, G], 1), np.not_equal(mode, 1)
            x, dual, done = _solve_block(P, rows, np.greater(active, 0), doubtful, right[0][which], right[1][which])
            answer[0][which[done]], answer[1][which[done]] = x[done], dual[done]
            left.append(which[~done])

    share(work, len(blocks), threads)
    return np.concatenate([wanted[:0], *left])


def _pick(part: NDArray, which: NDArray) -> NDArray:
    return part[which] if len(part) > 1 else np.broadcast_to(part, (len(which), *part.shape[1:]))


def _solve_block(P: Any, rows: Any, active: Any, doubtful: Any, r1: Array, r2: Array) -> tuple[Any, Any, Any]:
    """As `_solve_regular`, for several instances without fixed variables; which of the answers are accurate.

    What is doubtful may be singular, and then is not answered.
    """
    system, n, y = Padded.of(P, rows, active), r1.shape[1], np.zeros(r2.shape)
    right = np.concatenate([r1 * system.scale, np.take_along_axis(r2, system.order, 1) * system.on], 1)
    try:
        v = np.linalg.solve(system.K, right[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        return np.zeros(r1.shape), y, np.zeros(len(r1), bool)
    terms = np.einsum("bij,bj->bi", abs(system.K), abs(v)) + abs(right)
    left = right - np.einsum("bij,bj->bi", system.K, v)
    done = np.all(abs(left) <= ACCURATE * terms, 1)
    if not done.all():
        v[~done] += np.linalg.solve(system.K[~done], left[~done, :, None])[:, :, 0]
        left = right - np.einsum("bij,bj->bi", system.K, v)
        done = np.all(abs(left) <= ACCURATE * terms, 1)
    if doubtful.any():
        done &= system.regular() | ~doubtful
    np.put_along_axis(y, system.order, v[:, n:] * system.on, 1)
    return v[:, :n] * system.scale, y, done


def _solve_one(form: Form, regular: bool, P, A, G, active, fixed, r1, r2, r3) -> tuple[Array, Array, Array]:
    """Leave out the fixed variables and the rows that are not active; right-hand sides are rows."""
    rows, pinned, free = np.flatnonzero(active), np.flatnonzero(fixed), np.flatnonzero(fixed == 0)
    C = G[rows] if not form.p else np.concatenate([A[rows[rows < form.p]], G[rows[rows >= form.p] - form.p]])
    P = _symmetric(form, P)
    x, dual, bound = np.zeros(r1.shape), np.zeros(r2.shape), np.zeros(r3.shape)
    if not len(pinned):
        x, dual[:, rows] = solve(System(P, C), r1, r2[:, rows], regular)
        return x, dual, bound
    x[:, pinned] = r3[:, pinned]
    inner = System(P[np.ix_(free, free)], C[:, free])
    right = (r1 - _times(P, x))[:, free], r2[:, rows] - _times(C, x)
    x[:, free], dual[:, rows] = solve(inner, *right, regular)
    bound[:, pinned] = (r1 - _times(P, x) - _times(C.T, dual[:, rows]))[:, pinned]
    return x, dual, bound


def _symmetric(form: Form, P: Array) -> Array:
    if form.curvature == "none":
        return np.zeros((form.n, form.n))
    return np.diag(P) if form.curvature == "diagonal" else (P + P.T) * 0.5


def _times(M: Array, x: Array) -> Array:
    """Products with every row of x, without BLAS, whose threads wait for each other when cores are busy."""
    return np.einsum("ij,kj->ki", M, x)


def _pulled(M: Array, y: Array) -> Array:
    """Products of the transposed matrix with every row of y."""
    return np.einsum("ji,kj->ki", M, y)


def solve(system: System, r1: Array, r2: Array, regular: bool) -> tuple[Array, Array]:
    """Solve for each row of right-hand sides; by the least norm where the system is singular."""
    if not len(system.P):
        return np.zeros(r1.shape), np.zeros(r2.shape)
    direct = _solve_regular if system.P.any() else _solve_vertex
    answer = direct(system, r1, r2) if regular else None
    if answer is not None:
        return answer
    whole, right, n = Factored(*system), np.concatenate([r1, r2], 1), len(system.P)
    answer = whole.solve(right) if whole.regular else _least_norm(whole, right)
    return answer[:, :n], answer[:, n:]


def _solve_regular(system: System, r1: Array, r2: Array) -> tuple[Array, Array] | None:
    """Let DAQP minimise `x'Px/2 - r1'x` subject to `C x = r2`, which is the same; None where it fails.

    The answer is refined until the conditions hold, beside the size of their terms; no entry of the scaled P exceeds
    one.
    """
    diagonal = np.diagonal(system.P)
    if not np.all(diagonal > 0):
        return None
    scale = 1 / np.sqrt(diagonal)
    H, C = system.P * (scale[:, None] * scale), system.C * scale
    f, b = r1 * -scale, r2
    x, y, wrong, apart = np.zeros(f.shape), np.zeros(b.shape), f, -b
    for _ in range(REFINEMENTS):
        solved = _solve_scaled(H, C, wrong, -apart)
        if solved is None:
            return None
        x, y = x + solved[0], y + solved[1]
        held = _pulled(C, y)
        wrong, apart = _times(H, x) + held + f, _times(C, x) - b
        size = _sizes(x) + _sizes(f)
        reach = size[:, None] * np.sqrt(np.einsum("ij,ij->i", C, C)) + np.abs(b)
        if np.all(_sizes(wrong) <= ACCURATE * (size + _sizes(held))) and np.all(np.abs(apart) <= ACCURATE * reach):
            return x * scale, y
    return None


def _solve_scaled(H: Array, C: Array, f: Array, b: Array) -> tuple[Array, Array] | None:
    """Scale the right-hand sides to one, because DAQP has tolerances that are absolute."""
    size = np.maximum(_sizes(f), _sizes(b))[:, None]
    unit = np.where(size > 0, size, 1.0)
    data = map(np.ascontiguousarray, (H, C, f / unit, b / unit))  # DAQP reads rows from their addresses
    solved = _solve_once(*data) if len(f) == 1 else _solve_many(*data)
    return solved if solved is None else (solved[0] * unit, solved[1] * unit)


def _solve_vertex(system: System, r1: Array, r2: Array) -> tuple[Array, Array] | None:
    """At a vertex of a linear program the rows alone say where x is; None where they do not."""
    C = system.C
    if C.shape[0] != C.shape[1]:
        return None
    try:
        inverse: Array = np.linalg.inv(C).astype(np.float64)
    except np.linalg.LinAlgError:
        return None
    if not np.abs(inverse).max() * np.abs(C).max() < WELL_CONDITIONED:
        return None
    x, y = _times(inverse, r2), _times(inverse.T, r1)
    return x + _times(inverse, r2 - _times(C, x)), y + _times(inverse.T, r1 - _times(C.T, y))


def _solve_once(H: Array, C: Array, f: Array, b: Array) -> tuple[Array, Array] | None:
    import daqp

    x, _, flag, info = daqp.solve(H, f[0], C, b[0], b[0], np.full(len(C), EQUALITY, np.int32), **OPTIONS)
    return (x[None], info["lam"][None]) if flag == 1 else None


def _solve_many(H: Array, C: Array, f: Array, b: Array) -> tuple[Array, Array] | None:
    """Keep the factors from one right-hand side to the next."""
    import daqp

    x, y = np.zeros(f.shape), np.zeros(b.shape)
    model = daqp.Model()
    model.settings = OPTIONS | {"eq_reduction": -1}
    for i in range(len(f)):
        limits = {"bupper": b[i], "blower": b[i]} if len(C) else {}
        if i:
            ready = model.update(f=f[i], **limits)
        else:
            ready = model.setup(H, f[0], C, b[0], b[0], np.full(len(C), EQUALITY, np.int32))
        if flag_of(ready) < 0:
            return None
        x[i], _, flag, info = model.solve()
        y[i] = info["lam"]
        if flag != 1:
            return None
    return x, y


def flag_of(answer: Any) -> int:
    """DAQP's flag, which it returns alone or before the time that it took."""
    return int(answer[0] if isinstance(answer, tuple) else answer or 0)


def _sizes(a: Array) -> Array:
    return np.abs(a).max(1, initial=0.0)


def _least_norm(whole: Factored, right: Array) -> Array:
    """Solution of least norm, in units, for each row."""
    values, vectors = np.linalg.eigh(whole.K)
    kept = np.abs(values) > NULL * np.max(np.abs(values), initial=0.0)
    values, vectors, right = values[kept], vectors[:, kept], right * whole.scale
    answer = (right @ vectors / values) @ vectors.T
    return (answer + ((right - answer @ whole.K) @ vectors / values) @ vectors.T) * whole.scale
