"""Rules of structured linear systems: triangular and tridiagonal."""

import jax.numpy as jnp
from jax import lax

from argflux.autodiff.registry import pulls_back
from argflux.autodiff.rules.matrices import flip, lower, matmul, upper


@pulls_back("triangular_solve", batched=True)
def triangular_solve_back(dx, x, a, b, *, left_side, transpose_a, unit_diagonal, **params):
    """Solve the transposed system: `db = A⁻ᵀ dx`, and `dA = -db xᵀ` within the triangle that was read."""
    db = lax.linalg.triangular_solve(
        a, dx, left_side=left_side, transpose_a=not transpose_a, unit_diagonal=unit_diagonal, **params
    )

    def da():
        first, second = (db, x) if left_side else (x, db)
        if transpose_a:
            first, second = second, first
        product = matmul(first, flip(second)) if left_side else matmul(flip(first), second)
        skip = 1 if unit_diagonal else 0
        return lax.neg(lower(product, -skip) if params["lower"] else upper(product, skip))

    return da, db


@pulls_back("tridiagonal_solve", batched=True)
def tridiagonal_solve_back(dx, x, below, diagonal, above, b, **params):
    """Solve the transposed system, whose diagonals are the other's shifted; the rest are inner products."""
    db = lax.linalg.tridiagonal_solve(_later(above, 1), diagonal, _later(below, -1), dx, **params)
    pull = lambda solution: lax.neg(lax.reduce_sum(lax.mul(db, solution), (jnp.ndim(b) - 1,)))
    axis = jnp.ndim(b) - 2
    return (
        lambda: pull(_later(x, 1, axis)),
        lambda: pull(x),
        lambda: pull(_later(x, -1, axis)),
        db,
    )


def _later(x, step, axis=-1):
    """Shift along an axis, zeros coming in."""
    axis = axis % x.ndim
    config = [(step, -step, 0) if i == axis else (0, 0, 0) for i in range(x.ndim)]
    return lax.pad(x, lax.full((), 0, x.dtype), config)
