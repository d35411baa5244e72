"""Linear systems of the optimality conditions over cones: the primitive `cone_kkt_p`, and its transpose."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from argflux.autodiff.registry import pulls_back
from argflux.jaxpr import ad
from argflux.programs.cones.form import ConeForm
from argflux.programs.derivatives.conesystem import solve_systems
from argflux.programs.derivatives.kkt import curvature_cotangent, row_cotangent
from argflux.programs.forms.double import double_primitive
from argflux.programs.forms.form import curve, times, transposed_times
from argflux.programs.forms.hostcall import host_call
from argflux.programs.forms.pattern import Sparse


class ConeStep(NamedTuple):
    """A change of x, of the slacks and of the duals; in the transposed system, of the three right-hand sides."""

    x: Any
    s: Any
    z: Any


class Matrices(NamedTuple):
    """What the system is made of: P and A, and the derivatives of complementarity."""

    P: Any
    A: Any
    by_s: Any
    by_z: Any

    @classmethod
    def of(cls, form: ConeForm, P: Any, A: Any, by_s: Any, by_z: Any) -> "Matrices":
        """Dress the values."""
        pattern = form.product.pattern
        return cls(*form.matrices(P, A), Sparse(by_s, pattern), Sparse(by_z, pattern))


def _run(P, A, by_s, by_z, mode, r1, r2, r3, *, form: ConeForm, transposed: bool) -> list:
    """Solve `P dx + A' dz = r1`, `A dx + ds = r2`, `by_s ds + by_z dz = r3`, or the transposed system.

    `mode` is 0 where the answer is zero, 1 where the system is regular, 2 where the least-norm answer is wanted,
    3 where the answer is NaN.
    """
    operands = P, A, by_s, by_z, mode, r1, r2, r3
    shapes = [(shape, "float64") for shape, _ in _outputs(max(map(len, operands)), None, form=form)]
    return host_call(solve_systems, shapes, *operands, form=form, transposed=transposed)


def _outputs(batch, dtype, *, form: ConeForm, transposed: bool = False):
    return [((batch, form.n), dtype), ((batch, form.m), dtype), ((batch, form.m), dtype)]


cone_kkt_p = double_primitive("argflux_cone_kkt", _run, _outputs, lambda *_, **__: True)
"""Operands: P, A, by_s, by_z, mode, r1, r2, r3; linear in the last three."""


def _products(form: ConeForm, M: Matrices, w: ConeStep, transposed: bool) -> ConeStep:
    """What directions of the matrices make of a step."""
    if transposed:
        first = curve(form, M.P, w.x) + transposed_times(M.A, w.s)
        return ConeStep(first, M.by_s.transposed_times(w.z), times(M.A, w.x) + M.by_z.transposed_times(w.z))
    first = curve(form, M.P, w.x) + transposed_times(M.A, w.z)
    return ConeStep(first, times(M.A, w.x), M.by_s.times(w.s) + M.by_z.times(w.z))


def _instantiate(tangent, primal):
    return jnp.zeros_like(primal) if isinstance(tangent, ad.Zero) else tangent


def _jvp(primals, tangents, *, form: ConeForm, transposed: bool):
    keywords = {"form": form, "transposed": transposed}
    ys = ConeStep(*cone_kkt_p.bind(*primals, **keywords))
    right = [_instantiate(t, r) for t, r in zip(tangents[-3:], primals[-3:], strict=True)]
    if any(not isinstance(t, ad.Zero) for t in tangents[:4]):
        moved = Matrices.of(form, *[_instantiate(t, x) for t, x in zip(tangents[:4], primals[:4], strict=True)])
        right = [r - part for r, part in zip(right, _products(form, moved, ys, transposed), strict=True)]
    return list(ys), cone_kkt_p.bind(*primals[:-3], *right, **keywords)


def _transpose(cotangents, *operands, form: ConeForm, transposed: bool):
    seeds = [c.instantiate() if isinstance(c, ad.Zero) else c for c in cotangents]
    pulled = cone_kkt_p.bind(*operands[:-3], *seeds, form=form, transposed=not transposed)
    return [None] * (len(operands) - 3) + list(pulled)


ad.primitive_jvps[cone_kkt_p] = _jvp
ad.primitive_transposes[cone_kkt_p] = _transpose


@pulls_back("argflux_cone_kkt")
def cone_kkt_back(dys, ys, *operands, form: ConeForm, transposed: bool):
    """Solve the transposed system; the matrices get minus the outer products of the two answers."""
    M, y = Matrices.of(form, *operands[:4]), ConeStep(*ys)
    dr = ConeStep(*cone_kkt_p.bind(*operands[:-3], *dys, form=form, transposed=not transposed))
    step, adjoint = (dr, y) if transposed else (y, dr)
    dP = -curvature_cotangent(form, M.P, adjoint.x, step.x)
    dA = -row_cotangent(M.A, adjoint.x, step.z) - row_cotangent(M.A, step.x, adjoint.s)
    by_s, by_z = -M.by_s.outer(adjoint.z, step.s), -M.by_z.outer(adjoint.z, step.z)
    return [dP, dA, by_s, by_z, *[None] * (len(operands) - 7), *dr]
