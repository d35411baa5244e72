"""The choice of a solver by structure, and what is made of its answer: polished, judged and classified."""

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from argflux.programs.double import carry
from argflux.programs.form import Blocks, Form, batch_size, bounds, dense_curvature, dense_rows, dressed, times
from argflux.programs.judge import Answer, judge, multiply, violations
from argflux.programs.solvers.fallback import fall_back
from argflux.programs.solvers.highs import solve_highs
from argflux.programs.solvers.host import solve_daqp
from argflux.programs.solvers.pivoting import positive_inverse, solve_pivoting
from argflux.programs.solvers.rescue import rescue
from argflux.programs.solvers.separable import is_separable, solve_separable
from argflux.programs.solvers.sparse import solve_clarabel
from argflux.programs.status import Status
from argflux.programs.units import units

FALLBACK_LIMIT = 600
METHODS = ("auto", "pivoting", "daqp", "highs", "clarabel", "interior", "separable")
SMALL = 40
FAILED = int(Status.NUMERICAL_ERROR)
FLAGS = (
    (-1, Status.PRIMAL_INFEASIBLE),
    (-3, Status.DUAL_INFEASIBLE),
    (-4, Status.ITERATION_LIMIT),
    (-6, Status.PRIMAL_INFEASIBLE),
)


@dataclass(frozen=True)
class Settings:
    """What is static about a solve: the method's name, tolerance, iteration limit, and how failures read.

    `slack` is how far right sides that contradict each other may be moved, beside their size.
    """

    solver: str = "auto"
    tolerance: float = 1e-8
    max_iterations: int = 1000
    on_failure: str = "zero"
    slack: float = 1e-8

    def method(self, form: Form) -> str:
        """Name of the solver to use for this form."""
        if self.solver != "auto":
            return self.solver
        if form.patterns is not None:
            return "highs" if form.curvature == "none" else "clarabel"
        if is_separable(form):
            return "separable"
        if form.curvature == "none":
            return "highs"
        hosted = form.n + form.rows > SMALL and jax.default_backend() == "cpu"
        return "daqp" if hosted else "pivoting"

    def inverts(self, form: Form) -> bool:
        """Whether the solver hands on inverses that the derivative uses."""
        return self.method(form) == "pivoting"


def solve_blocks(form: Form, settings: Settings, blocks: Blocks, start: Any) -> tuple:
    """Solve a batch of programs given in float64.

    Args:
        form: static sizes and kinds.
        settings: method, tolerance, limits.
        blocks: arrays with leading axis 1 or batch.
        start: guessed sides of all rows (see `solve_pivoting`), int32 `(1 or batch, p + m + n)`.

    Returns:
        The fields of `Optimum`, in order.
    """
    bad = is_bad(form, blocks)
    batch = batch_size(blocks)
    method, blocks = settings.method(form), dressed(form, blocks)
    unit = units(form, blocks)
    inverse = schur = jnp.zeros((batch, 0, 0))
    if method == "separable":
        answer = _separable(form, blocks)
    elif form.patterns is None and form.rows == 0 and form.curvature != "none":
        answer, inverse = _unconstrained(form, blocks, unit)
        inverse = inverse if settings.inverts(form) else inverse[:, :0, :0]
    elif method == "pivoting":
        answer, inverse, schur = _pivoting(form, settings, blocks, start)
    elif method == "daqp":
        answer = _daqp(form, settings, blocks, ~bad, start, unit)
    elif method == "highs":
        answer = solve_highs(form, settings, blocks)
    elif method == "clarabel":
        answer = solve_clarabel(form, settings, blocks)
    else:
        answer = _nothing(form, batch)
    small = form.patterns is None and form.n + form.p + form.m <= FALLBACK_LIMIT
    if small or method == "interior":
        undecided = answer.status >= int(Status.ITERATION_LIMIT) if method == "highs" else answer.status != 0
        answer = fall_back(form, settings, blocks, undecided & ~bad, answer)
    inverse = jnp.broadcast_to(inverse, (batch, *inverse.shape[1:]))
    hopeless = (answer.status == Status.SOLVED) | (answer.status == Status.ITERATION_LIMIT) | bad
    answer, moved = rescue(form, settings, blocks, ~hopeless & (answer.status != Status.BAD_DATA), answer)
    return (*judge(form, settings, moved, blocks, bad, answer, unit), carry(inverse), carry(schur))


