"""Rows for reductions, cumulative reductions, shapes and sorting."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.autodiff.rows import Row, Tie, distinct, draws, normal

X, APART, SMALL = normal(2, 3, 4), distinct(3, 4), normal(2, 3, low=0.4, high=1.6)
WITH_ZEROS = np.array([[0.0, 1.3, -0.7], [0.0, 0.0, 2.0], [0.4, 1.1, -1.9]])

REDUCTIONS = [
    Row("reduce_sum", "axes", lambda x: jnp.sum(x, (0, 2)), draws(X)),
    Row("reduce_sum", "keepdims", lambda x: jnp.sum(x * x, 1, keepdims=True), draws(X)),
    Row("reduce_sum", "empty", lambda x: jnp.sum(x[:, :0] * x[:, :0]), draws(X)),
    Row("reduce_sum", "mean", lambda x: jnp.mean(x * x, -1), draws(X)),
    Row("reduce_sum", "var", lambda x: jnp.var(x, 1), draws(X)),
    Row("reduce_sum", "std", lambda x: jnp.std(x), draws(X)),
    Row("reduce_sum", "logsumexp", lambda x: jax.nn.logsumexp(x, -1), draws(X)),
    Row("reduce_max", "axis", lambda x: jnp.max(x, 1), draws(APART)),
    Row("reduce_max", "all", lambda x: jnp.max(x) * jnp.max(x, 0), draws(APART)),
    Row("reduce_min", "axis", lambda x: jnp.min(x, 0), draws(APART)),
    Row("reduce_prod", "axis", lambda x: jnp.prod(x, 1), draws(SMALL)),
    Row("reduce_prod", "axes", lambda x: jnp.prod(x, (0, 2)), draws(normal(2, 2, 2))),
    Row("reduce_prod", "zeros", lambda x: jnp.prod(x, 1), draws(WITH_ZEROS)),
]

CUMULATIVE = [
    Row("cumsum", "forward", lambda x: jnp.cumsum(x * x, 1), draws(X)),
    Row("cumsum", "reverse", lambda x: lax.cumsum(x * x, axis=0, reverse=True), draws(X)),
    Row("cumprod", "forward", lambda x: jnp.cumprod(x, 1), draws(SMALL)),
    Row("cumprod", "reverse", lambda x: lax.cumprod(x, axis=0, reverse=True), draws(SMALL)),
    Row("cumprod", "zeros", lambda x: jnp.cumprod(x, 1), draws(WITH_ZEROS)),
    Row("cummax", "forward", lambda x: lax.cummax(x, axis=1), draws(APART)),
    Row("cummax", "reverse", lambda x: lax.cummax(x, axis=0, reverse=True) * x, draws(APART)),
    Row("cummin", "forward", lambda x: lax.cummin(x, axis=1) * x, draws(APART)),
    Row("cumlogsumexp", "forward", lambda x: lax.cumlogsumexp(x, axis=1), draws(normal(2, 5))),
    Row("cumlogsumexp", "reverse", lambda x: lax.cumlogsumexp(x, axis=0, reverse=True), draws(normal(5, 2))),
]

SHAPES = [
    Row("broadcast_in_dim", "new axes", lambda x: jnp.broadcast_to(x * x, (2, 3, 4)), draws(normal(4))),
    Row("broadcast_in_dim", "length 1", lambda x: jnp.broadcast_to(x * x, (2, 3, 4)), draws(normal(3, 1))),
    Row("broadcast_in_dim", "scalar", lambda x: jnp.broadcast_to(x * x, (2, 3)), draws(normal())),
    Row("broadcast_in_dim", "expand_dims", lambda x: jnp.expand_dims(x * x, (0, 2)), draws(normal(3))),
    Row("reshape", "reshape", lambda x: jnp.reshape(x * x, (4, 6)), draws(X)),
    Row("reshape", "repeat", lambda x: jnp.repeat(x * x, 3), draws(normal(4))),
    Row("squeeze", "squeeze", lambda x: lax.squeeze(x * x, (0, 2)), draws(normal(1, 3, 1))),
    Row("transpose", "transpose", lambda x: jnp.transpose(x * x, (2, 0, 1)), draws(X)),
    Row("rev", "rev", lambda x: lax.rev(x * x, (0, 2)), draws(X)),
    Row("slice", "slice", lambda x: lax.slice(x * x, (0, 1, 0), (2, 3, 2)), draws(X)),
    Row("slice", "strides", lambda x: lax.slice(x * x, (1, 0), (6, 5), (2, 3)), draws(normal(7, 5))),
    Row("slice", "empty", lambda x: lax.slice(x * x, (1,), (1,)), draws(normal(3))),
    Row("pad", "pad", lambda x, v: lax.pad(x * x, v, [(1, 2, 0), (0, 1, 2)]), draws(normal(2, 3), normal())),
    Row("pad", "negative", lambda x, v: lax.pad(x * x, v, [(-1, 2, 1), (3, -2, 0)]), draws(normal(3, 4), normal())),
    Row("pad", "gone", lambda x, v: lax.pad(x * x, v, [(-2, 0, 0), (-1, -1, 1)]), draws(normal(3, 3), normal())),
    Row("concatenate", "edge", lambda x: jnp.pad(x * x, 2, mode="edge"), draws(normal(3))),
    Row("rev", "reflect", lambda x: jnp.pad(x * x, 2, mode="reflect"), draws(normal(4))),
    Row(
        "concatenate",
        "concatenate",
        lambda a, b: jnp.concatenate([a, b, a * b[:, :2]], 1),
        draws(normal(2, 2), normal(2, 3)),
    ),
    Row("split", "all", lambda x: jnp.split(x * x, [1, 3], axis=1), draws(normal(2, 4))),
    Row("split", "one used", lambda x: jnp.split(x * x, 2, axis=1)[1], draws(normal(2, 4))),
    Row("stack", "stack", lambda a, b: jnp.stack([a, b, a * b], 1), draws(normal(2, 2), normal(2, 2))),
    Row("unstack", "unstack", lambda x: jnp.unstack(x * x, axis=1)[1:], draws(normal(2, 3))),
    Row("tile", "tile", lambda x: jnp.tile(x * x, (2, 3)), draws(normal(2, 3))),
    Row("tile", "new axis", lambda x: jnp.tile(x * x, (2, 1, 2)), draws(normal(2, 3))),
]

SORTING = [
    Row("sort", "axis 1", lambda x: jnp.sort(x * x, 1), draws(distinct(3, 4))),
    Row("sort", "axis 0", lambda x: jnp.sort(x, 0) * x, draws(distinct(3, 4))),
    Row("sort", "descending", lambda x: jnp.sort(x, descending=True) * x, draws(distinct(5))),
    Row(
        "sort",
        "two keys",
        lambda k, a, b: lax.sort((k, a, a * b), num_keys=2),
        draws(np.array([1, 0, 1, 0], np.int32), distinct(4), normal(4)),
    ),
    Row("sort", "argsort", lambda x: x[jnp.argsort(x)] * x, draws(distinct(5))),
    Row("sort", "median", lambda x: jnp.median(x, 0), draws(distinct(4, 3))),
    Row("sort", "quantile", lambda x: jnp.quantile(x, 0.3), draws(distinct(6))),
    Row("top_k", "last", lambda x: lax.top_k(x * x, 2)[0], draws(distinct(3, 4))),
    Row("top_k", "axis 0", lambda x: lax.top_k(x * x, 2, axis=0), draws(distinct(3, 4))),
    Row("approx_top_k", "max", lambda x: lax.approx_max_k(x * x, 2)[0], draws(distinct(3, 4)), half=False),
    Row(
        "approx_top_k",
        "min",
        lambda x: lax.approx_min_k(x * x, 2, reduction_dimension=0)[0],
        draws(distinct(3, 4)),
        half=False,
    ),
]

ROWS = [*REDUCTIONS, *CUMULATIVE, *SHAPES, *SORTING]

TIES = [
    Tie("reduce_max of equals", jnp.max, ([2.0, 1.0, 2.0, 2.0],), ([1 / 3, 0.0, 1 / 3, 1 / 3],)),
    Tie("reduce_min of equals", jnp.min, ([2.0, 1.0, 1.0],), ([0.0, 0.5, 0.5],)),
    Tie("reduce_prod of zeros", jnp.prod, ([0.0, 2.0, 3.0],), ([6.0, 0.0, 0.0],)),
    Tie(
        "cummax of equals",
        lambda x: lax.cummax(x),
        ([1.0, 1.0, 0.0, 1.0],),
        ([1 + 0.5 + 0.5 + 1 / 3, 0.5 + 0.5 + 1 / 3, 0.0, 1 / 3],),
    ),
    Tie("cummin of equals", lambda x: lax.cummin(x), ([2.0, 2.0],), ([1.5, 0.5],)),
    Tie("cumprod through 0", lambda x: jnp.cumprod(x), ([2.0, 0.0, 3.0],), ([1.0, 2 + 6, 0.0],)),
    Tie("cumlogsumexp of nothing", lambda x: lax.cumlogsumexp(x)[1:], ([-np.inf, 0.0],), ([0.0, 1.0],)),
    Tie("variance of equals", jnp.std, ([1.0, 1.0],), ([0.0, 0.0],)),
    Tie(
        "softmax of masked",
        lambda x: jax.nn.softmax(jnp.where(x > 0, x, -jnp.inf))[1],
        ([-1.0, 1.0, 1.0],),
        ([0.0, 0.25, -0.25],),
    ),
    Tie(
        "logsumexp of masked", lambda x: jax.nn.logsumexp(jnp.where(x > 0, x, -jnp.inf)), ([-1.0, 1.0],), ([0.0, 1.0],)
    ),
]
