"""LDL' of symmetric band matrices, a batch at a time, the batch last: one scan down the rows."""

from typing import Any

import jax
import jax.numpy as jnp

UNROLL = 2


def factorise(rows: Any) -> tuple[Any, Any]:
    """Factorise matrices of which `rows[i]` is `K[i, i-b…i]`, `(N, b + 1, B)`; entries before the first column are 0.

    Returns:
        What is below the diagonal of L, a column a row, `(N, b, B)`, and the pivots `(N, B)`; a pivot of 0 gives
        numbers that are not finite.
    """
    _, width, batch = rows.shape
    b = width - 1
    unit = jnp.zeros((width, width, batch)).at[:, b].set(1.0)
    rows = jnp.concatenate([rows, unit])  # the identity below
    low = jnp.stack([jnp.pad(rows[i, b - i :], ((0, b - i), (0, 0))) for i in range(width)])
    lower = jnp.tril(jnp.ones((width, width), bool))[:, :, None]
    window = jnp.where(lower, low, jnp.swapaxes(low, 0, 1))

    def step(window: Any, row: Any) -> tuple:
        d, below = window[0, 0], window[1:, 0] / window[0, 0]
        rest = window[1:, 1:] - below[:, None] * window[0, 1:]
        rest = jnp.concatenate([jnp.concatenate([rest, row[None, :b]]), row[:, None]], 1)
        return rest, (below, d)

    return jax.lax.scan(step, window, rows[width:], unroll=UNROLL)[1]


def solve(factor: tuple[Any, Any], right: Any) -> Any:
    """Solve for `right (N, B)`."""
    below, d = factor
    _, b, batch = below.shape

    def down(carry: Any, given: tuple) -> tuple:
        below, r = given
        v = r + carry[0]
        return jnp.concatenate([carry[1:], jnp.zeros((1, batch))]) - below * v, v

    def up(carry: Any, given: tuple) -> tuple:
        below, v = given
        u = v - jnp.sum(below * carry, 0)
        return jnp.concatenate([u[None], carry[:-1]]), u

    start = jnp.zeros((b, batch))
    v = jax.lax.scan(down, start, (below, right), unroll=UNROLL)[1] / d
    return jax.lax.scan(up, start, (below, v), reverse=True, unroll=UNROLL)[1]
