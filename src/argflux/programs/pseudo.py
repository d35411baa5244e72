"""Least-norm solutions of singular optimality systems, and what their null spaces say."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

NULL = 1e-9


class Active(NamedTuple):
    """One optimality system: matrices, active rows and fixed variables (as flags), right-hand sides."""

    P: Any
    C: Any
    active: Any
    fixed: Any
    r1: Any
    r2: Any
    r3: Any


class Spectrum(NamedTuple):
    """The scaled system, its eigendecomposition, and the sizes of its null spaces in x and in the duals."""

    matrix: jax.Array
    inverted: jax.Array
    vectors: jax.Array
    scale: jax.Array
    primal_null: jax.Array
    dual_null: jax.Array


def null_spaces(data: Active) -> Spectrum:
    """Decompose the system of one instance; variables that are fixed and rows that are not active drop out."""
    n = data.P.shape[0]
    free, active = (data.fixed == 0).astype(jnp.float64), (data.active > 0).astype(jnp.float64)
    P = data.P * free[:, None] * free[None, :]
    C = data.C * active[:, None] * free[None, :]
    K = jnp.block([[P, C.T], [C, jnp.zeros((C.shape[0],) * 2)]])
    scale = equilibrate(K)
    K = K * scale[:, None] * scale[None, :]
    values, vectors = jnp.linalg.eigh(K)
    kept = jnp.abs(values) > NULL * jnp.maximum(jnp.max(jnp.abs(values)), 1e-300)
    inverted = jnp.where(kept, 1.0 / jnp.where(kept, values, 1.0), 0.0)
    weights = jnp.where(kept, 0.0, 1.0) * vectors**2
    primal = jnp.sum(jnp.sum(weights[:n], 1) * free)
    dual = jnp.sum(jnp.sum(weights[n:], 1) * active)
    return Spectrum(K, inverted, vectors, scale, primal, dual)


def equilibrate(K: jax.Array) -> jax.Array:
    """Scale that brings the largest entry of every row near one."""
    scale = jnp.ones(K.shape[0])
    for _ in range(3):
        largest = jnp.max(jnp.abs(K * scale[:, None] * scale[None, :]), 1)
        scale = scale * jnp.where(largest > 0, lax.rsqrt(jnp.where(largest > 0, largest, 1.0)), 1.0)
    return scale


def solve_pseudo(data: Active, spectrum: Spectrum) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Least-norm solution `(dx, ddual, dbound)` for one instance."""
    n = data.P.shape[0]
    pinned = jnp.where(data.fixed > 0, data.r3, 0.0)
    right1 = jnp.where(data.fixed > 0, 0.0, data.r1 - data.P @ pinned)
    right2 = jnp.where(data.active > 0, data.r2 - data.C @ pinned, 0.0)
    right = jnp.concatenate([right1, right2]) * spectrum.scale
    least = lambda right: spectrum.vectors @ (spectrum.inverted * (spectrum.vectors.T @ right))
    answer = least(right)
    answer = spectrum.scale * (answer + least(right - spectrum.matrix @ answer))
    x = jnp.where(data.fixed > 0, pinned, answer[:n])
    dual = jnp.where(data.active > 0, answer[n:], 0.0)
    bound = jnp.where(data.fixed > 0, data.r1 - data.P @ x - data.C.T @ dual, 0.0)
    return x, dual, bound


def replace_where(mask: jax.Array, function: Callable, data: Any, otherwise: tuple) -> tuple:
    """Replace `otherwise` by `function(instance)` where `mask` holds, working on one instance after another.

    Args:
        mask: booleans, `(batch,)`.
        function: from one instance of `data` (no leading axis) to a tuple, one instance of `otherwise`.
        data: tree of arrays with leading axis 1 or batch.
        otherwise: arrays with leading axis batch.
    """

    def body(carry):
        left, result = carry
        index = jnp.argmax(left)
        picked = jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, index if x.shape[0] > 1 else 0, 0, False), data)
        fresh = function(picked)
        put = [
            lax.dynamic_update_index_in_dim(old, new.astype(old.dtype), index, 0)
            for old, new in zip(result, fresh, strict=True)
        ]
        return left & (jnp.arange(left.shape[0]) != index), tuple(put)

    return lax.while_loop(lambda c: jnp.any(c[0]), body, (mask, tuple(otherwise)))[1]
