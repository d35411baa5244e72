"""The primitive `cone_p`: optimal points of a batch of programs over cones, and their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.answers.solution import spoiled
from argflux.programs.cones.form import ConeBlocks, ConeForm
from argflux.programs.derivatives.conic import ConeStep, cone_kkt_p
from argflux.programs.derivatives.kkt import curvature_cotangent, row_cotangent
from argflux.programs.forms.arrays import known, namespace, on_host, placed
from argflux.programs.forms.double import double_primitive
from argflux.programs.forms.form import curve, times, transposed_times
from argflux.programs.forms.hostcall import host_call
from argflux.programs.linearised import fold, linearised, zeros
from argflux.programs.solvers import Settings
from argflux.programs.solvers.conicbatch import interior_points, suits
from argflux.programs.solvers.conichosted import ConeJudged, solve_hosted_cones


def _run(*operands, form: ConeForm, settings: Settings) -> list:
    shapes = _outputs(max(map(len, operands)), "float64", form=form, settings=settings)
    kinds = [(shape, str(np.dtype(kind))) for shape, kind in shapes]
    hosted = lambda *given: host_call(solve_hosted_cones, kinds, *given, form=form, settings=settings)
    if on_host(*operands) or len(operands) > 4 or not (_is_accelerated() and suits(form)):
        return hosted(*operands)
    near, steps = interior_points(form, ConeBlocks(*operands), settings.max_iterations)
    found = ConeJudged(*hosted(*operands, near.x, near.z))
    return list(found._replace(iterations=found.iterations + steps))


def _is_accelerated() -> bool:
    return jax.default_backend() != "cpu"


def _outputs(batch, dtype, *, form: ConeForm, settings: Settings):
    n, m, count = (batch, form.n), (batch, form.m), jnp.int32
    floats = [(n, dtype), (m, dtype), (m, dtype), ((batch,), dtype)]
    told = [((batch,), count), ((batch,), count), ((batch, 3), dtype), ((batch,), count)]
    return [*floats, *told, (m, count), ((batch,), count)]


cone_p = double_primitive("argflux_cone", _run, _outputs, lambda *_, **__: True)
"""Operands: P, q, A, b, and maybe x and z to start from; outputs: the fields of `ConeJudged`, of which the first four
have derivatives."""


def _tangent(operands, outputs, directions, *, form: ConeForm, settings: Settings) -> tuple:
    """Derivative of x, s, z and the objective in the directions of the blocks."""
    blocks, best = ConeBlocks(*operands[:4]), ConeJudged(*outputs)
    moved = ConeBlocks(*_dressed(form, ConeBlocks(*directions[:4])))
    bent, row = curve(form, moved.P, best.x), times(moved.A, best.x) - moved.b
    r1 = -(bent + moved.q + transposed_times(moved.A, best.z))
    step = _solve(form, blocks, best, (r1, -row, jnp.zeros_like(best.s)), False)
    along = jnp.sum(best.x * (bent / 2 + moved.q), 1) + jnp.sum(best.z * row, 1)
    return *step, spoiled(along * (best.mode > 0).astype(along.dtype), best.mode == 3)


def _solve(form: ConeForm, blocks: ConeBlocks, best: ConeJudged, right: tuple, transposed: bool) -> ConeStep:
    made = form.product.complementarity(best.s, best.z, best.faces)
    broadcast_to = namespace(*right).broadcast_to
    right = tuple(broadcast_to(r, like.shape) for r, like in zip(right, (best.x, best.s, best.z), strict=True))
    given = blocks.P, blocks.A, made.by_s, made.by_z, best.mode, *right
    return ConeStep(*cone_kkt_p.bind(*given, form=form, transposed=transposed))


def _dressed(form: ConeForm, blocks: ConeBlocks) -> tuple:
    P, A = form.matrices(blocks.P, blocks.A)
    return P, blocks.q, A, blocks.b


def _pull(operands, outputs, seeds, wanted, *, form: ConeForm, settings: Settings) -> list:
    """One transposed solve, then the outer products of its answer with the solution."""
    seeds = [zeros(y) if dy is None else dy for dy, y in zip(seeds, outputs[:4], strict=True)]
    arrays = known([*operands[:4], *outputs, *seeds])
    with np.errstate(all="ignore"):
        pulled = _cotangents(form, wanted, ConeBlocks(*arrays[:4]), ConeJudged(*arrays[4:-4]), arrays[-4:])
    return [*(placed(pulled) if on_host(*arrays) else pulled), *[None] * (len(operands) - 4)]


def _cotangents(form: ConeForm, wanted: tuple[bool, ...], blocks: ConeBlocks, best: ConeJudged, seeds: list) -> list:
    w = _solve(form, blocks, best, tuple(seeds[:3]), True)
    solved = spoiled((best.mode > 0).astype(w.x.dtype), best.mode == 3)
    cost, x, z = (seeds[3] * solved)[:, None], best.x, best.z
    P, _, A, _ = _dressed(form, blocks)
    given = [
        lambda: curvature_cotangent(form, P, cost * x / 2 - w.x, x),
        lambda: cost * x - w.x,
        lambda: row_cotangent(A, cost * x - w.x, z) - row_cotangent(A, x, w.s),
        lambda: w.s - cost * z,
    ]
    return [fold(block, make()) if on else None for on, block, make in zip(wanted, blocks, given, strict=False)]


linearised(cone_p, 4, _tangent, _pull)
