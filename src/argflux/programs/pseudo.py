"""Null spaces of singular optimality systems, looked at one instance after another."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

NULL = 1e-9


class Active(NamedTuple):
    """The matrices of one optimality system, its active rows and fixed variables (as flags)."""

    P: Any
    C: Any
    active: Any
    fixed: Any


def null_spaces(data: Active) -> tuple[jax.Array, jax.Array]:
    """Sizes of the null spaces in x and in the duals, of the free variables and the active rows of one instance."""
    n = data.P.shape[0]
    free, active = (data.fixed == 0).astype(jnp.float64), (data.active > 0).astype(jnp.float64)
    P = data.P * free[:, None] * free[None, :]
    C = data.C * active[:, None] * free[None, :]
    K = jnp.block([[P, C.T], [C, jnp.zeros((C.shape[0],) * 2)]])
    scale = equilibrate(K)
    values, vectors = jnp.linalg.eigh(K * scale[:, None] * scale[None, :])
    kept = jnp.abs(values) > NULL * jnp.maximum(jnp.max(jnp.abs(values)), 1e-300)
    weights = jnp.where(kept, 0.0, 1.0) * vectors**2
    return jnp.sum(jnp.sum(weights[:n], 1) * free), jnp.sum(jnp.sum(weights[n:], 1) * active)


def equilibrate(K: jax.Array) -> jax.Array:
    """Scale that brings the largest entry of every row near one."""
    scale = jnp.ones(K.shape[0])
    for _ in range(3):
        largest = jnp.max(jnp.abs(K * scale[:, None] * scale[None, :]), 1)
        scale = scale * jnp.where(largest > 0, lax.rsqrt(jnp.where(largest > 0, largest, 1.0)), 1.0)
    return scale


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
