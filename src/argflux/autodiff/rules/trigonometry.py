"""Rules of trigonometric and hyperbolic functions and their inverses; `atan2(0, 0)` has derivative 0."""

from jax import lax

from argflux.autodiff.registry import elementwise
from argflux.autodiff.rules.arithmetic import or_infinity
from argflux.autodiff.rules.broadcasting import binary, scalar


def _one_minus_square(x):
    return lax.sub(scalar(1, x), lax.square(x))


def _one_plus_square(x):
    return lax.add(scalar(1, x), lax.square(x))


def _over_radius(c, a, b):
    return lax.div(c, or_infinity(lax.add(lax.square(a), lax.square(b))))


elementwise("sin", lambda dy, y, x: lax.mul(dy, lax.cos(x)))
elementwise("cos", lambda dy, y, x: lax.neg(lax.mul(dy, lax.sin(x))))
elementwise("tan", lambda dy, y, x: lax.mul(dy, _one_plus_square(y)), singular=True)
elementwise("asin", lambda dy, y, x: lax.mul(dy, lax.rsqrt(_one_minus_square(x))), singular=True)
elementwise("acos", lambda dy, y, x: lax.neg(lax.mul(dy, lax.rsqrt(_one_minus_square(x)))), singular=True)
elementwise("atan", lambda dy, y, x: lax.div(dy, _one_plus_square(x)))
binary(
    "atan2",
    lambda dy, y, a, b: lax.mul(dy, _over_radius(b, a, b)),
    lambda dy, y, a, b: lax.neg(lax.mul(dy, _over_radius(a, a, b))),
    singular=True,
)
elementwise("sinh", lambda dy, y, x: lax.mul(dy, lax.cosh(x)), singular=True)
elementwise("cosh", lambda dy, y, x: lax.mul(dy, lax.sinh(x)), singular=True)
elementwise("asinh", lambda dy, y, x: lax.mul(dy, lax.rsqrt(_one_plus_square(x))))


@lambda back: elementwise("acosh", back, singular=True)
def acosh_back(dy, y, x):
    """Divide by the square root of `x² - 1`, factored so that nothing cancels near 1."""
    return lax.mul(dy, lax.mul(lax.rsqrt(lax.sub(x, scalar(1, x))), lax.rsqrt(lax.add(x, scalar(1, x)))))


@lambda back: elementwise("atanh", back, singular=True)
def atanh_back(dy, y, x):
    """Divide by `1 - x²`, factored so that nothing cancels near ±1."""
    return lax.div(dy, lax.mul(lax.sub(scalar(1, x), x), lax.add(scalar(1, x), x)))
