"""Rules of sums and extrema over sliding windows, as pooling uses them."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux.autodiff.registry import pulls_back


@pulls_back("reduce_window_sum", moves=True)
def reduce_window_sum_back(dy, y, x, *, window_dimensions, window_strides, padding, base_dilation, window_dilation):
    """Sum the cotangents of the windows that each entry lies in."""
    config = []
    for size, window, stride, (low, _), spread, dilation, count in zip(
        jnp.shape(x),
        window_dimensions,
        window_strides,
        padding,
        base_dilation,
        window_dilation,
        jnp.shape(dy),
        strict=True,
    ):
        reach = (window - 1) * dilation
        length = (size - 1) * spread + 1 + reach
        before = reach - low
        config.append((before, length - before - ((count - 1) * stride + 1), stride - 1))

    def dx():
        if 0 in (*jnp.shape(x), *jnp.shape(dy)):
            return lax.full_like(x, 0)
        spread_out = lax.pad(dy, _scalar(dy, 0), config)
        return lax.reduce_window(
            spread_out,
            np.zeros((), dy.dtype),  # known while traced, so that JAX makes it a sum of windows, which has a rule
            lax.add,
            window_dimensions,
            base_dilation,
            "VALID",
            window_dilation=window_dilation,
        )

    return (dx,)


@pulls_back("reduce_window_max", selects=True, moves=True)
def reduce_window_max_back(dy, y, x, **params):
    """Give each window's cotangent to its largest entry, the first of them at a tie."""
    return (lambda: _give_to_first(dy, y, x, lax.ge_p, -jnp.inf, params),)


@pulls_back("reduce_window_min", selects=True, moves=True)
def reduce_window_min_back(dy, y, x, **params):
    """Give each window's cotangent to its smallest entry, the first of them at a tie."""
    return (lambda: _give_to_first(dy, y, x, lax.le_p, jnp.inf, params),)


def _give_to_first(dy, y, x, compare, worst, params):
    if any(d != 1 for d in (*params["base_dilation"], *params["window_dilation"])):
        return _give_tap_by_tap(dy, y, x, worst, **params)
    windows = {key: params[key] for key in ("window_dimensions", "window_strides", "padding")}
    return lax.select_and_scatter_add_p.bind(dy, x, select_prim=compare, **windows)


@pulls_back("select_and_scatter_add", selects=True, moves=True)
def select_and_scatter_add_back(dz, z, dy, x, **params):
    """Read the cotangent where each window's entry was chosen; the choice itself has no derivative."""
    still = (1,) * jnp.ndim(x)
    read = lambda: lax.select_and_gather_add_p.bind(dz, x, base_dilation=still, window_dilation=still, **params)
    return read, None


@pulls_back("select_and_gather_add", selects=True, moves=True)
def select_and_gather_add_back(dz, z, values, x, *, base_dilation, window_dilation, **params):
    """Write the cotangent where each window's entry was chosen."""
    return (lambda: lax.select_and_scatter_add_p.bind(dz, x, **params), None)


def _give_tap_by_tap(dy, y, x, worst, *, window_dimensions, window_strides, padding, base_dilation, window_dilation):
    """Do the same for dilated windows: compare one tap of all windows at a time, each window paying once."""
    config = [(low, high, spread - 1) for (low, high), spread in zip(padding, base_dilation, strict=True)]
    padded = lax.pad(x, _scalar(x, worst), config)
    total = lax.full_like(padded, 0)
    paid = lax.full_like(y, False, dtype=bool)
    reached = [(n - 1) * stride + 1 for n, stride in zip(y.shape, window_strides, strict=True)]
    for tap in itertools.product(*map(range, window_dimensions)):
        start = [k * dilation for k, dilation in zip(tap, window_dilation, strict=True)]
        stop = [a + b for a, b in zip(start, reached, strict=True)]
        chosen = lax.eq(lax.slice(padded, start, stop, window_strides), y)
        share = lax.select(lax.bitwise_and(chosen, lax.bitwise_not(paid)), dy, lax.full_like(dy, 0))
        paid = lax.bitwise_or(paid, chosen)
        after = [n - b for n, b in zip(padded.shape, stop, strict=True)]
        spread_out = [(a, b, stride - 1) for a, b, stride in zip(start, after, window_strides, strict=True)]
        total = lax.add(total, lax.pad(share, _scalar(dy, 0), spread_out))
    kept = lax.pad(total, _scalar(dy, 0), [(-low, -high, 0) for low, high, _ in config])
    return lax.slice(kept, [0] * x.ndim, kept.shape, base_dilation) if math.prod(base_dilation) > 1 else kept


def _scalar(x, value):
    return lax.full((), value, x.dtype)
