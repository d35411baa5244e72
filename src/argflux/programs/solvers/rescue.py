"""What is made of instances that no solver solved: a proof that they have no point, or the nearest program that has."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import csr_array, diags_array, eye_array, hstack

from argflux.programs.blas import one_thread
from argflux.programs.form import Blocks, Form, bounds
from argflux.programs.hostcall import cores, host_call
from argflux.programs.judge import Answer
from argflux.programs.pattern import Sparse
from argflux.programs.solvers.fallback import solve_dense
from argflux.programs.solvers.highs import Simplex, matrix_of
from argflux.programs.solvers.models import run_simplex
from argflux.programs.solvers.proofs import PROOF, Program, contradicts
from argflux.programs.solvers.scaling import Units, equilibrium, in_units, size_of
from argflux.programs.solvers.sparse import solve_one
from argflux.programs.status import Status

STEPS = 2**31 - 1
CLAIMS = (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE)


def rescue(form: Form, settings: Any, blocks: Blocks, failed: jax.Array, answer: Answer) -> tuple[Answer, Blocks]:
    """Solve what failed with its right sides moved, if that takes no more than `settings.slack` of their size.

    Returns:
        The answers, and the blocks that they belong to.
    """
    batch, k = len(failed), form.p + form.m
    if not k:
        return answer, blocks
    raw = lambda M: M.values if isinstance(M, Sparse) else M
    given = (raw(blocks.P), blocks.q, raw(blocks.A), blocks.b, raw(blocks.G), blocks.h, *bounds(form, blocks))
    point, counts = jnp.concatenate(answer[:3], 1), jnp.stack([answer.status, answer.iterations], 1)
    right = jnp.concatenate([jnp.broadcast_to(v, (batch, v.shape[1])) for v in (blocks.b, blocks.h)], 1)
    shapes = [(point.shape, "float64"), (counts.shape, "int32"), (right.shape, "float64")]

    def call(_):
        return host_call(_rescue_all, shapes, failed, point, counts, right, *given, form=form, settings=settings)

    point, counts, right = jax.lax.cond(jnp.any(failed), call, lambda _: [point, counts, right], 0)
    x, dual, bound = jnp.split(point, [form.n, form.n + k], 1)
    answer = Answer(x, dual, bound, counts[:, 0], counts[:, 1], answer.direct & ~failed)
    return answer, blocks._replace(b=right[:, : form.p], h=right[:, form.p :])


def _rescue_all(failed, point, counts, right, *arrays, form: Form, settings: Any) -> tuple:
    point, counts, right = np.array(point), np.array(counts), np.array(right)
    which = np.flatnonzero(failed)

    def work(left: Iterator[int]) -> None:
        for i in map(which.__getitem__, left):
            instance = [a[i % len(a)] for a in arrays]
            A, b, G, h, lower, upper = instance[2:]
            found = nearest(matrix_of(form, A, G), b, h, lower, upper)
            counts[i, 0] = _status(counts[i, 0], found)
            if found.distance > max(settings.slack, PROOF) or counts[i, 0] == Status.DUAL_INFEASIBLE:
                continue
            instance[3], instance[5] = found.right[: form.p], found.right[form.p :]
            solution = _solve(form, settings, instance)
            if solution is not None:
                point[i], counts[i, 0], counts[i, 1], right[i] = *solution, found.right

    with one_thread(form.n + form.p + form.m):
        run_simplex(work, len(which), cores())
    return point, counts, right


def _status(status: int, found: "Nearest") -> int:
    """What a solver said, held to what is known of feasible points."""
    if found.proved:
        return int(Status.PRIMAL_INFEASIBLE)
    claims = (Status.PRIMAL_INFEASIBLE,) if found.distance <= PROOF else CLAIMS
    return int(Status.NUMERICAL_ERROR) if status in claims else int(status)


def _solve(form: Form, settings: Any, instance: list) -> tuple | None:
    """Point, status and iterations of one instance that has a feasible point; `None` where it is not solved."""
    _, q, A, b, G, h, lower, upper = instance
    if form.curvature == "none":
        simplex = Simplex(STEPS, form.n + form.p + form.m)
        simplex.take(matrix_of(form, A, G))
        lo, hi = np.concatenate([b, np.full(form.m, -np.inf)]), np.concatenate([b, h])
        status, iterations, parts = simplex.solve(q, lower, upper, lo, hi)
    elif form.patterns is not None:
        *parts, status, iterations = solve_one(form, settings, *instance)
    else:
        *parts, status, iterations = (a[0] for a in solve_dense(form, settings, *(a[None] for a in instance)))
    return (np.concatenate(parts), status, iterations) if status == Status.SOLVED else None


class Nearest(NamedTuple):
    """Right sides that some point within the bounds meets.

    `distance` is the largest change, in units of its row, beside the size of the right sides; `proved` says that
    there is a proof that without a change no point meets them.
    """

    right: np.ndarray
    distance: float
    proved: bool


def nearest(rows: Any, b: np.ndarray, h: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> Nearest:
    """Move right sides `[b; h]` by the least sum that makes `A x = b`, `G x <= h` possible for x within its bounds."""
    p, (k, n), right = len(b), rows.shape, np.concatenate([b, h])
    columns, across = equilibrium(rows)
    matrix, equal = csr_array(in_units(rows, Units(columns, across))), np.arange(k) < p
    lo, hi = np.where(equal, right, -np.inf) * across, right * across
    low, high = lower / columns, upper / columns
    size = size_of(np.concatenate([low, lo]), np.concatenate([high, hi]))
    program = Program(np.zeros(n), low / size, high / size, lo / size, hi / size)
    simplex, more = Simplex(STEPS, 0), np.full(k + p, np.inf)
    simplex.take(csr_array(hstack([matrix, diags_array(np.where(equal, 1.0, -1.0)), -eye_array(k, p)])))
    cost = np.concatenate([program.cost, np.ones(k + p)])
    limits = np.concatenate([program.lower, np.zeros(k + p)]), np.concatenate([program.upper, more])
    status, _, (x, dual, _) = simplex.solve(cost, *limits, program.lo, program.hi)
    if status != Status.SOLVED:
        return Nearest(right, np.inf, False)
    reached = matrix @ x[:n]
    moved = np.where(equal, reached, np.maximum(program.hi, reached))
    distance = float(
        np.where(moved > program.hi, moved - program.hi, np.where(equal, program.hi - moved, 0.0)).max(initial=0.0)
    )
    return Nearest(moved * (size / across), distance, contradicts(matrix, program, dual))
