"""The primitive `solve_p`: optimal points of a batch of programs, and their derivatives by optimality conditions."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.programs.answers.solution import spoiled
from argflux.programs.derivatives.kkt import Step, curvature_cotangent, kkt_p, row_cotangent
from argflux.programs.forms.arrays import known, namespace, on_host, placed
from argflux.programs.forms.double import double_primitive
from argflux.programs.forms.form import Blocks, Form, curve, dressed, times, transposed_times
from argflux.programs.linearised import fold, linearised, zeros
from argflux.programs.solvers import Settings, solve_blocks


class Optimum(NamedTuple):
    """Outputs of `solve_p`; the first four have derivatives."""

    x: Any
    dual: Any
    bound: Any
    objective: Any
    status: Any
    iterations: Any
    residuals: Any
    regularity: Any
    active: Any
    fixed: Any
    mode: Any
    inverse: Any
    schur: Any


def _run(*operands, form: Form, settings: Settings) -> list:
    return list(solve_blocks(form, settings, Blocks(*operands[:8]), operands[8]))


def _outputs(batch, dtype, *, form: Form, settings: Settings):
    rows, count = form.p + form.m, jnp.int32
    n, r = (form.n, form.rows) if settings.inverts(form) else (0, 0)
    return [
        ((batch, form.n), dtype),
        ((batch, rows), dtype),
        ((batch, form.n), dtype),
        ((batch,), dtype),
        ((batch,), count),
        ((batch,), count),
        ((batch, 3), dtype),
        ((batch,), count),
        ((batch, rows), count),
        ((batch, form.n), count),
        ((batch,), count),
        ((batch, n, n, 2), jnp.uint32),
        ((batch, r, r, 2), jnp.uint32),
    ]


def _known(*operands, form: Form, settings: Settings) -> bool:
    return settings.takes_known(form, max(len(operand) for operand in operands))


solve_p = double_primitive("argflux_solve", _run, _outputs, _known)


def _tangent(operands, outputs, directions, *, form: Form, settings: Settings) -> tuple[Any, Any, Any, Any]:
    """Derivative of x, the duals and the objective in the directions of the blocks."""
    blocks, best, tangents = Blocks(*operands[:8]), Optimum(*outputs), Blocks(*directions[:8])
    right = _right_sides(form, tangents, best)
    matrices = (blocks.P, blocks.A, blocks.G, best.active, abs(best.fixed), best.mode, best.inverse, best.schur)
    step = Step(*kkt_p.bind(*matrices, *right, form=form))
    return step.x, step.dual, step.bound, _objective_tangent(form, tangents, best, right)


@functools.partial(jax.jit, static_argnums=0, inline=True)
def _right_sides(form: Form, tangents: Blocks, best: Optimum) -> tuple[Any, Any, Any]:
    """What the optimality conditions lose in that direction, and a solution has to make good."""
    x, p, moved = best.x, form.p, dressed(form, tangents)
    active, fixed = best.active.astype(x.dtype), jnp.abs(best.fixed).astype(x.dtype)
    y, z = best.dual[:, :p], best.dual[:, p:]
    dAx, dGx = times(moved.A, x), times(moved.G, x)
    r1 = -(curve(form, moved.P, x) + tangents.q + transposed_times(moved.A, y) + transposed_times(moved.G, z))
    r2 = jnp.concatenate([tangents.b - dAx, tangents.h - dGx], 1) * active
    dlower = tangents.lower if form.lower else jnp.zeros_like(x)
    dupper = tangents.upper if form.upper else jnp.zeros_like(x)
    r3 = jnp.where(best.fixed < 0, dlower, jnp.where(best.fixed > 0, dupper, 0.0)) * fixed
    r1, r2, r3 = (jnp.broadcast_to(r, (x.shape[0], r.shape[1])).astype(x.dtype) for r in (r1, r2, r3))
    return r1, r2, r3


@functools.partial(jax.jit, static_argnums=0, inline=True)
def _objective_tangent(form: Form, tangents: Blocks, best: Optimum, right: tuple) -> Any:
    x, (_, r2, r3) = best.x, right
    bent = curve(form, dressed(form, tangents).P, x) / 2 + tangents.q
    along = jnp.sum(x * bent, 1) - jnp.sum(best.dual * r2, 1) - jnp.sum(best.bound * r3, 1)
    return spoiled(along * (best.mode > 0).astype(x.dtype), best.mode == 3)


def _pull(operands, outputs, seeds, wanted, *, form: Form, settings: Settings) -> list:
    """One self-adjoint solve, then the outer products of its answer with the solution."""
    seeds = [zeros(y) if dy is None else dy for dy, y in zip(seeds, outputs[:4], strict=True)]
    arrays = known([*operands[:8], *outputs, *seeds])
    blocks, best, seeds = Blocks(*arrays[:8]), Optimum(*arrays[8:-4]), arrays[-4:]
    matrices = (blocks.P, blocks.A, blocks.G, best.active, abs(best.fixed), best.mode, best.inverse, best.schur)
    w = Step(*kkt_p.bind(*matrices, *seeds[:3], form=form))
    if on_host(*arrays):
        pulled = placed(_cotangents(form, wanted[:8], blocks, best, w, seeds[3]))
    else:
        pulled = _compiled_cotangents(form, wanted[:8], blocks, best, w, seeds[3])
    return [*pulled, None]


def _cotangents(form: Form, wanted: tuple[bool, ...], blocks: Blocks, best: Optimum, w: Step, cost) -> list:
    """Cotangents of the wanted blocks, from the answer `w` and the cotangent of the objective."""
    xp, p = namespace(best.x), form.p
    solved = spoiled((best.mode > 0).astype(w.x.dtype), best.mode == 3)[:, None]
    cost = cost[:, None] * solved
    x, dual, active = best.x, best.dual, best.active.astype(w.x.dtype)
    P, A, G = form.matrices(blocks.P, blocks.A, blocks.G)
    to_q = cost * x - w.x
    to_right = (w.dual - cost * dual) * active
    to_rows = [(y, -w.x) for y in (dual[:, :p], dual[:, p:])]
    to_bound = w.bound - cost * best.bound

    def rows(block, part, i):
        y, wx = to_rows[i]
        return row_cotangent(block, wx, y) - row_cotangent(block, x, part)

    given = [
        lambda: curvature_cotangent(form, P, cost * x / 2 - w.x, x),
        lambda: to_q,
        lambda: rows(A, to_right[:, :p], 0),
        lambda: to_right[:, :p],
        lambda: rows(G, to_right[:, p:], 1),
        lambda: to_right[:, p:],
        lambda: xp.where(best.fixed < 0, to_bound, 0.0) if form.lower else xp.zeros_like(blocks.lower),
        lambda: xp.where(best.fixed > 0, to_bound, 0.0) if form.upper else xp.zeros_like(blocks.upper),
    ]
    return [fold(v, make()) if on else None for on, v, make in zip(wanted, blocks, given, strict=True)]


_compiled_cotangents = jax.jit(_cotangents, static_argnums=(0, 1), inline=True)


linearised(solve_p, 8, _tangent, _pull)
