"""What is made of instances that no solver solved: a proof that they have no point, or the nearest program that has."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, diags_array, eye_array, hstack

from argflux.programs.answers.judge import Answer
from argflux.programs.answers.status import Status
from argflux.programs.forms.arrays import joined
from argflux.programs.forms.form import Blocks, Form, bounds
from argflux.programs.forms.hostcall import cores
from argflux.programs.forms.pattern import Sparse
from argflux.programs.solvers.fallback import solve_sparse
from argflux.programs.solvers.highs import Simplex, matrix_of
from argflux.programs.solvers.models import run_simplex
from argflux.programs.solvers.proofs import PROOF, Program, contradicts
from argflux.programs.solvers.scaling import Units, equilibrium, in_units, sizes_of

STEPS = 2**31 - 1
CLAIMS = (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE)


def rescue(form: Form, settings: Any, blocks: Blocks, failed: np.ndarray, answer: Answer) -> tuple[Answer, Blocks]:
    """Solve what failed with its right sides moved, if that takes no more than `settings.slack` of their size.

    Returns:
        The answers, and the blocks that they belong to.
    """
    which = np.flatnonzero(failed)
    if not len(which) or not form.p + form.m:
        return answer, blocks
    raw = lambda M: M.values if isinstance(M, Sparse) else M
    arrays = (raw(blocks.P), blocks.q, raw(blocks.A), blocks.b, raw(blocks.G), blocks.h, *bounds(form, blocks))
    point, (status, iterations) = list(map(np.array, answer[:3])), map(np.array, answer[3:5])
    right = joined(blocks.b, blocks.h, size=len(failed))

    def work(left: Iterator[int]) -> None:
        for i in map(which.__getitem__, left):
            instance = [a[i % len(a)] for a in arrays]
            A, b, G, h, lower, upper = instance[2:]
            found = nearest(matrix_of(form, A, G), b, h, lower, upper)
            status[i] = _status(int(status[i]), found)
            if found.distance > max(settings.slack, PROOF) or status[i] == Status.DUAL_INFEASIBLE:
                continue
            instance[3], instance[5] = found.right[: form.p], found.right[form.p :]
            solution = _solve(form, settings, instance)
            if solution is not None:
                *parts, status[i], iterations[i] = solution
                right[i] = found.right
                for values, part in zip(point, parts, strict=True):
                    values[i] = part

    run_simplex(work, len(which), cores())
    answer = Answer(point[0], point[1], point[2], status, iterations, answer.direct & ~failed)
    return answer, blocks._replace(b=right[:, : form.p], h=right[:, form.p :])


def _status(status: int, found: "Nearest") -> int:
    """What a solver said, held to what is known of feasible points."""
    if found.proved:
        return int(Status.PRIMAL_INFEASIBLE)
    claims = (Status.PRIMAL_INFEASIBLE,) if found.distance <= PROOF else CLAIMS
    return int(Status.NUMERICAL_ERROR) if status in claims else int(status)


def _solve(form: Form, settings: Any, instance: list) -> tuple | None:
    """Point, duals, status and iterations of one instance that has a feasible point; `None` where it is not solved."""
    _, q, A, b, G, h, lower, upper = instance
    if form.curvature == "none":
        simplex = Simplex(STEPS, form.n + form.p + form.m)
        simplex.take(matrix_of(form, A, G))
        lo, hi = np.concatenate([b, np.full(form.m, -np.inf)]), np.concatenate([b, h])
        status, iterations, parts = _alone(simplex.solve(*(a[None] for a in (q, lower, upper, lo, hi))))
    else:
        found = solve_sparse(form, settings, Blocks(*(a[None] for a in instance)), np.ones(1, bool))
        *parts, status, iterations = (a[0] for a in found[:5])
    return (*parts, status, iterations) if status == Status.SOLVED else None


def _alone(found: tuple) -> tuple[int, int, list]:
    """What `Simplex.solve` found of one program."""
    status, iterations, parts = found
    return int(status[0]), int(iterations[0]), [part[0] for part in parts]


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
    size = sizes_of(np.concatenate([low, lo])[None], np.concatenate([high, hi])[None])[0]
    program = Program(np.zeros(n), low / size, high / size, lo / size, hi / size)
    simplex, more = Simplex(STEPS, 0), np.full(k + p, np.inf)
    simplex.take(csr_array(hstack([matrix, diags_array(np.where(equal, 1.0, -1.0)), -eye_array(k, p)])))
    cost = np.concatenate([program.cost, np.ones(k + p)])
    limits = np.concatenate([program.lower, np.zeros(k + p)]), np.concatenate([program.upper, more])
    found = simplex.solve(*(a[None] for a in (cost, *limits, program.lo, program.hi)))
    status, _, (x, dual, _) = _alone(found)
    if status != Status.SOLVED:
        return Nearest(right, np.inf, False)
    reached = matrix @ x[:n]
    moved = np.where(equal, reached, np.maximum(program.hi, reached))
    distance = float(
        np.where(moved > program.hi, moved - program.hi, np.where(equal, program.hi - moved, 0.0)).max(initial=0.0)
    )
    return Nearest(moved * (size / across), distance, contradicts(matrix, program, dual))
