"""The primitive `solve_p`: optimal points of a batch of programs, and their derivatives by optimality conditions."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from argflux.autodiff.registry import runs
from argflux.jaxpr import Tracer, ad
from argflux.programs.answers.solution import spoiled
from argflux.programs.derivatives.kkt import Step, curvature_cotangent, curve, kkt_p, row_cotangent
from argflux.programs.forms.arrays import known, namespace, on_host, placed
from argflux.programs.forms.double import double_primitive
from argflux.programs.forms.form import Blocks, Form, dressed, times, transposed_times
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


def optimum_tangent(form: Form, blocks: Blocks, tangents: Blocks, best: Optimum) -> tuple[Any, Any, Any, Any]:
    """Derivative of x, the duals and the objective in the direction `tangents` of the blocks."""
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


def _jvp(primals, tangents, *, form: Form, settings: Settings):
    best = Optimum(*solve_p.bind(*primals, form=form, settings=settings))
    blocks = Blocks(*primals[:8])
    directions = Blocks(*[_instantiate(t, b) for t, b in zip(tangents[:8], blocks, strict=True)])
    dots = optimum_tangent(form, blocks, directions, best)
    return list(best), [*dots, *[ad.Zero(jax.typeof(y).to_tangent_aval()) for y in best[4:]]]


def _instantiate(tangent, primal):
    if not isinstance(tangent, ad.Zero):
        return tangent
    return jnp.zeros_like(primal) if isinstance(primal, Tracer) else np.zeros(primal.shape, primal.dtype)


ad.primitive_jvps[solve_p] = _jvp


@runs("argflux_solve")
def solve(tape, eqn, nodes):
    """Pull back the tangent map, which is linear in the tangents of the blocks."""
    form, settings = eqn.params["form"], eqn.params["settings"]
    values = [node.value for node in nodes]
    ys = solve_p.bind(*values, form=form, settings=settings)
    return tape.record(eqn, None, nodes, ys, lambda dys: _pull(form, values, ys, dys, nodes))


def _pull(form: Form, values, ys, dys, nodes):
    """One self-adjoint solve, then the outer products of its answer with the solution."""
    seeds = [jnp.zeros_like(y) if dy is None else dy for dy, y in zip(dys[:4], ys[:4], strict=True)]
    arrays = known([*values[:8], *ys, *seeds])
    blocks, best, seeds = Blocks(*arrays[:8]), Optimum(*arrays[8:-4]), arrays[-4:]
    matrices = (blocks.P, blocks.A, blocks.G, best.active, abs(best.fixed), best.mode, best.inverse, best.schur)
    w = Step(*kkt_p.bind(*matrices, *seeds[:3], form=form))
    wanted = tuple(node.slot is not None for node in nodes[:8])
    if on_host(*arrays):
        pulled = placed(_cotangents(form, wanted, blocks, best, w, seeds[3]))
    else:
        pulled = _compiled_cotangents(form, wanted, blocks, best, w, seeds[3])
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
    return [_fold(v, make()) if on else None for on, v, make in zip(wanted, blocks, given, strict=True)]


_compiled_cotangents = jax.jit(_cotangents, static_argnums=(0, 1), inline=True)


def _fold(block, cotangent):
    xp = namespace(block, cotangent)
    if cotangent.shape[0] > 1 and block.shape[0] == 1:
        cotangent = xp.sum(cotangent, 0, keepdims=True)
    return xp.broadcast_to(cotangent, block.shape).astype(block.dtype)
