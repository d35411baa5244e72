"""Rules of cumulative reductions; entries that tie for a running maximum or minimum share equally."""

import jax.numpy as jnp
from jax import lax

from argflux.autodiff.masks import keep_zeros
from argflux.autodiff.registry import pulls_back
from argflux.autodiff.rules.broadcasting import scalar, zeros


def shift(x, fill: float, axis: int, *, reverse: bool):
    """Move every entry one place on along an axis (back, if `reverse`), putting `fill` first."""
    padding = [(0, 0, 0)] * x.ndim
    padding[axis] = (-1, 1, 0) if reverse else (1, -1, 0)
    return lax.pad(x, lax.full((), fill, x.dtype), padding)


def linear_recurrence(a, b, axis: int, *, reverse: bool, times=lax.mul):
    """Solve `s[i] = a[i] s[i-1] + b[i]` along an axis, from the last to the first if `reverse`."""

    def compose(first, then):
        (a1, b1), (a2, b2) = first, then
        return lax.mul(a1, a2), lax.add(times(b1, a2), b2)

    return lax.associative_scan(compose, (a, b), reverse=reverse, axis=axis)[1]


@pulls_back("cumsum", moves=True)
def cumsum_back(dy, y, x, *, axis, reverse):
    """Add up the cotangents from the other end."""
    return (lambda: lax.cumsum(dy, axis=axis, reverse=not reverse),)


def _absorbing(dy, x):
    """Multiply; zero times anything is zero."""
    return keep_zeros(dy, lax.mul(dy, x))


def _cumulative(name, **marks):
    """Register `back(times, dy, y, x, axis, reverse)`, where `times(dy, x)` multiplies with a cotangent."""

    def register(back):
        def plain(dy, y, x, *, axis, reverse):
            return (lambda: back(lax.mul, dy, y, x, axis, reverse),)

        def kept(wild, dy, y, x, *, axis, reverse):
            return (lambda: back(_absorbing if any(wild) else lax.mul, dy, y, x, axis, reverse),)

        plain.__name__ = f"{name}_back"
        pulls_back(name, kept=kept, **marks)(plain)
        return back

    return register


@_cumulative("cumprod")
def cumprod_back(times, dy, y, x, axis, reverse):
    """Multiply what lies before an entry by `s[i] = dy[i] + x[i+1] s[i+1]`; exact at zeros too."""
    before = shift(y, 1, axis, reverse=reverse)
    factors = shift(x, 1, axis, reverse=not reverse)
    return times(linear_recurrence(factors, dy, axis, reverse=not reverse, times=times), before)


@_cumulative("cumlogsumexp")
def cumlogsumexp_back(times, dy, y, x, axis, reverse):
    """Weight cotangents by `exp(x[i] - y[j])`, factored into exponentials of numbers that are never positive."""
    empty = lax.eq(y, scalar(-jnp.inf, y))
    finite = lax.select(empty, zeros(y), y)
    decay = lax.exp(lax.sub(y, shift(finite, 0, axis, reverse=not reverse)))
    decay = lax.select(empty, zeros(y), decay)
    later = linear_recurrence(decay, dy, axis, reverse=not reverse, times=times)
    return times(later, lax.exp(lax.sub(x, finite)))


@_cumulative("cummax", selects=True)
@_cumulative("cummin", selects=True)
def cumulative_extremum_back(times, dy, y, x, axis, reverse):
    """Give each cotangent to the entries so far that equal the running extremum."""

    def indicator(mask):
        return lax.convert_element_type(mask, y.dtype)

    same = indicator(lax.eq(shift(y, jnp.nan, axis, reverse=reverse), y))
    chosen = indicator(lax.eq(x, y))
    count = linear_recurrence(same, chosen, axis, reverse=reverse)
    still = shift(same, 0, axis, reverse=not reverse)
    share = times(dy, lax.integer_pow(count, -1))
    return times(linear_recurrence(still, share, axis, reverse=not reverse, times=times), chosen)
