"""Programs over cones with their right sides moved as little as possible, for those that nothing satisfies."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.answers.solution import ConeSolution
from argflux.programs.answers.status import Status
from argflux.programs.cones.form import ConeBlocks, ConeForm
from argflux.programs.forms.form import curve
from argflux.programs.forms.pattern import Pattern

SHARES = 1e-6, 1e-8
UNMET = (Status.PRIMAL_INFEASIBLE, Status.NUMERICAL_ERROR)


def is_unmet(status: jax.Array) -> jax.Array:
    """Whether moved right sides may help."""
    return jnp.any(jnp.stack([status == int(one) for one in UNMET]))


def _moved_form(form: ConeForm, movable: np.ndarray) -> ConeForm:
    """The form of the program whose further unknowns are moves of the movable rows."""
    n, k, own = form.n, len(movable), np.arange(len(movable))
    beside = lambda pattern, rows, shape: (
        pattern and Pattern.of(np.concatenate([pattern.rows, rows]), np.concatenate([pattern.columns, n + own]), shape)
    )
    P_pattern = beside(form.P_pattern, n + own, (n + k, n + k))
    curvature = "diagonal" if form.curvature == "none" else form.curvature
    return ConeForm(n + k, form.product, curvature, P_pattern, beside(form.A_pattern, movable, (form.m, n + k)))


def solve_closest(form: ConeForm, blocks: ConeBlocks, movable: np.ndarray, solve: Callable) -> ConeSolution:
    """The solution of the program with `b - r` in the place of b, r the least that leaves a point.

    It is that of `min share * objective + |r|²/2` with `A x + s + r = b`, for a share that a solver can see, and from
    there for one that moves the point by next to nothing. `solve` takes a form, blocks, and x and z to start from.
    """
    wide, start, answers = _moved_form(form, movable), (), []
    for share in SHARES:
        given, scale = _moved_blocks(form, blocks, movable, share)
        found = solve(wide, given, start)
        start = found.x, found.z
        answers.append(_read(form, blocks, found, scale))
    first, last = answers
    kept = jax.tree.map(lambda a, b: jnp.where(last.status == int(Status.SOLVED), b, a), first, last)
    told = first.regularity, first.iterations + last.iterations
    return eqx.tree_at(lambda answer: (answer.regularity, answer.iterations), kept, told)


def _moved_blocks(
    form: ConeForm, blocks: ConeBlocks, movable: np.ndarray, share: float
) -> tuple[ConeBlocks, jax.Array]:
    """The blocks of the program whose further unknowns are moves, and what its objective is multiplied by.

    The terms of the objective are that share of those of the constraints.
    """
    P, q, A, b = (jnp.asarray(block) for block in blocks)
    n, k, dtype = form.n, len(movable), q.dtype
    largest = lambda block: jax.lax.stop_gradient(jnp.max(jnp.abs(block), initial=0.0))
    positive = lambda size: jnp.where(size > 0, size, jnp.ones_like(size))
    size, reach = positive(largest(A)), positive(largest(b))
    scale = share * size * reach / positive(largest(q) + largest(P) * reach / size)
    ones = jnp.ones(k, dtype)
    if form.A_pattern is None:
        A = jnp.concatenate([A, jnp.asarray(np.eye(form.m)[:, movable]).astype(dtype)], 1)
    else:
        A = jnp.concatenate([A, ones])
    if form.curvature == "dense":
        P = jnp.zeros((n + k, n + k), dtype).at[:n, :n].set(scale * P).at[n:, n:].set(jnp.eye(k, dtype=dtype))
    else:
        P = jnp.concatenate([scale * P if form.curvature != "none" else jnp.zeros(n, dtype), ones])
    return ConeBlocks(P, jnp.concatenate([scale * q, jnp.zeros(k, dtype)]), A, b), scale


def _read(form: ConeForm, blocks: ConeBlocks, found: ConeSolution, scale: jax.Array) -> ConeSolution:
    x = found.x[: form.n]
    P = form.matrices(jnp.asarray(blocks.P)[None], jnp.asarray(blocks.A)[None])[0]
    objective = jnp.sum(x * (curve(form, P, x[None])[0] / 2 + blocks.q))
    told = found.status, found.iterations, found.residuals, found.regularity
    return ConeSolution(x, found.s, found.z / scale, objective, *told)
