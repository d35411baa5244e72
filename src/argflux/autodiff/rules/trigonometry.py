"""Rules of trigonometric and hyperbolic functions and their inverses; `atan2(0, 0)` has derivative 0."""

from jax import lax

from argflux.autodiff.rules.arithmetic import or_infinity
from argflux.autodiff.rules.broadcasting import always, elementwise, scalar


def _one_minus_square(x):
    return lax.sub(scalar(1, x), lax.square(x))


def _one_plus_square(x):
    return lax.add(scalar(1, x), lax.square(x))


def _over_radius(c, a, b):
    return lax.div(c, or_infinity(lax.add(lax.square(a), lax.square(b))))


elementwise("sin", lambda dy, y, x: lax.mul(dy, lax.cos(x)))
elementwise("cos", lambda dy, y, x: lax.neg(lax.mul(dy, lax.sin(x))))
elementwise("tan", lambda dy, y, x: lax.mul(dy, _one_plus_square(y)), doubt=always)
elementwise("asin", lambda dy, y, x: lax.mul(dy, lax.rsqrt(_one_minus_square(x))), doubt=always)
elementwise("acos", lambda dy, y, x: lax.neg(lax.mul(dy, lax.rsqrt(_one_minus_square(x)))), doubt=always)
elementwise("atan", lambda dy, y, x: lax.div(dy, _one_plus_square(x)))
elementwise(
    "atan2",
    lambda dy, y, a, b: lax.mul(dy, _over_radius(b, a, b)),
    lambda dy, y, a, b: lax.neg(lax.mul(dy, _over_radius(a, a, b))),
    doubt=always,
)
elementwise("sinh", lambda dy, y, x: lax.mul(dy, lax.cosh(x)), doubt=always)
elementwise("cosh", lambda dy, y, x: lax.mul(dy, lax.sinh(x)), doubt=always)
elementwise("asinh", lambda dy, y, x: lax.mul(dy, lax.rsqrt(_one_plus_square(x))))


@lambda back: elementwise("acosh", back, doubt=always)
def acosh_back(dy, y, x):
    """Divide by the square root of `x² - 1`, factored so that nothing cancels near 1."""
    return lax.mul(dy, lax.mul(lax.rsqrt(lax.sub(x, scalar(1, x))), lax.rsqrt(lax.add(x, scalar(1, x)))))


@lambda back: elementwise("atanh", back, doubt=always)
def atanh_back(dy, y, x):
    """Divide by `1 - x²`, factored so that nothing cancels near ±1."""
    return lax.div(dy, lax.mul(lax.sub(scalar(1, x), x), lax.add(scalar(1, x), x)))
