"""LDL' of quasidefinite matrices, a batch at a time: by columns along the batch where small, by LAPACK where large."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

SMALL = 8
SINGULAR = 1e-14


class Factor(NamedTuple):
    """`L` has ones on the diagonal; `d` are the pivots, the first n positive and the others negative."""

    L: Any
    d: Any


def factorise(K: Any, n: int) -> tuple[Factor, Any, Any]:
    """Factorise `K (N, N, B)`; also whether its first n pivots are positive, and whether the others are negative."""
    return _by_columns(K, n) if len(K) <= SMALL else _by_blocks(K, n)


def solve(factor: Factor, right: Any) -> Any:
    """Solve for `right (N, B)`."""
    return _solve_by_columns(factor, right) if len(right) <= SMALL else _solve_by_blocks(factor, right)


def _by_columns(K: Any, n: int) -> tuple[Factor, Any, Any]:
    size, diagonal = len(K), jnp.abs(jnp.stack([K[j, j] for j in range(len(K))]))
    columns, pivots, A = [], [], K
    for j in range(size):
        d = A[0, 0]
        safe = jnp.where(jnp.abs(d) > 0, d, 1.0)
        below = A[1:, 0] / safe
        A = A[1:, 1:] - below[:, None] * A[0, 1:]
        columns.append(jnp.concatenate([jnp.zeros((j + 1, *d.shape)), below]) if j + 1 < size else jnp.zeros_like(K[0]))
        pivots.append(d)
    d = jnp.stack(pivots)
    up = jnp.all(d[:n] > SINGULAR * diagonal[:n], 0)
    down = jnp.all(d[n:] < 0, 0)
    return Factor(jnp.stack(columns, 1), jnp.where(d == 0, 1.0, d)), up, down


def _solve_by_columns(factor: Factor, right: Any) -> Any:
    L, d = factor
    size = len(d)
    rows = list(right)
    for j in range(size):
        for i in range(j + 1, size):
            rows[i] = rows[i] - L[i, j] * rows[j]
    rows = [rows[j] / d[j] for j in range(size)]
    for j in reversed(range(size)):
        for i in range(j + 1, size):
            rows[j] = rows[j] - L[i, j] * rows[i]
    return jnp.stack(rows)


def _by_blocks(K: Any, n: int) -> tuple[Factor, Any, Any]:
    """Cholesky of the leading block and of its complement; `L` holds both, with the block between them."""
    A = jnp.moveaxis(K, -1, 0)
    H, J, D = A[:, :n, :n], A[:, n:, :n], A[:, n:, n:]
    cholesky = functools.partial(jax.lax.linalg.cholesky, symmetrize_input=False)
    C = cholesky(H)
    up = jnp.isfinite(C).all((1, 2))
    C = jnp.where(up[:, None, None], C, jnp.eye(n))
    V = jax.lax.linalg.triangular_solve(C, J, left_side=False, lower=True, transpose_a=True)
    S = cholesky(jnp.einsum("bki,bkj->bij", V.mT, V.mT) - D)
    down = jnp.isfinite(S).all((1, 2))
    S = jnp.where(down[:, None, None], S, jnp.eye(len(K) - n))
    top = jnp.concatenate([C, jnp.zeros((len(A), n, len(K) - n))], 2)
    d = jnp.concatenate([jnp.ones((n, len(A))), -jnp.ones((len(K) - n, len(A)))])
    L = jnp.concatenate([top, jnp.concatenate([V, S], 2)], 1)
    return Factor(jnp.moveaxis(L, 0, -1), d), up, down


def _solve_by_blocks(factor: Factor, right: Any) -> Any:
    L, d = jnp.moveaxis(factor.L, -1, 0), factor.d.T[:, :, None]
    b = right.T[:, :, None]
    push = lambda b, turned: jax.lax.linalg.triangular_solve(L, b, left_side=True, lower=True, transpose_a=turned)
    return push(push(b, False) * d, True)[:, :, 0].T
