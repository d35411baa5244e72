"""Linear systems of the optimality conditions on an active set: the primitive `kkt_p`, linear and self-adjoint."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from argflux.autodiff.registry import pulls_back
from argflux.jaxpr import ad
from argflux.programs.derivatives.dense import optimality_matrix, positive_inverse, solve_active
from argflux.programs.derivatives.dependent import solve_dependent
from argflux.programs.derivatives.reduced import solve_reduced
from argflux.programs.derivatives.sparsekkt import solve_long, solve_sparse_system
from argflux.programs.forms.arrays import either, joined, namespace
from argflux.programs.forms.double import double_primitive, uncarry
from argflux.programs.forms.form import Curved, Form, curve, dense_curvature, times, transposed_times
from argflux.programs.forms.hostcall import host_call
from argflux.programs.forms.pattern import Sparse

SINGULAR = 1e-9
LARGE = 400
FEW = 64


class Step(NamedTuple):
    """A change of x, of the duals of the rows `[A; G]`, and of the signed duals of the bounds."""

    x: Any
    dual: Any
    bound: Any


def _run(P, A, G, active, fixed, mode, inverse, schur, r1, r2, r3, *, form: Form) -> list:
    """Solve `P dx + C' ddual + dbound = r1`, `C dx = r2` on active rows, `dx = r3` on fixed variables.

    `mode` is 0 where the answer is zero, 1 where the system is regular, 2 where the least-norm answer is wanted,
    3 where the answer is NaN. The inverses may be empty, or zero where the host has solved the program; it solves what
    they and the diagonal do not serve.
    """
    batch = max(operand.shape[0] for operand in (P, A, G, active, fixed, mode, r1, r2, r3))
    xp = namespace(r1)
    r1, r2, r3 = (xp.broadcast_to(r, (batch, r.shape[1])) for r in (r1, r2, r3))
    operands = (P, A, G, active, fixed, mode, r1, r2, r3)
    if form.patterns is not None or (form.curvature != "diagonal" and (not inverse.shape[1] or xp is np)):
        shapes = [(shape, "float64") for shape, _ in _outputs(batch, None, form=form)]
        return host_call(_solve_hosted, shapes, *operands, form=form)
    singular = mode == 2
    if form.curvature == "diagonal":
        parts, definite = _solve_diagonal(form, P, A, G, active, fixed, r1, r2, r3)
        step = xp.concatenate(parts, 1)
        left = _is_uncurved(form, P, mode, fixed) | (~definite & ((mode == 1) | singular))
        singular = left | singular if form.n <= LARGE else left
    else:
        inverse, schur = uncarry(inverse), uncarry(schur)
        step = _solve_inverse(form, P, A, G, inverse, schur, active, fixed, r1, r2, r3)
        singular = singular | ((mode == 1) & (inverse[:, 0, 0] == 0))
    step = _masked(mode, step)
    if (form.p + form.m or inverse.shape[1]) and (form.n <= LARGE or form.curvature == "diagonal"):
        step = _replace_singular(form, batch, operands, singular, step)
    return _parts(form, step)


def _masked(mode, step):
    """Zero or NaN in the places of answers that are not wanted."""
    xp, good = namespace(step), (mode == 1) | (mode == 2)
    return xp.where(good[:, None], step, xp.where(mode == 3, xp.nan, 0.0)[:, None])


def _parts(form: Form, step) -> list:
    """Changes of x, of the duals of the rows and, if there are any, of the bounds."""
    rows, xp = form.p + form.m, namespace(step)
    x, dual, bound = xp.split(step, [form.n, form.n + rows], 1)
    return [x, dual, bound if form.bounded else xp.zeros_like(x)]


def _is_uncurved(form: Form, P, mode, fixed):
    """Whether rows may couple a free variable without curvature."""
    wanted = (mode == 1) | (mode == 2)
    return wanted & namespace(P).any((fixed == 0) & (P <= 0), 1) & bool(form.p + form.m)


def _solve_inverse(form: Form, P, A, G, inverse, schur, active, fixed, r1, r2, r3):
    n = form.n
    C, kinds, right = joined(A, G), [active], [r1, r2]
    if form.bounded:
        eye = jnp.broadcast_to(jnp.eye(n), (C.shape[0], n, n))
        C, kinds, right = jnp.concatenate([C, eye], 1), [active, fixed], [r1, r2, r3]
    matrix, right = optimality_matrix(dense_curvature(form, P), C), jnp.concatenate(right, 1)
    on = jnp.pad(jnp.concatenate(kinds, 1) > 0, ((0, 0), (n, 0)), constant_values=True)
    step = solve_active(C, inverse, schur, jnp.where(on, right, 0.0))
    return step + solve_active(C, inverse, schur, jnp.where(on, right - times(matrix, step), 0.0))


def _solve_diagonal(form: Form, P, A, G, active, fixed, r1, r2, r3) -> tuple[list, Any]:
    """Eliminate x; what is left couples only the active rows.

    Variables without curvature are held; where one is free and rows couple it, or the rows depend on each other,
    another answer takes this one's place.
    """
    xp = namespace(r1)
    C = joined(A, G) * active[:, :, None]
    free = (fixed == 0) & (P > 0)
    weight = xp.where(free, 1.0 / xp.where(P > 0, P, 1.0), 0.0)
    pinned = xp.where(fixed > 0, r3, 0.0)
    schur = (C * weight[:, None, :]) @ xp.swapaxes(C, 1, 2)
    known = times(C, weight * r1 + pinned) - xp.where(active > 0, r2, 0.0)
    dual, definite = _solve_small(schur, active, known)
    x = weight * (r1 - transposed_times(C, dual)) + pinned
    bound = [xp.where(fixed > 0, r1 - P * x - transposed_times(C, dual), 0.0)] if form.bounded else []
    return [x, dual, *bound], definite


def _solve_small(schur, active, known):
    """Solve with small positive definite matrices, by elimination; and which of them are that, on the active rows."""
    xp = namespace(schur)
    if schur.shape[1] == 0:
        return known, xp.ones(known.shape[0], bool)
    eye = xp.eye(schur.shape[1])
    inverse, definite = positive_inverse(xp.where(active[:, :, None] * active[:, None] > 0, schur, eye), SINGULAR)
    inverse = xp.where(definite[:, None, None], inverse, 0.0)
    dual = times(inverse, known)
    return dual + times(inverse, known - times(schur, dual)), definite


def _solve_hosted(*operands, form: Form) -> list:
    """All on the host; for programs with a diagonal P what is singular, however long they are."""
    if form.patterns is not None:
        method = solve_sparse_system
    elif form.curvature == "diagonal":
        method = solve_long if form.n > LARGE else _solve_curved
    else:
        method = solve_reduced
    unsolved = (operands[5] == 3)[:, None]
    return [np.where(unsolved, np.nan, part) for part in method(*operands, form=form)]


def _solve_curved(P, A, G, active, fixed, mode, *right, form: Form) -> tuple:
    """Instances whose free variables all have a curvature at once, the others one by one."""
    many = np.isin(mode, (1, 2)) & ((P > 0) | (fixed != 0)).all(1)
    parts = solve_reduced(P, A, G, active, fixed, np.where(many, 0, mode), *right, form=form)
    which = np.flatnonzero(np.broadcast_to(many, len(parts[0])))
    if len(which):
        picked = [a[which] if len(a) > 1 else a for a in (P, A, G, active, fixed, *right)]
        for whole, part in zip(parts, solve_dependent(*picked), strict=True):
            whole[which] = part
    return parts


def _replace_singular(form: Form, batch: int, operands, singular, step):
    """Put least-norm answers in the places of those that want them, if there are any."""
    xp = namespace(step)
    modes = xp.where(singular, xp.int32(2), xp.int32(0))
    shapes = [((batch, step.shape[1]), "float64")]

    def replaced():
        masked = (*operands[:5], modes, *operands[6:])
        return xp.where(singular[:, None], host_call(_solve_packed, shapes, *masked, form=form)[0], step)

    return either(xp.any(singular), replaced, step)


def _solve_packed(*operands, form: Form) -> list:
    x, dual, bound = _solve_hosted(*operands, form=form)
    return [np.concatenate([x, dual, bound] if form.bounded else [x, dual], 1)]


def _outputs(batch, dtype, *, form: Form):
    return [((batch, form.n), dtype), ((batch, form.p + form.m), dtype), ((batch, form.n), dtype)]


def _known(P, A, G, active, fixed, mode, inverse, *right, form: Form) -> bool:
    return not inverse.shape[1] or len(inverse) <= FEW


kkt_p = double_primitive("argflux_kkt", _run, _outputs, _known)
"""Operands: P, A, G, active, fixed, mode, inverse, schur, r1, r2, r3; linear in the last three."""


def _products(form: Form, P, A, G, active, fixed, step: Step) -> Step:
    """The matrix of the system times a step; the inverse of what `kkt_p` does."""
    P, A, G = form.matrices(P, A, G)
    dual = step.dual * active
    r1 = curve(form, P, step.x) + transposed_times(A, dual[:, : form.p]) + transposed_times(G, dual[:, form.p :])
    r2 = jnp.concatenate([times(A, step.x), times(G, step.x)], 1) * active
    return Step(r1 + step.bound * fixed, r2, step.x * fixed)


def _jvp(primals, tangents, *, form: Form):
    active, fixed = primals[3:5]
    ys = Step(*kkt_p.bind(*primals, form=form))
    flags = active.astype(ys.x.dtype), fixed.astype(ys.x.dtype)
    right = [_instantiate(t, r) for t, r in zip(tangents[-3:], primals[-3:], strict=True)]
    if any(not isinstance(t, ad.Zero) for t in tangents[:3]):
        dP, dA, dG = (_instantiate(t, x) for t, x in zip(tangents[:3], primals[:3], strict=True))
        moved = _products(form, dP, dA, dG, *flags, ys._replace(bound=jnp.zeros_like(ys.bound)))
        right = [right[0] - moved.x, right[1] - moved.dual, right[2]]
    return list(ys), kkt_p.bind(*primals[:-3], *right, form=form)


def _instantiate(tangent, primal):
    return jnp.zeros_like(primal) if isinstance(tangent, ad.Zero) else tangent


def _transpose(cotangents, *operands, form: Form):
    seeds = [c.instantiate() if isinstance(c, ad.Zero) else c for c in cotangents]
    return [None] * (len(operands) - 3) + list(kkt_p.bind(*operands[:-3], *seeds, form=form))


ad.primitive_jvps[kkt_p] = _jvp
ad.primitive_transposes[kkt_p] = _transpose


@pulls_back("argflux_kkt")
def kkt_back(dys, ys, *operands, form: Form):
    """The system is its own adjoint; its matrices get minus the outer products of the two answers."""
    (P, A, G), (active, fixed) = form.matrices(*operands[:3]), operands[3:5]
    dr = Step(*kkt_p.bind(*operands[:-3], *dys, form=form))
    flags = active.astype(dr.x.dtype), fixed.astype(dr.x.dtype)
    y = Step(*ys)
    dP = -curvature_cotangent(form, P, dr.x, y.x)
    dual, ddual = y.dual * flags[0], dr.dual * flags[0]
    p = form.p
    dA = -row_cotangent(A, dr.x, dual[:, :p]) - row_cotangent(A, y.x, ddual[:, :p])
    dG = -row_cotangent(G, dr.x, dual[:, p:]) - row_cotangent(G, y.x, ddual[:, p:])
    return [dP, dA, dG, *[None] * (len(operands) - 6), *dr]


def curvature_cotangent(form: Curved, P, w, x):
    """Cotangent of P in `w' P x`, summed where the batch shares P."""
    xp = namespace(P, w, x)
    if form.curvature == "none":
        return xp.zeros_like(P)
    if form.curvature == "diagonal":
        return shared(P, w * x)
    if isinstance(P, Sparse):
        return (P.outer(w, x) + P.outer(x, w)) / 2
    if P.shape[0] == 1 and x.shape[0] > 1:
        outer = (w.T @ x)[None]
        return (outer + xp.swapaxes(outer, 1, 2)) / 2
    return (w[:, :, None] * x[:, None, :] + x[:, :, None] * w[:, None, :]) / 2


def row_cotangent(A, x, y):
    """Cotangent of A in `y' A x`, summed where the batch shares A."""
    if isinstance(A, Sparse):
        return A.outer(y, x)
    if A.shape[0] == 1 and x.shape[0] > 1:
        return (y.T @ x)[None]
    return y[:, :, None] * x[:, None, :]


def shared(like, value):
    """Sum over the batch where the operand is shared by it."""
    return namespace(value).sum(value, 0, keepdims=True) if like.shape[0] == 1 and value.shape[0] > 1 else value
