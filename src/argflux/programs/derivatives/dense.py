"""Dense systems of the optimality conditions by the inverse of P, batches at once."""

import contextlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux.programs.forms.arrays import on_host
from argflux.programs.forms.form import times, transposed_times

INDEFINITE = 1e-13


class Pending(NamedTuple):
    """A tableau less `left ⊗ right`, which is taken off when it is next read: one pass over memory a step."""

    tableau: jax.Array
    left: jax.Array
    right: jax.Array

    def settled(self) -> jax.Array:
        """The tableau with the product taken off."""
        return self.tableau - self.left[:, None] * self.right[None]


def exchange(row, column, unit, pivot, wanted) -> tuple[jax.Array, jax.Array]:
    """Vectors whose outer product, taken off the tableau, exchanges the chosen row and column; zero where unwanted."""
    inverse = 1.0 / jnp.where(wanted, pivot, 1.0)
    left = jnp.where(wanted, column + unit, 0.0)
    return left, jnp.where(unit, 1.0 - inverse, row * inverse)


def positive_inverse(P: Any, least: float = INDEFINITE) -> tuple[Any, Any]:
    """Inverse of positive definite matrices by Gauss-Jordan elimination, NaN for others, and which are definite.

    That is, whose pivots exceed `least` when the diagonal is one.
    """
    if on_host(P):
        return _factored_inverse(P, least)
    n = P.shape[1]
    M = jnp.moveaxis(P, 0, -1)
    places = jnp.arange(n)[:, None]
    diagonal = jnp.sum(jnp.where(places == places.T, P, 0.0), 2).T
    scale = lax.rsqrt(jnp.where(diagonal > 0, diagonal, jnp.nan))

    def step(k, pending):
        tableau = pending.settled()
        row = lax.dynamic_index_in_dim(tableau, k, 0, False)
        pivot = lax.dynamic_index_in_dim(row, k, 0, False)
        pivot = jnp.where(pivot > least, pivot, jnp.nan)
        return Pending(tableau, *exchange(row, jnp.where(places < k, -row, row), places == k, pivot, True))

    zeros = jnp.zeros_like(diagonal)
    pending = lax.fori_loop(0, n, step, Pending(M * scale[:, None] * scale[None], zeros, zeros))
    inverse = jnp.moveaxis(pending.settled() * scale[:, None] * scale[None], -1, 0)
    return inverse, inverse[:, 0, 0] > 0


def _factored_inverse(P: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """The same by Cholesky factors, one matrix after another."""
    inverse, definite = np.full(P.shape, np.nan), np.zeros(len(P), bool)
    scale = 1 / np.sqrt(np.einsum("bii->bi", P))
    for i, unit in enumerate(scale):
        with contextlib.suppress(np.linalg.LinAlgError):
            factor = np.linalg.cholesky(P[i] * unit[:, None] * unit)
            definite[i] = np.min(np.diag(factor), initial=1.0) ** 2 > least
            inverse[i] = np.linalg.inv(P[i]) if definite[i] else np.nan
    return inverse, definite


def optimality_matrix(P: jax.Array, C: jax.Array) -> jax.Array:
    """`[[P, C'], [C, 0]]`."""
    size, rows = max(P.shape[0], C.shape[0]), C.shape[1]
    P, C = (jnp.broadcast_to(M, (size, *M.shape[1:])) for M in (P, C))
    corner = jnp.zeros((size, rows, rows))
    upper, lower = jnp.concatenate([P, jnp.swapaxes(C, 1, 2)], 2), jnp.concatenate([C, corner], 2)
    return jnp.concatenate([upper, lower], 1)


def solve_active(C, inverse, schur, right) -> jax.Array:
    """Solve with the active rows of `optimality_matrix(P, C)`, from P⁻¹ and the inverse of their `C P⁻¹ C'`."""
    r1, r2 = jnp.split(right, [inverse.shape[1]], 1)
    x = times(inverse, r1)
    dual = times(schur, times(C, x) - r2)
    return jnp.concatenate([x - times(inverse, transposed_times(C, dual)), dual], 1)
