"""Rules of eigenvalues and singular values.

Where two of them are equal, their vectors are not determined, only the space that these span. What is made of the
vectors has a derivative there if it does not change as they turn within that space. It is given where the vectors are
used without the values, by what they do outside it, and NaN otherwise: the cotangents do not hold it. Of the values
alone it always exists for symmetric functions; any other is taken to treat equal values alike.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from argflux.autodiff.registry import RULES, runs
from argflux.autodiff.rules.matrices import (
    along_columns,
    along_rows,
    flip,
    is_symmetrised,
    matmul,
    on_diagonal,
    to_triangle,
)
from argflux.autodiff.tape import bind
from argflux.errors import RuleError

_ROUNDINGS = 8  # per row, what a decomposition and a product are trusted to err by


@runs("eigh", batched=True)
def eigh(tape, eqn, nodes):
    """Diagonalise `A = V diag(w) Vᵀ`; back `dA = V (diag(dw) + (Vᵀ dV)ᵢⱼ / (wⱼ - wᵢ)) Vᵀ`, made symmetric.

    The triangle that is read has the whole cotangent.
    """
    a, is_lower = nodes[0].value, eqn.params["lower"]
    _refuse_subset(eqn, jnp.shape(a)[-1:])
    v, w = ys = bind(eqn, [a])
    placed = (lambda da: da) if is_symmetrised(tape, nodes[0]) else (lambda da: to_triangle(da, is_lower))

    def eigh_back(dys):
        dv, dw = dys
        values = _Values(w, dw)
        if dv is None:
            return [placed(matmul(lax.mul(v, along_rows(values.shared(), v.shape)), flip(v)))]
        unread = tape.unread(outputs[0].slot, -1, w.shape[-1])
        half = lax.mul(_twist(v, dv), lax.full_like(v, 0.5))
        inner = values.with_diagonal(values.over_gaps(half, _lengths(dv), unread))
        return [placed(matmul(v, inner, flip(v)))]

    outputs = tape.record(eqn, RULES["eigh"], nodes, ys, eigh_back)
    return outputs


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
        unread = np.ones(s.shape[-1], bool)
        if du is not None:
            unread = unread & tape.unread(outputs[1].slot, -1, unread.size)
        if dvt is not None:
            unread = unread & tape.unread(outputs[2].slot, -2, unread.size)
        return [_pull_svd(u, s, vt, du, ds, None if dvt is None else flip(dvt), unread)]

    ys = [s, u, vt] if p["compute_uv"] else [s]
    outputs = tape.record(eqn, RULES["svd"], nodes, ys, svd_back)
    return outputs


def _pull_svd(u, s, vt, du, ds, dv, unread):
    """`dA = U inner Vᵀ` plus what `dU` and `dV` have outside the spaces that `U` and `V` span.

    Turning both vectors of a pair alike costs the difference of the two values, turning them apart their sum.
    """
    if ds is not None:  # as of `abs` at 0, the middle of the slopes
        ds = lax.select(lax.eq(s, lax.full_like(s, 0)), lax.full_like(s, 0), ds)
    values, v = _Values(s, ds), flip(vt)
    if du is None and dv is None:
        return matmul(lax.mul(u, along_rows(values.shared(), u.shape)), vt)
    lengths = _lengths(du, dv)
    of_u, of_v = (None if d is None else _twist(x, d) for x, d in ((u, du), (v, dv)))
    alike, apart = of_u, of_u
    if of_v is not None:
        alike, apart = (of_v, lax.neg(of_v)) if of_u is None else (lax.add(of_u, of_v), lax.sub(of_u, of_v))
    half = lambda x: lax.mul(x, lax.full_like(x, 0.5))
    inner = lax.add(values.over_gaps(half(alike), lengths, unread), values.over_sums(half(apart), lengths, unread))
    da = matmul(u, values.with_diagonal(inner), vt)
    if du is not None and u.shape[-2] > s.shape[-1]:
        da = lax.add(da, matmul(values.over_values(_outside(u, du), _lengths(du), unread), vt))
    if dv is not None and v.shape[-2] > s.shape[-1]:
        da = lax.add(da, matmul(u, flip(values.over_values(_outside(v, dv), _lengths(dv), unread))))
    return da


class _Values(NamedTuple):
    """Eigenvalues or singular values and their cotangents, `None` where they are not used."""

    w: Array
    dw: Array | None

    @property
    def square(self):
        return (*self.w.shape, self.w.shape[-1])

    def pairs(self, x):
        """Repeat a vector as the columns and as the rows of a square: `x[i]` and `x[j]` at `i, j`."""
        return along_columns(x, self.square), along_rows(x, self.square)

    def rounding(self):
        """Return what a relative error of the whole is."""
        return _ROUNDINGS * self.w.shape[-1] * float(jnp.finfo(self.w.dtype).eps)

    def equal(self):
        """Say which pairs of values cannot be told apart."""
        first, second = self.pairs(self.w)
        largest = lax.max(lax.abs(first), lax.abs(second))
        return lax.le(lax.abs(lax.sub(first, second)), lax.mul(largest, lax.full_like(largest, self.rounding())))

    def shared(self):
        """Return the mean of the cotangents over equal values."""
        weights = lax.convert_element_type(self.equal(), self.w.dtype)
        _, dw = self.pairs(self.dw)
        total = lax.reduce_sum(lax.mul(weights, dw), (dw.ndim - 1,))
        return lax.div(total, lax.reduce_sum(weights, (dw.ndim - 1,)))

    def with_diagonal(self, inner):
        """Put the cotangents of the values on the diagonal."""
        return inner if self.dw is None else lax.select(on_diagonal(inner), self.pairs(self.dw)[1], inner)

    def over_gaps(self, numerator, lengths, unread):
        """Divide by `w[j] - w[i]`; 0 on the diagonal."""
        first, second = self.pairs(self.w)
        return self._over_pairs(numerator, lax.sub(second, first), self.equal(), lengths, unread)

    def over_sums(self, numerator, lengths, unread):
        """Divide by `w[j] + w[i]`; 0 on the diagonal."""
        total = lax.add(*self.pairs(self.w))
        return self._over_pairs(numerator, total, lax.eq(total, lax.full_like(total, 0)), lengths, unread)

    def _over_pairs(self, numerator, divisor, equal, lengths, unread):
        largest = lambda x: lax.max(*self.pairs(x))
        known = lax.bitwise_or(
            on_diagonal(numerator), jnp.asarray(np.broadcast_to(np.logical_and.outer(unread, unread), self.square))
        )
        slope = None if self.dw is None else largest(lax.abs(self.dw))
        return self._quotient(numerator, divisor, equal, largest(lengths), slope, known)

    def over_values(self, numerator, lengths, unread):
        """Divide by `w[j]`."""
        spread = lambda x: along_rows(x, numerator.shape)
        slope = None if self.dw is None else spread(lax.abs(self.dw))
        known = jnp.asarray(np.broadcast_to(unread, numerator.shape))
        divisor = spread(self.w)
        return self._quotient(
            numerator, divisor, lax.eq(divisor, lax.full_like(divisor, 0)), spread(lengths), slope, known
        )

    def _quotient(self, numerator, divisor, equal, lengths, slope, known):
        """Divide; where nothing is left to divide by, 0 if nothing is divided and the values are not used, else NaN.

        `lengths` measures what the numerator is made of, and so its rounding; `slope` the cotangents of the values.
        """
        noise = lax.mul(lengths, lax.full_like(lengths, self.rounding()))
        scale = lax.mul(
            lax.reduce_max(lax.abs(self.w), (self.w.ndim - 1,)),
            lax.full(self.w.shape[:-1], self.rounding(), self.w.dtype),
        )
        small = lax.le(lax.abs(divisor), lax.broadcast_in_dim(scale, divisor.shape, range(scale.ndim)))
        if slope is None:
            known = lax.bitwise_or(known, lax.bitwise_and(small, lax.le(lax.abs(numerator), noise)))
            lost = equal
        else:
            lost = lax.bitwise_or(equal, lax.bitwise_and(small, lax.gt(noise, lax.mul(lax.abs(divisor), slope))))
        lost = lax.bitwise_and(lost, lax.bitwise_not(known))
        zero = lax.full_like(numerator, 0)
        numerator = lax.select(lax.bitwise_or(known, lost), zero, numerator)
        return lax.div(numerator, lax.select(known, lax.full_like(zero, 1), lax.select(lost, zero, divisor)))


def _lengths(*dvs):
    """Return the lengths of the columns, of all the matrices together."""
    squares = [lax.reduce_sum(lax.mul(dv, dv), (dv.ndim - 2,)) for dv in dvs if dv is not None]
    total = squares[0] if len(squares) == 1 else lax.add(*squares)
    return lax.sqrt(lax.stop_gradient(total))


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