def is_bad(form: Form, blocks: Blocks) -> jax.Array:
    """Which instances of the batch have data that are not numbers, or bounds that contradict themselves."""
    size = batch_size(blocks)
    vectors = [jnp.isfinite(blocks.q), jnp.isfinite(blocks.b), blocks.h > -jnp.inf]
    if form.bounded:
        lower, upper = bounds(form, blocks)
        vectors.append((lower <= upper) & (lower < jnp.inf) & (upper > -jnp.inf))
    good = jnp.all(jnp.concatenate([jnp.broadcast_to(v, (size, v.shape[1])) for v in vectors], 1), 1)
    for block in (blocks.P, blocks.A, blocks.G):
        good = good & jnp.all(jnp.isfinite(block), tuple(range(1, block.ndim)))
    return ~good


def _nothing(form: Form, batch: int) -> Answer:
    def zeros(*shape):
        return jnp.zeros((batch, *shape))

    count = jnp.zeros((batch,), jnp.int32)
    status = count + int(Status.ITERATION_LIMIT)
    return Answer(zeros(form.n), zeros(form.p + form.m), zeros(form.n), status, count, count > 0)


def _separable(form: Form, blocks: Blocks) -> Answer:
    s = solve_separable(form, blocks)
    status = jnp.where(s.feasible, int(Status.SOLVED), int(Status.PRIMAL_INFEASIBLE))
    status = jnp.where(s.definite, status, int(Status.NUMERICAL_ERROR)).astype(jnp.int32)
    return Answer(s.x, s.dual, s.bound, status, s.iterations, s.definite)


def _pivoting(form: Form, settings: Settings, blocks: Blocks, start: Any) -> tuple[Answer, jax.Array, jax.Array]:
    rows = dense_rows(form, blocks)
    limit = min(settings.max_iterations, 4 * form.rows + 60)
    r = solve_pivoting(rows, start[:, : form.rows], limit, 1e-11)
    k = form.p + form.m
    batch = r.dual.shape[0]
    bound = r.dual[:, k:] if form.bounded else jnp.zeros((batch, form.n))
    found = r.found & (r.error < settings.tolerance)
    status = jnp.where(found, int(Status.SOLVED), int(Status.ITERATION_LIMIT)).astype(jnp.int32)
    size = batch_size(blocks)
    parts = (r.x, r.dual[:, :k], bound, status, r.iterations, found)
    answer = Answer(*[jnp.broadcast_to(a, (size, *a.shape[1:])) for a in parts])
    return answer, r.inverse, jnp.broadcast_to(r.schur, (size, *r.schur.shape[1:]))


def _unconstrained(form: Form, blocks: Blocks, unit: jax.Array) -> tuple[Answer, jax.Array]:
    """`x = -P⁻¹ q`, refined."""
    P, batch = dense_curvature(form, blocks.P), batch_size(blocks)
    inverse, definite = positive_inverse(P)
    x = -times(inverse, blocks.q)
    for _ in range(2):
        x = x - times(inverse, times(P, x) + blocks.q)
    answer = _nothing(form, batch)
    x, definite = jnp.broadcast_to(x, (batch, form.n)), jnp.broadcast_to(definite, (batch,))
    exact = definite & (_error(form, blocks, answer._replace(x=x), unit) < 1e-8)
    return answer._replace(x=x, status=jnp.where(exact, 0, answer.status), direct=exact), inverse


def _daqp(form: Form, settings: Settings, blocks: Blocks, usable: jax.Array, start: Any, unit: jax.Array) -> Answer:
    r = solve_daqp(form, blocks, usable, start, settings.max_iterations)
    status = functools.reduce(lambda s, kind: jnp.where(r.flag == kind[0], int(kind[1]), s), FLAGS, 0 * r.flag + FAILED)
    answer = Answer(r.x, r.dual, r.bound, status.astype(jnp.int32), r.iterations, r.found)
    found = r.found & (_error(form, blocks, answer, unit) < settings.tolerance)
    status = jnp.where(found, int(Status.SOLVED), jnp.where(r.found, FAILED, answer.status)).astype(jnp.int32)
    return answer._replace(status=status, direct=found)


def _error(form: Form, blocks: Blocks, answer: Answer, unit: jax.Array) -> jax.Array:
    return functools.reduce(jnp.maximum, violations(form, blocks, answer, multiply(form, blocks, answer.x), unit))
