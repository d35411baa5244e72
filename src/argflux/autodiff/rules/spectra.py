"""Rules of eigenvalues and singular values.

Differences of equal eigenvalues divide nothing: where two are equal the coupling of their vectors is taken as
zero. So first derivatives of eigenvalues are finite and, for symmetric functions of them, exact.
"""

import jax.numpy as jnp
from jax import lax

from argflux.autodiff.registry import RULES, runs
from argflux.autodiff.rules.matrices import along_columns, along_rows, flip, matmul, on_diagonal, safe_quotient
from argflux.autodiff.tape import bind
from argflux.errors import RuleError


@runs("eigh", batched=True)
def eigh(tape, eqn, nodes):
    """Diagonalise `A = V diag(w) Vᵀ`; back `dA = V (diag(dw) + (Vᵀ dV)ᵢⱼ / (wⱼ - wᵢ)) Vᵀ`."""
    a = nodes[0].value
    _refuse_subset(eqn, jnp.shape(a)[-1:])
    v, w = ys = bind(eqn, [a])

    def eigh_back(dys):
        dv, dw = dys
        if dv is None:
            return [matmul(lax.mul(v, along_rows(dw, v.shape)), flip(v))]
        gaps = lax.sub(along_rows(w, v.shape), along_columns(w, v.shape))
        inner = safe_quotient(matmul(flip(v), dv), gaps)
        if dw is not None:
            inner = lax.select(on_diagonal(inner), along_rows(dw, v.shape), inner)
        return [matmul(v, inner, flip(v))]

    return tape.record(eqn, RULES["eigh"], nodes, ys, eigh_back)


@runs("svd", batched=True)
def svd(tape, eqn, nodes):
    """Factorise `A = U diag(s) Vᵀ` with its vectors, which the derivative of the values alone needs too."""
    a, p = nodes[0].value, eqn.params
    rows, columns = jnp.shape(a)[-2:]
    _refuse_subset(eqn, (min(rows, columns),))
    if p["compute_uv"] and p["full_matrices"] and rows != columns:
        raise RuleError(
            f"the full singular vectors of matrices {rows}×{columns}",
            "vectors that the matrix determines",
            "pass `full_matrices=False`",
            where="gradient through `svd`",
        )
    u, s, vt = lax.linalg.svd(a, full_matrices=False, compute_uv=True, algorithm=p["algorithm"])

    def svd_back(dys):
        ds, du, dvt = (*dys, None, None)[:3]
        return [_pull_svd(u, s, vt, du, ds, None if dvt is None else flip(dvt))]

    ys = [s, u, vt] if p["compute_uv"] else [s]
    return tape.record(eqn, RULES["svd"], nodes, ys, svd_back)


def _pull_svd(u, s, vt, du, ds, dv):
    """`dA = U inner Vᵀ` plus what `dU` and `dV` have outside the spaces that `U` and `V` span."""
    k = s.shape[-1]
    square = (*s.shape, k)
    if du is None and dv is None:
        return matmul(lax.mul(u, along_rows(ds, u.shape)), vt)
    columns, rows = along_rows(s, square), along_columns(s, square)
    gaps = lax.mul(lax.sub(columns, rows), lax.add(columns, rows))
    inner = lax.full(square, 0, s.dtype)
    if ds is not None:
        inner = lax.select(on_diagonal(inner), along_rows(ds, square), inner)
    if du is not None:
        inner = lax.add(inner, lax.mul(safe_quotient(_twist(u, du), gaps), columns))
    if dv is not None:
        inner = lax.add(inner, lax.mul(safe_quotient(_twist(flip(vt), dv), gaps), rows))
    da = matmul(u, inner, vt)
    if du is not None and u.shape[-2] > k:
        da = lax.add(da, matmul(safe_quotient(_outside(u, du), along_rows(s, u.shape)), vt))
    if dv is not None and vt.shape[-1] > k:
        v = flip(vt)
        da = lax.add(da, matmul(u, flip(safe_quotient(_outside(v, dv), along_rows(s, v.shape)))))
    return da


def _twist(u, du):
    """Return the antisymmetric `Uᵀ dU - dUᵀ U`."""
    product = matmul(flip(u), du)
    return lax.sub(product, flip(product))


def _outside(u, du):
    """Return `(I - U Uᵀ) dU`."""
    return lax.sub(du, matmul(u, matmul(flip(u), du)))


def _refuse_subset(eqn, size):
    subset = eqn.params.get("subset_by_index")
    if subset is not None and tuple(subset) != (0, *size):
        raise RuleError(
            f"the part {tuple(subset)} of a decomposition",
            "the whole decomposition",
            "take the part after computing all of it",
            where=f"gradient through `{eqn.primitive.name}`",
        )
