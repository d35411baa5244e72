"""Rows for sums and extrema over sliding windows."""

import jax
import numpy as np
from jax import lax

from tests.autodiff.rows import Row, Tie, distinct, draws, normal


def _window(operation, start, window, strides=None, padding="VALID", **dilations):
    strides = strides or (1,) * len(window)
    return lambda x: lax.reduce_window(x, np.asarray(start, x.dtype), operation, window, strides, padding, **dilations)


def _sum(*args, **kwargs):
    return _window(lax.add, 0, *args, **kwargs)


def _max(*args, **kwargs):
    return _window(lax.max, -np.inf, *args, **kwargs)


def _min(*args, **kwargs):
    return _window(lax.min, np.inf, *args, **kwargs)


def _pulled(f):
    return lambda x, dy: jax.vjp(f, x)[1](dy)[0]


SQUARE = (1, 2, 2, 1)
IMAGES, SOME = distinct(2, 4, 5, 2), normal(2, 4, 5, 2)
DILATED = {"base_dilation": (2, 1), "window_dilation": (1, 2)}

ROWS = [
    Row("reduce_window_sum", "pool", _sum(SQUARE, SQUARE), draws(SOME)),
    Row("reduce_window_sum", "overlapping", _sum((3, 2), (2, 1), "SAME"), draws(normal(5, 4))),
    Row("reduce_window_sum", "padded", _sum((3, 2), (2, 3), ((1, 2), (0, 1))), draws(normal(5, 4))),
    Row("reduce_window_sum", "dilated", _sum((3, 2), (2, 1), ((1, 2), (0, 1)), **DILATED), draws(normal(4, 5))),
    Row("reduce_window_max", "pool", _max(SQUARE, SQUARE), draws(IMAGES)),
    Row("reduce_window_max", "overlapping", _max((3, 2), (2, 1), "SAME"), draws(distinct(5, 4))),
    Row("reduce_window_max", "padded", _max((3, 2), (2, 3), ((1, 2), (0, 1))), draws(distinct(5, 4))),
    Row(
        "reduce_window_max",
        "dilated",
        _max((3, 2), (2, 1), ((1, 2), (0, 1)), base_dilation=(1, 1), window_dilation=(1, 2)),
        draws(distinct(5, 4)),
        differs="JAX has no derivative of dilated windows",
    ),
    Row(
        "reduce_window_max",
        "spread",
        _max((3, 2), (2, 1), ((1, 2), (0, 1)), **DILATED),
        draws(distinct(5, 4)),
        differs="JAX has no derivative of dilated windows",
    ),
    Row("reduce_window_min", "pool", _min(SQUARE, SQUARE), draws(IMAGES)),
    Row("reduce_window_min", "overlapping", _min((3, 2), (2, 1), "SAME"), draws(distinct(5, 4))),
    Row("select_and_scatter_add", "pulled_max", _pulled(_max((2, 2), (2, 1))), draws(distinct(4, 4), normal(2, 3))),
    Row("select_and_scatter_add", "pulled_min", _pulled(_min((2,), (1,), "SAME")), draws(distinct(4), normal(4))),
    Row(
        "select_and_gather_add",
        "pushed_max",
        lambda x, dx: jax.jvp(_max((2, 2), (2, 1)), (x,), (dx,))[1],
        draws(distinct(4, 4), normal(4, 4)),
    ),
]

TIES = [
    Tie("window_max_first_takes_all", _max((2,), (2,)), ([1, 1, 3, 2],), ([1, 0, 1, 0],)),
    Tie("window_min_first_takes_all", _min((2,), (2,)), ([1, 1, 3, 2],), ([1, 0, 0, 1],)),
    Tie(
        "dilated_window_max_first_takes_all",
        _max((2,), (1,), window_dilation=(2,)),
        ([1, 5, 1, 2],),
        ([1, 1, 0, 0],),
    ),
]
