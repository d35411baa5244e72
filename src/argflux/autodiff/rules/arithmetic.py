"""Rules of arithmetic.

Where the derivative is a convention:

| function | point | derivative |
|---|---|---|
| `max`, `min` of two values | equal | ½ to each |
| `abs`, `sign` | 0 | 0 |
| `clamp` | at a bound | 0 to all three |
| `rem(a, b)` | jumps | 1 to `a`, `-trunc(a/b)` to `b` |
| `sqrt`, `cbrt`, `pow(x, b)` with `b < 1` | `x = 0` | 0 |
| `pow(x, b)` with respect to `b` | `x = 0` | 0 |
"""

import jax.numpy as jnp
from jax import lax

from argflux.autodiff.registry import elementwise, pulls_back, zero_derivative
from argflux.autodiff.rules.broadcasting import binary, scalar, unbroadcast, zeros

zero_derivative("sign", "floor", "ceil", "round")

binary("add", lambda dy, y, a, b: dy, lambda dy, y, a, b: dy)
binary("add_any", lambda dy, y, a, b: dy, lambda dy, y, a, b: dy)
binary("sub", lambda dy, y, a, b: dy, lambda dy, y, a, b: lax.neg(unbroadcast(dy, b)))
binary("mul", lambda dy, y, a, b: lax.mul(dy, b), lambda dy, y, a, b: lax.mul(dy, a), singular=True)


def _divisor_back(dy, y, a, b):
    """Multiply by `-a / b²`; divide after the sum if the divisor was repeated."""
    if dy.shape == b.shape:
        return lax.neg(lax.mul(lax.div(dy, b), y))
    return lax.neg(lax.div(lax.div(unbroadcast(lax.mul(dy, a), b), b), b))


binary("div", lambda dy, y, a, b: lax.div(dy, b), _divisor_back, singular=True)
elementwise("neg", lambda dy, y, x: lax.neg(dy))
elementwise("abs", lambda dy, y, x: lax.mul(dy, lax.sign(x)))
elementwise("square", lambda dy, y, x: lax.mul(dy, lax.mul(scalar(2, x), x)))
binary("nextafter", lambda dy, y, a, b: dy, None)


def _share(dy, wins, ties):
    """Give the whole cotangent to a winner and half of it to each of two that tie."""
    half = lax.mul(dy, scalar(0.5, dy))
    return lax.select(wins, dy, lax.select(ties, half, zeros(dy)))


binary(
    "max",
    lambda dy, y, a, b: _share(dy, lax.gt(a, b), lax.eq(a, b)),
    lambda dy, y, a, b: _share(dy, lax.gt(b, a), lax.eq(a, b)),
)
binary(
    "min",
    lambda dy, y, a, b: _share(dy, lax.lt(a, b), lax.eq(a, b)),
    lambda dy, y, a, b: _share(dy, lax.lt(b, a), lax.eq(a, b)),
)


def _truncated_quotient(a, b):
    q = lax.div(a, b)
    return lax.select(lax.lt(q, scalar(0, q)), lax.ceil(q), lax.floor(q))


binary(
    "rem",
    lambda dy, y, a, b: dy,
    lambda dy, y, a, b: lax.neg(lax.mul(dy, _truncated_quotient(a, b))),
    singular=True,
)


@pulls_back("clamp", transparent=True)
def clamp_back(dy, y, low, x, high):
    """Give the cotangent to whichever of the three was returned, to none of them at a bound."""

    def where(mask):
        return lax.select(mask, dy, zeros(dy))

    return (
        lambda: unbroadcast(where(lax.lt(x, low)), low),
        lambda: where(lax.bitwise_and(lax.gt(x, low), lax.lt(x, high))),
        lambda: unbroadcast(where(lax.gt(x, high)), high),
    )


def or_infinity(x):
    """Replace zeros by infinity, so that dividing by the result gives 0 there."""
    return lax.select(lax.eq(x, scalar(0, x)), lax.full_like(x, jnp.inf), x)


elementwise("sqrt", lambda dy, y, x: lax.div(lax.mul(dy, scalar(0.5, y)), or_infinity(y)), singular=True)
elementwise("rsqrt", lambda dy, y, x: lax.mul(dy, lax.mul(scalar(-0.5, y), lax.div(y, x))), singular=True)
elementwise("cbrt", lambda dy, y, x: lax.mul(dy, lax.div(lax.mul(scalar(1 / 3, y), y), or_infinity(x))), singular=True)


@pulls_back("integer_pow", transparent=True, singular=True)
def integer_pow_back(dy, yy, x, *, y):
    """Multiply by `n x^(n-1)`; the exponent `n` is the parameter called `y`."""
    if y == 0:
        return (None,)
    return (lambda: lax.mul(dy, lax.mul(scalar(y, x), lax.integer_pow(x, y - 1))),)


elementwise("one_minus_square", lambda dy, y, x: lax.mul(dy, lax.mul(scalar(-2, x), x)), singular=True)


@pulls_back("polynomial", transparent=True, singular=True)
def polynomial_back(dy, y, x, *coefficients, unroll=None):
    """Multiply by the polynomial's derivative, and by `x^k` for the coefficient of that power."""

    def of_x():
        slope = lax.full_like(y, 0)
        for k, c in reversed(list(enumerate(coefficients))[1:]):
            slope = lax.add(lax.mul(slope, x), lax.mul(scalar(k, c), c))
        return unbroadcast(lax.mul(dy, slope), x)

    of_coefficient = lambda k, c: lambda: unbroadcast(lax.mul(dy, lax.integer_pow(x, k)), c)
    return of_x, *(of_coefficient(k, c) for k, c in enumerate(coefficients))


def _pow_base(dy, y, x, b):
    """Multiply by `b x^(b-1)`, with an exponent of 1 where that is to vanish."""
    b = lax.convert_element_type(b, x.dtype)
    at_zero = lax.bitwise_and(lax.eq(x, scalar(0, x)), lax.lt(b, scalar(1, b)))
    vanishing = lax.bitwise_or(at_zero, lax.eq(b, scalar(0, b)))
    lower = lax.broadcast_in_dim(lax.sub(b, scalar(1, b)), y.shape, _axes(b, y))
    exponent = lax.select(lax.broadcast_in_dim(vanishing, y.shape, _axes(vanishing, y)), lax.full_like(y, 1), lower)
    return lax.mul(dy, lax.mul(b, lax.pow(x, exponent)))


def _axes(x, y):
    return range(y.ndim - x.ndim, y.ndim) if x.ndim == y.ndim else ()


def _pow_exponent(dy, y, x, b):
    """Multiply by `x^b log x`, taken as 0 at `x = 0`."""
    positive = lax.select(lax.eq(x, scalar(0, x)), lax.full_like(x, 1), x)
    return lax.mul(dy, lax.mul(y, lax.log(positive)))


binary("pow", _pow_base, _pow_exponent, singular=True)
