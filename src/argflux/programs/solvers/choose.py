"""The choice of a solver by structure, and what is made of its answer: polished, judged and classified."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from argflux.programs.double import carry
from argflux.programs.form import Blocks, Form, batch_size, bounds, dense_curvature, dense_rows
from argflux.programs.judge import Answer, judge, violations
from argflux.programs.pseudo import Active, chunks, null_spaces, solve_pseudo
from argflux.programs.solvers.interior import Standard, solve_interior
from argflux.programs.solvers.pivoting import solve_pivoting
from argflux.programs.solvers.separable import is_separable, solve_separable
from argflux.programs.status import Status

FALLBACK_LIMIT = 600
METHODS = ("auto", "pivoting", "interior", "separable")


@dataclass(frozen=True)
class Settings:
    """What is static about a solve: the method's name, tolerance, iteration limit, and how failures read."""

    solver: str = "auto"
    tolerance: float = 1e-8
    max_iterations: int = 1000
    on_failure: str = "zero"

    def method(self, form: Form) -> str:
        """Name of the solver to use for this form."""
        if self.solver != "auto":
            return self.solver
        if is_separable(form):
            return "separable"
        return "interior" if form.curvature == "none" else "pivoting"

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
    bad = jnp.broadcast_to(bad, (batch,))
    method = settings.method(form)
    inverse = schur = jnp.zeros((batch, 0, 0))
    if method == "separable":
        answer = _separable(form, blocks)
    elif method == "pivoting":
        answer, inverse, schur = _pivoting(form, settings, blocks, start)
    else:
        answer = _nothing(form, batch)
    if form.n + form.p + form.m <= FALLBACK_LIMIT or method == "interior":
        answer = _fall_back(form, settings, blocks, bad, answer)
    inverse = jnp.broadcast_to(inverse, (batch, *inverse.shape[1:]))
    return (*judge(form, settings, blocks, bad, answer), carry(inverse), carry(schur))


def is_bad(form: Form, blocks: Blocks) -> jax.Array:
    """Instances whose data are not numbers, or whose bounds contradict themselves."""
    lower, upper = bounds(form, blocks)
    bad = jnp.any(lower > upper, 1) | jnp.any(lower == jnp.inf, 1) | jnp.any(upper == -jnp.inf, 1)
    for block in (blocks.P, blocks.q, blocks.A, blocks.b, blocks.G):
        bad = bad | jnp.any(~jnp.isfinite(block), tuple(range(1, block.ndim)))
    nan = [jnp.any(jnp.isnan(block), 1) for block in (blocks.h, lower, upper)]
    return bad | nan[0] | nan[1] | nan[2] | jnp.any(blocks.h == -jnp.inf, 1)


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
    status = jnp.where(r.found, int(Status.SOLVED), int(Status.ITERATION_LIMIT)).astype(jnp.int32)
    size = batch_size(blocks)
    parts = (r.x, r.dual[:, :k], bound, status, r.iterations, r.found)
    answer = Answer(*[jnp.broadcast_to(a, (size, *a.shape[1:])) for a in parts])
    worst = violations(form, blocks, answer)
    exact = jnp.max(worst, 1) < settings.tolerance
    status = jnp.where(exact, answer.status, int(Status.ITERATION_LIMIT)).astype(jnp.int32)
    answer = answer._replace(direct=answer.direct & exact, status=status)
    return answer, r.inverse, jnp.broadcast_to(r.schur, (size, *r.schur.shape[1:]))


def _fall_back(form: Form, settings: Settings, blocks: Blocks, bad, answer: Answer) -> Answer:
    """Give the instances that are not solved yet to the interior-point method."""
    limit = min(settings.max_iterations, 100)

    def one(blocks: Blocks) -> tuple:
        return _interior(form, limit, settings.tolerance, blocks)

    dense = blocks._replace(P=dense_curvature(form, blocks.P))
    mask = (answer.status != int(Status.SOLVED)) & ~bad
    fresh = chunks(mask, one, dense, tuple(answer))
    return Answer(*fresh)


def _interior(form: Form, limit: int, tolerance: float, blocks: Blocks) -> tuple:
    """Solve one instance by the interior-point method and polish it on its active set."""
    lower, upper = blocks.lower, blocks.upper
    k, n = form.p + form.m, form.n
    standard = _standard(form, blocks)
    r = solve_interior(standard, form.p, limit, tolerance)
    z_upper = r.z[k : k + n] if form.upper else jnp.zeros(n)
    z_lower = r.z[-n:] if form.lower else jnp.zeros(n)
    dual, bound = r.z[:k], z_upper - z_lower
    C, right = jnp.concatenate([blocks.A, blocks.G]), jnp.concatenate([blocks.b, blocks.h])
    slack = jnp.where(jnp.isfinite(right), right - C @ r.x, jnp.inf)
    active = (jnp.arange(k) < form.p) | (dual > slack)
    at_upper = (z_upper > upper - r.x) if form.upper else jnp.zeros(n, bool)
    at_lower = (z_lower > r.x - lower) if form.lower else jnp.zeros(n, bool)
    goal = jnp.where(at_upper, upper if form.upper else 0.0, lower if form.lower else 0.0)
    fixed = at_upper | at_lower
    point = (r.x, jnp.where(active, dual, 0.0), jnp.where(fixed, bound, 0.0))
    zero = jnp.zeros(k)
    spectrum = null_spaces(Active(blocks.P, C, active, fixed, r.x, zero, r.x))
    for _ in range(2):
        x, y, mu = point
        r1 = -(blocks.P @ x + blocks.q + C.T @ y + mu)
        r2 = jnp.where(active, jnp.where(jnp.isfinite(right), right, 0.0) - C @ x, 0.0)
        step = solve_pseudo(Active(blocks.P, C, active, fixed, r1, r2, goal - x), spectrum)
        point = tuple(a + d for a, d in zip(point, step, strict=True))
    batched = jax.tree.map(lambda a: a[None], blocks)
    dense = Form(n, form.p, form.m, "dense", form.lower, form.upper)

    def wrong(x, y, mu):
        answer = Answer(x[None], y[None], mu[None], None, None, None)
        return jnp.nan_to_num(jnp.max(violations(dense, batched, answer)), nan=jnp.inf)

    raw = (r.x, dual, bound)
    better = wrong(*point) <= wrong(*raw)
    x, y, mu = (jnp.where(better, a, b) for a, b in zip(point, raw, strict=True))
    least, most = jnp.linalg.eigvalsh(blocks.P)[jnp.array([0, -1])]
    convex = least >= -1e-9 * jnp.maximum(most, -least)
    status = jnp.where(convex, r.status, int(Status.BAD_DATA)).astype(jnp.int32)
    return x, y, mu, status, r.iterations, jnp.zeros((), bool)


def _standard(form: Form, blocks: Blocks) -> Standard:
    eye = jnp.eye(form.n)
    A, b = [blocks.A, blocks.G], [blocks.b, blocks.h]
    if form.upper:
        A, b = [*A, eye], [*b, blocks.upper]
    if form.lower:
        A, b = [*A, -eye], [*b, -blocks.lower]
    A, b = jnp.concatenate(A), jnp.concatenate(b)
    given = jnp.isfinite(b)
    return Standard(blocks.P, blocks.q, jnp.where(given[:, None], A, 0.0), jnp.where(given, b, 1.0))
