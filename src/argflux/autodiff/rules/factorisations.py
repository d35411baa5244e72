"""Rules of factorisations into triangles: Cholesky, LU and QR."""

import jax.numpy as jnp
from jax import lax

from argflux.autodiff.registry import RULES, pulls_back, runs, zero_derivative
from argflux.autodiff.rules.matrices import flip, is_symmetrised, lower, matmul, on_diagonal, to_triangle, upper
from argflux.autodiff.tape import bind
from argflux.errors import RuleError

zero_derivative("lu_pivots_to_permutation")


@runs("cholesky", batched=True)
def cholesky(tape, eqn, nodes):
    """Factorise `A = L Lᵀ`; back `dA = L⁻ᵀ Φ(Lᵀ dL) L⁻¹`, Φ halving the diagonal of the lower triangle.

    The lower triangle of `A` is read, and has the whole cotangent.
    """
    (l,) = ys = bind(eqn, [nodes[0].value])
    symmetric = is_symmetrised(tape, nodes[0])

    def cholesky_back(dys):
        inner = lower(matmul(flip(lower(l)), dys[0]))
        inner = lax.select(on_diagonal(inner), lax.mul(inner, lax.full_like(inner, 0.5)), inner)
        da = _times_inverse(_inverse_times(l, inner, transpose_a=True, lower=True), l, lower=True)
        return [da if symmetric else to_triangle(da)]

    return tape.record(eqn, RULES["cholesky"], nodes, ys, cholesky_back)


def _inverse_times(a, b, **flags):
    return lax.linalg.triangular_solve(a, b, left_side=True, **flags)


def _times_inverse(b, a, **flags):
    return lax.linalg.triangular_solve(a, b, left_side=False, **flags)


@pulls_back("lu", batched=True)
def lu_back(dys, ys, a, **params):
    """Pull `A[p] = L U` back: `dA[p] = L⁻ᵀ (tril₋₁(Lᵀ dL) + triu(dU Uᵀ)) U⁻ᵀ` for square matrices.

    The rows below a tall matrix's square part are `A U⁻¹`, the columns right of a wide one's `L⁻¹ A`.
    """
    d, lu, order = dys[0], ys[0], ys[2]
    rows, columns = jnp.shape(a)[-2:]
    k = min(rows, columns)
    unit = {"lower": True, "unit_diagonal": True, "transpose_a": True}
    factors, inner = lu[..., :k, :k], d[..., :k, :k]
    if rows > k:
        dbelow = _times_inverse(d[..., k:, :], factors, transpose_a=True)
        inner = lax.sub(inner, upper(matmul(flip(lu[..., k:, :]), dbelow)))
    if columns > k:
        dright = _inverse_times(factors, d[..., :, k:], **unit)
        inner = lax.sub(inner, lower(matmul(dright, flip(lu[..., :, k:])), -1))
    l = lower(factors, -1)
    l = lax.select(on_diagonal(l), lax.full_like(l, 1), l)
    middle = lax.add(
        lower(matmul(flip(l), lower(inner, -1)), -1),
        upper(matmul(upper(inner), flip(upper(factors)))),
    )
    dpermuted = _times_inverse(_inverse_times(factors, middle, **unit), factors, transpose_a=True)
    if rows > k:
        dpermuted = lax.concatenate([dpermuted, dbelow], dpermuted.ndim - 2)
    if columns > k:
        dpermuted = lax.concatenate([dpermuted, dright], dpermuted.ndim - 1)
    return (_rows_back(dpermuted, order),)


def _rows_back(b, order):
    """Undo `b = a[order]`, row by row."""
    batch = tuple(range(b.ndim - 2))
    places = lax.ScatterDimensionNumbers(
        update_window_dims=(b.ndim - 1,),
        inserted_window_dims=(b.ndim - 2,),
        scatter_dims_to_operand_dims=(b.ndim - 2,),
        operand_batching_dims=batch,
        scatter_indices_batching_dims=batch,
    )
    indices = lax.expand_dims(order, (order.ndim,))
    return lax.scatter(lax.full_like(b, 0), indices, b, places, unique_indices=True, mode="promise_in_bounds")


@runs("qr", batched=True)
def qr(tape, eqn, nodes):
    """Factorise, and pull back what of `Q` and `R` is used."""
    a, full = nodes[0].value, eqn.params["full_matrices"]
    rows, columns = jnp.shape(a)[-2:]
    if full and rows > columns:
        raise RuleError(
            f"the full QR factorisation of matrices {rows}×{columns}",
            "columns of Q that the matrix determines",
            "use `mode='reduced'`",
            where="gradient through `qr`",
        )
    q, r, *order = ys = bind(eqn, [a])

    def qr_back(dys):
        da = _pull_qr(q, r, dys[0], dys[1])
        return [flip(_rows_back(flip(da), order[0])) if order else da]

    return tape.record(eqn, RULES["qr"], nodes, ys, qr_back)


def _pull_qr(q, r, dq, dr):
    """`dA = (dQ + Q sym(R dRᵀ - dQᵀ Q)) R⁻ᵀ`, sym mirroring the lower triangle; further columns are `Q R₂`."""
    k, columns = jnp.shape(r)[-2:]
    square, wide = r[..., :, :k], columns > k
    if wide and dr is not None:
        dright = matmul(q, dr[..., :, k:])
        through_q = matmul(q, matmul(r[..., :, k:], flip(dr[..., :, k:])))
        dq = through_q if dq is None else lax.add(dq, through_q)
    terms = []
    if dr is not None:
        terms.append(matmul(square, flip(upper(dr[..., :, :k]))))
    if dq is not None:
        terms.append(lax.neg(matmul(flip(dq), q)))
    inner = terms[0] if len(terms) == 1 else lax.add(*terms)
    inner = matmul(q, lax.add(lower(inner), flip(lower(inner, -1))))
    total = inner if dq is None else lax.add(dq, inner)
    dleft = _times_inverse(total, square, transpose_a=True)
    if not wide:
        return dleft
    dright = lax.full(_right_shape(q, columns - k), 0, q.dtype) if dr is None else dright
    return lax.concatenate([dleft, dright], dleft.ndim - 1)


def _right_shape(q, count):
    return (*q.shape[:-1], count)
