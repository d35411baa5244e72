"""Rows for reading and writing parts of arrays."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.autodiff.rows import Row, Tie, distinct, draws, normal

ROWS_OF_FOUR = np.array([0, 2, 2, -1], np.int32)
OUTSIDE = np.array([1, 7, 3, -9], np.int32)
APART = np.array([3, 0, 2], np.int32)
PAIRS = np.array([[0, 1], [2, 2], [1, 3]], np.int32)


def _batched(x, i):
    return jax.vmap(lambda row, k: row[k])(x, i)


def _gather(x, i, mode, **dimensions):
    d = lax.GatherDimensionNumbers(**dimensions)
    return lax.gather(x, i, d, slice_sizes=(2, 1, 3), mode=mode, fill_value=2.0)


def _windows(mode):
    """Windows of 2×1×3 at places some of which reach outside the array."""
    dimensions = {"offset_dims": (0, 2), "collapsed_slice_dims": (1,), "start_index_map": (2, 0)}
    return lambda x, i: _gather(x, i, mode, **dimensions)


def _write_windows(scatter, mode):
    """Overlapping windows of length 3 written at places some of which reach outside the array."""
    d = lax.ScatterDimensionNumbers((1,), (), (0,))
    return lambda x, i, u: scatter(x, i, u, d, mode=mode)


def _write_batched(scatter):
    return lambda x, i, u: jax.vmap(lambda x, i, u: scatter(x.at[i], u))(x, i, u)


WINDOW_PLACES = np.array([[0, 0], [1, 2], [4, 3], [-2, 9]], np.int32)
PLACES = np.array([[0], [1], [5], [9], [-3]], np.int32)
BATCH_PLACES = np.array([[0, 2, 2], [1, 1, 3]], np.int32)

READS = [
    Row("gather", "rows", lambda x, i: x[i], draws(normal(4, 3), ROWS_OF_FOUR)),
    Row("gather", "columns", lambda x, i: x[:, i], draws(normal(3, 4), ROWS_OF_FOUR)),
    Row("gather", "pairs", lambda x, i: x[i[:, 0], i[:, 1]], draws(normal(3, 4), PAIRS)),
    Row("gather", "two_axes_apart", lambda x, i: x[i[:, 0], :, i[:, 1]], draws(normal(3, 2, 4), PAIRS)),
    Row("gather", "table", lambda x, i: x[i], draws(normal(4), PAIRS)),
    Row("gather", "outside_fill", lambda x, i: x.at[i].get(mode="fill", fill_value=0), draws(normal(4), OUTSIDE)),
    Row("gather", "outside_clip", lambda x, i: x.at[i].get(mode="clip"), draws(normal(4), OUTSIDE)),
    Row("gather", "outside_wrap", lambda x, i: jnp.take(x, i, mode="wrap"), draws(normal(4), OUTSIDE)),
    Row("gather", "unique", lambda x, i: x.at[i].get(unique_indices=True), draws(normal(4, 2), APART)),
    Row("gather", "take", lambda x, i: jnp.take(x, i, axis=1), draws(normal(2, 4), ROWS_OF_FOUR)),
    Row("gather", "take_along", lambda x: jnp.take_along_axis(x, jnp.argsort(x, 1), 1), draws(distinct(2, 4))),
    Row("gather", "batched", _batched, draws(normal(2, 4), BATCH_PLACES)),
    Row("gather", "windows_clip", _windows("clip"), draws(normal(4, 2, 5), WINDOW_PLACES)),
    Row("gather", "windows_fill", _windows("fill"), draws(normal(4, 2, 5), WINDOW_PLACES)),
    Row("gather", "mapped_index", lambda x, k: jax.vmap(lambda k: x[k])(k), draws(normal(4, 3), APART)),
    Row("dynamic_slice", "one", lambda x, k: x[k], draws(normal(4, 3), np.int32(2))),
    Row("dynamic_slice", "clamped", lambda x: lax.dynamic_slice(x, (3, -1), (2, 2)), draws(normal(4, 3))),
    Row("dynamic_slice", "in_dim", lambda x, k: lax.dynamic_slice_in_dim(x, k, 2, 1), draws(normal(3, 4), np.int32(1))),
]

WRITES = [
    Row(
        "dynamic_update_slice",
        "two_axes",
        lambda x, u, k: lax.dynamic_update_slice(x, u, (k, np.int32(1))),
        draws(normal(4, 3), normal(2, 2), np.int32(1)),
    ),
    Row(
        "dynamic_update_slice",
        "clamped",
        lambda x, u: lax.dynamic_update_slice(x, u, (5, -2)),
        draws(normal(4, 3), normal(2, 2)),
    ),
    Row("scatter", "set_one", lambda x, u: x.at[1].set(u), draws(normal(4, 3), normal(3))),
    Row("scatter", "set_scalar", lambda x, u: x.at[1].set(u), draws(normal(4), normal())),
    Row("scatter", "set_slice", lambda x, u: x.at[1:3, ::2].set(u), draws(normal(4, 3), normal(2, 2))),
    Row("scatter", "set_constant", lambda x, i: x.at[i].set(2), draws(normal(4), APART)),
    Row("scatter", "set_spread", lambda x, i, u: x.at[i].set(u), draws(normal(4, 2), APART, normal())),
    Row(
        "scatter", "set_into_constant", lambda i, u: jnp.zeros_like(u, shape=(4,)).at[i].set(u), draws(APART, normal(3))
    ),
    Row("scatter", "set_twice", lambda x, i, u: x.at[i].set(u), draws(normal(4, 2), ROWS_OF_FOUR, normal(4, 2))),
    Row("scatter", "set_outside", lambda x, i, u: x.at[i].set(u), draws(normal(4), OUTSIDE, normal(4))),
    Row("scatter", "set_clip", lambda x, i, u: x.at[i].set(u, mode="clip"), draws(normal(4), OUTSIDE, normal(4))),
    Row(
        "scatter",
        "set_unique",
        lambda x, i, u: x.at[:, i].set(u, unique_indices=True),
        draws(normal(2, 4), APART, normal(2, 3)),
    ),
    Row("scatter", "set_where", lambda x: x.at[1:].set(jnp.where(x[1:] > 0, x[1:], 0)), draws(distinct(5))),
    Row("scatter", "set_pairs", lambda x, i, u: x.at[i[:, 0], i[:, 1]].set(u), draws(normal(3, 4), PAIRS, normal(3))),
    Row(
        "scatter",
        "set_batched",
        _write_batched(lambda at, u: at.set(u)),
        draws(normal(2, 4), BATCH_PLACES, normal(2, 3)),
    ),
    Row("scatter", "set_overlapping", _write_windows(lax.scatter, "drop"), draws(normal(8), PLACES, normal(5, 3))),
    Row("scatter", "set_overlapping_clip", _write_windows(lax.scatter, "clip"), draws(normal(8), PLACES, normal(5, 3))),
    Row("scatter-add", "add_twice", lambda x, i, u: x.at[i].add(u), draws(normal(4, 2), ROWS_OF_FOUR, normal(4, 2))),
    Row("scatter-add", "add_outside", lambda x, i, u: x.at[i].add(u), draws(normal(4), OUTSIDE, normal(4))),
    Row("scatter-add", "add_clip", lambda x, i, u: x.at[i].add(u, mode="clip"), draws(normal(4), OUTSIDE, normal(4))),
    Row(
        "scatter-add",
        "add_overlapping",
        _write_windows(lax.scatter_add, "drop"),
        draws(normal(8), PLACES, normal(5, 3)),
    ),
    Row(
        "scatter-add",
        "add_batched",
        _write_batched(lambda at, u: at.add(u)),
        draws(normal(2, 4), BATCH_PLACES, normal(2, 3)),
    ),
    Row(
        "scatter-add",
        "segment_sum",
        lambda x, i: jax.ops.segment_sum(x, i, 3),
        draws(normal(4, 2), np.array([0, 2, 2, 0], np.int32)),
    ),
    Row("scatter-sub", "subtract", lambda x, i, u: x.at[i].subtract(u), draws(normal(4), ROWS_OF_FOUR, normal(4))),
    Row(
        "scatter-mul",
        "multiply",
        lambda x, i, u: x.at[i].multiply(u, unique_indices=True),
        draws(normal(4), APART, normal(3)),
    ),
    Row(
        "scatter-mul",
        "multiply_twice",
        lambda x, i, u: x.at[i].multiply(u),
        draws(normal(4), ROWS_OF_FOUR, normal(4)),
        order=1,
        differs="JAX has no derivative without unique_indices",
    ),
    Row(
        "scatter-mul",
        "divide",
        lambda x, i, u: x.at[i].divide(u),
        draws(normal(4), ROWS_OF_FOUR, normal(4, low=0.5, high=2)),
        order=1,
        differs="JAX has no derivative without unique_indices",
    ),
    Row("scatter-min", "min", lambda x, i, u: x.at[i].min(u), draws(distinct(4, gap=0.9), ROWS_OF_FOUR, distinct(4))),
    Row("scatter-max", "max", lambda x, i, u: x.at[i].max(u), draws(distinct(4, gap=0.9), ROWS_OF_FOUR, distinct(4))),
    Row(
        "scatter-max", "max_outside", lambda x, i, u: x.at[i].max(u), draws(distinct(4, gap=0.9), OUTSIDE, distinct(4))
    ),
    Row(
        "scatter-max", "max_unique", lambda x, i, u: x.at[i].max(u), draws(normal(4, 2), APART, distinct(3, 2, gap=0.9))
    ),
]

ROWS = READS + WRITES

TWICE = np.array([1, 1], np.int32)
TIES = [
    Tie("scatter_max", lambda x, u: x.at[TWICE].max(u), ([0, 2, 0], [2, 2]), ([1, 1 / 3, 1], [1 / 3, 1 / 3])),
    Tie("scatter_min", lambda x, u: x.at[TWICE].min(u), ([0, 3, 0], [2, 2]), ([1, 0, 1], [0.5, 0.5])),
    Tie("scatter_last_stays", lambda x, u: x.at[TWICE].set(u), ([0, 3, 0], [5, 2]), ([1, 0, 1], [0, 1])),
    Tie("scatter_mul_zero", lambda x, u: x.at[TWICE].multiply(u), ([1, 3, 1], [0, 2]), ([1, 0, 1], [6, 0])),
    Tie(
        "where_hides_a_log_behind_a_gather",
        lambda x: jnp.where(x[APART] > 0, jnp.log(x)[APART], 0),
        ([1, 9, 2, 0],),
        ([1, 0, 0.5, 0],),
    ),
    Tie(
        "where_hides_a_log_behind_a_slice",
        lambda x: jnp.where(x[1] > 0, lax.dynamic_slice(jnp.log(x), (1,), (1,)), 0),
        ([1, 0, 2],),
        ([0, 0, 0],),
    ),
    Tie("scatter_mul_zeros", lambda x, u: x.at[TWICE].multiply(u), ([1, 3, 1], [0, 0]), ([1, 0, 1], [0, 0])),
]
