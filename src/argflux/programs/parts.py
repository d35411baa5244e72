"""Solutions of programs that fall apart: solved part by part, and put together again."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.jaxpr import Tracer
from argflux.programs.answers.solution import Residuals, Solution, spoiled
from argflux.programs.answers.status import WORSE
from argflux.programs.forms.form import Blocks, Form
from argflux.programs.forms.pattern import Pattern, Sparse
from argflux.programs.statements.sparsity import LARGEST, WORTHWHILE, Group, split

SMALL = 60
_ROWS = {"x": "unknowns", "z_lower": "unknowns", "z_upper": "unknowns", "y": "equalities", "z": "inequalities"}


def independent_parts(form: Form, blocks: Blocks) -> tuple[Group, ...]:
    """Groups of independent programs, from the patterns or from values that are known; empty if it is one.

    A sparse program is split into small parts only, as the factors of larger ones fall apart by themselves.
    """
    if form.patterns is not None:
        return _split(form)
    if any(isinstance(M, Tracer) for M in (blocks.P, blocks.A, blocks.G)):
        return ()
    matrices = [M for M in (blocks.P, blocks.A, blocks.G) if M.ndim == 2]
    if sum(M.size for M in matrices) <= WORTHWHILE or (form.p + form.m <= 1 and form.curvature != "dense"):
        return ()
    P, A, G = (_pattern(M) for M in (blocks.P, blocks.A, blocks.G))
    return _modest(split(form.n, P, A, G))


def _pattern(M: jax.Array) -> Pattern | None:
    if M.ndim != 2 or not M.shape[0]:
        return None
    rows, columns = np.nonzero(np.asarray(M))
    return Pattern.of(rows, columns, M.shape)


@functools.lru_cache(maxsize=64)
def _split(form: Form) -> tuple[Group, ...]:
    P, A, G = form.patterns or (None, None, None)
    A, G = (pattern if pattern and pattern.height else None for pattern in (A, G))
    return _modest(split(form.n, P, A, G), SMALL)


def _modest(groups: tuple[Group, ...], most: int = LARGEST) -> tuple[Group, ...]:
    """No parts at all where one of them is large, and so better left sparse."""
    return () if any(group.unknowns.shape[1] > most for group in groups) else groups


def solve_parts(
    form: Form, blocks: Blocks, groups: tuple, start: Solution | None, solve: Callable, on_failure: str
) -> Solution:
    """Solve every group as a batch by `solve(form, blocks, start)`."""
    found = []
    for group in groups:
        part, data = cut(form, blocks, group)
        begin = None if start is None else pick(start, group)
        found.append(jax.vmap(functools.partial(solve, part), (0, None if begin is None else 0))(data, begin))
    return join(groups, found, on_failure)


def cut(form: Form, blocks: Blocks, group: Group) -> tuple[Form, Blocks]:
    """The form and the blocks, with a leading axis, of the programs of a group."""
    curvature = "dense" if form.curvature == "sparse" else form.curvature
    sizes = group.unknowns.shape[1], group.equalities.shape[1], group.inequalities.shape[1]
    make = _cut if form.patterns else _compiled_cut
    blocks = make(form, blocks, group.unknowns, group.equalities, group.inequalities)
    return Form(*sizes, curvature, form.lower, form.upper), blocks


def _cut(form: Form, blocks: Blocks, unknowns: Any, equalities: Any, inequalities: Any) -> Blocks:
    count, (P, A, G) = len(unknowns), form.matrices(blocks.P, blocks.A, blocks.G)
    if form.curvature == "none":
        P = jnp.zeros((count, 0), blocks.q.dtype)
    else:
        P = blocks.P[unknowns] if form.curvature == "diagonal" else _submatrices(P, unknowns, unknowns)
    bound = lambda given, values: values[unknowns] if given else jnp.zeros((count, 0), blocks.q.dtype)
    return Blocks(
        P,
        blocks.q[unknowns],
        _submatrices(A, equalities, unknowns),
        blocks.b[equalities],
        _submatrices(G, inequalities, unknowns),
        blocks.h[inequalities],
        bound(form.lower, blocks.lower),
        bound(form.upper, blocks.upper),
    )


_compiled_cut = jax.jit(_cut, static_argnums=0, inline=True)


def _submatrices(M: Any, rows: Any, columns: Any) -> jax.Array:
    return M.parts(rows, columns) if isinstance(M, Sparse) else M[rows[:, :, None], columns[:, None, :]]


def join(groups: tuple[Group, ...], solutions: list[Solution], on_failure: str = "zero") -> Solution:
    """Put the solutions of all parts together; the worst status is that of the whole, and a part fails with it."""
    places = {kind: _places([getattr(group, kind) for group in groups]) for kind in _ROWS.values()}
    return _joined(solutions, places, on_failure)


@functools.partial(jax.jit, static_argnums=2, inline=True)
def _joined(solutions: list[Solution], places: dict[str, Any], on_failure: str) -> Solution:
    fields = {name: _scatter(solutions, name, places[kind]) for name, kind in _ROWS.items()}
    worst = lambda name: jnp.max(jnp.stack([jnp.max(_read(s, name)) for s in solutions]))
    fields["objective"] = jnp.sum(jnp.concatenate([s.objective for s in solutions]))
    status = _worst_status(jnp.concatenate([s.status for s in solutions]))
    fields = {name: _failing(field, status == 0, on_failure) for name, field in fields.items()}
    flags = [jax.lax.reduce(s.regularity, np.int32(0), jax.lax.bitwise_or, (0,)) for s in solutions]
    regularity = jax.lax.reduce(jnp.stack(flags), np.int32(0), jax.lax.bitwise_or, (0,))
    residuals = Residuals(*(worst(f"residuals.{name}") for name in ("primal", "dual", "gap")))
    return Solution(
        **fields,
        status=status,
        iterations=worst("iterations"),
        residuals=residuals,
        regularity=regularity,
    )


def _worst_status(codes: jax.Array) -> jax.Array:
    order = np.array(WORSE, np.int32)
    return jnp.asarray(order)[jnp.max(jnp.asarray(np.argsort(order).astype(np.int32))[codes])]


def _failing(field: jax.Array, solved: jax.Array, on_failure: str) -> jax.Array:
    """Give a field of a program that failed in some part the derivative, and the value, that failures have."""
    if on_failure == "nan":
        return field * spoiled(jnp.ones_like(field), ~solved)
    return jnp.where(solved, field, jax.lax.stop_gradient(field))


def _read(solution: Solution, path: str) -> Any:
    for name in path.split("."):
        solution = getattr(solution, name)
    return solution


def _places(rows: list[np.ndarray]) -> np.ndarray | None:
    """Where each element of the whole stands among the parts' elements in order; `None` if in the same order."""
    order = np.concatenate([part.ravel() for part in rows])
    return None if np.array_equal(order, np.arange(len(order))) else np.argsort(order)


def _scatter(solutions: list[Solution], name: str, places: Any) -> jax.Array:
    """Undo the grouping of one field: put every part's elements back in their places."""
    values = jnp.concatenate([getattr(s, name).ravel() for s in solutions])
    return values if places is None else values[places]


def pick(start: Solution, group: Group) -> Solution:
    """The part of a warm start that belongs to each program of a group."""
    count = len(group.unknowns)
    scalars = ("objective", "status", "iterations", "residuals", "regularity")
    whole = {name: getattr(start, name) for name in scalars}
    repeated = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count,)), whole)
    fields = {name: getattr(start, name)[getattr(group, kind)] for name, kind in _ROWS.items()}
    return Solution(**fields, **repeated)
