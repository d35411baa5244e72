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

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux.autodiff.masks import keep_zeros
from argflux.autodiff.registry import RULES, pulls_back, zero_derivative
from argflux.autodiff.rules.broadcasting import always, elementwise, scalar, unbroadcast, zeros

zero_derivative("sign", "floor", "ceil", "round")

elementwise("add", lambda dy, y, a, b: dy, lambda dy, y, a, b: dy, moves=True)
elementwise("add_any", lambda dy, y, a, b: dy, lambda dy, y, a, b: dy, moves=True)
elementwise("sub", lambda dy, y, a, b: dy, lambda dy, y, a, b: lax.neg(unbroadcast(dy, b)), moves=True)
elementwise(
    "mul",
    lambda dy, y, a, b: lax.mul(dy, b),
    lambda dy, y, a, b: lax.mul(dy, a),
    doubt=lambda position, wild, *operands: wild[1 - position],
)


def _divisor_partial(dy, y, a, b):
    """Multiply by `-a / b²`."""
    return lax.neg(lax.mul(lax.div(dy, b), y))


def _is_constant(b) -> bool:
    return isinstance(b, np.ndarray) and bool(np.all(b != 0))


elementwise(
    "div",
    lambda dy, y, a, b: lax.div(dy, b),
    _divisor_partial,
    doubt=lambda _, wild, a, b: any(wild) or not _is_constant(b),
)


def _divide_once(plain):
    """Divide by a divisor that was repeated after the sum, where no zeros have to be kept."""

    def div_back(dy, y, a, b, **params):
        da, db = plain(dy, y, a, b)
        return da, db if dy.shape == b.shape else lambda: lax.neg(
            lax.div(lax.div(unbroadcast(lax.mul(dy, a), b), b), b)
        )

    return div_back


RULES["div"] = replace(RULES["div"], back=_divide_once(RULES["div"].back))
elementwise("neg", lambda dy, y, x: lax.neg(dy), moves=True)
elementwise("abs", lambda dy, y, x: lax.mul(dy, lax.sign(x)))
elementwise("square", lambda dy, y, x: lax.mul(dy, lax.mul(scalar(2, x), x)))
elementwise("nextafter", lambda dy, y, a, b: dy, None, moves=True)


def _share(dy, wins, ties):
    """Give the whole cotangent to a winner and half of it to each of two that tie."""
    half = lax.mul(dy, scalar(0.5, dy))
    return lax.select(wins, dy, lax.select(ties, half, zeros(dy)))


elementwise(
    "max",
    lambda dy, y, a, b: _share(dy, lax.gt(a, b), lax.eq(a, b)),
    lambda dy, y, a, b: _share(dy, lax.gt(b, a), lax.eq(a, b)),
    selects=True,
    moves=True,
)
elementwise(
    "min",
    lambda dy, y, a, b: _share(dy, lax.lt(a, b), lax.eq(a, b)),
    lambda dy, y, a, b: _share(dy, lax.lt(b, a), lax.eq(a, b)),
    selects=True,
    moves=True,
)


def _truncated_quotient(a, b):
    q = lax.div(a, b)
    return lax.select(lax.lt(q, scalar(0, q)), lax.ceil(q), lax.floor(q))


elementwise(
    "rem",
    lambda dy, y, a, b: dy,
    lambda dy, y, a, b: lax.neg(lax.mul(dy, _truncated_quotient(a, b))),
    doubt=always,
)


@pulls_back("clamp", selects=True, moves=True)
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


elementwise("sqrt", lambda dy, y, x: lax.div(lax.mul(dy, scalar(0.5, y)), or_infinity(y)), doubt=always)
elementwise("rsqrt", lambda dy, y, x: lax.mul(dy, lax.mul(scalar(-0.5, y), lax.div(y, x))), doubt=always)
elementwise("cbrt", lambda dy, y, x: lax.mul(dy, lax.div(lax.mul(scalar(1 / 3, y), y), or_infinity(x))), doubt=always)


@lambda back: elementwise("integer_pow", back, doubt=lambda _, wild, x, *, y: any(wild) or y < 1, params=("y",))
def integer_pow_back(dy, value, x, *, y):
    """Multiply by `n x^(n-1)`; the exponent `n` is the parameter called `y`."""
    return lax.mul(dy, lax.mul(scalar(y, x), lax.integer_pow(x, y - 1))) if y else zeros(dy)


elementwise("one_minus_square", lambda dy, y, x: lax.mul(dy, lax.mul(scalar(-2, x), x)), doubt=always)


def _polynomial(dy, y, x, coefficients, keep):
    """Multiply by the polynomial's derivative, and by `x^k` for the coefficient of that power."""

    def of_x():
        slope = lax.full_like(y, 0)
        for k, c in reversed(list(enumerate(coefficients))[1:]):
            slope = lax.add(lax.mul(slope, x), lax.mul(scalar(k, c), c))
        return unbroadcast(keep(dy, lax.mul(dy, slope)), x)

    of_coefficient = lambda k, c: lambda: unbroadcast(keep(dy, lax.mul(dy, lax.integer_pow(x, k))), c)
    return of_x, *(of_coefficient(k, c) for k, c in enumerate(coefficients))


def polynomial_kept(wild, dy, y, x, *coefficients, unroll=None):
    """Keep zeros of the cotangent."""
    return _polynomial(dy, y, x, coefficients, keep_zeros)


@pulls_back("polynomial", kept=polynomial_kept)
def polynomial_back(dy, y, x, *coefficients, unroll=None):
    """Multiply by the polynomial's derivative, and by `x^k` for the coefficient of that power."""
    return _polynomial(dy, y, x, coefficients, lambda dy, dx: dx)


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


elementwise("pow", _pow_base, _pow_exponent, doubt=always)
