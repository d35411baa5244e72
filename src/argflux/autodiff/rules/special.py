"""Rules of the error, gamma, beta, zeta and Bessel functions."""

import math
from typing import Any

from jax import lax

from argflux.autodiff.rules.broadcasting import always, elementwise, scalar
from argflux.errors import MissingRuleError

_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


def _no_derivative(primitive: str, operand: str):
    """Refuse the derivative with respect to one operand, when it is asked for."""

    def partial(dy, y, *operands):
        raise MissingRuleError(
            f"the derivative of `{primitive}` with respect to its {operand}",
            "derivatives with respect to its other operands only",
            "stop the derivative before it with `af.ignore_derivatives`",
            where="gradient",
        )

    return partial


def _bell(x):
    return lax.exp(lax.neg(lax.square(x)))


elementwise("erf", lambda dy, y, x: lax.mul(dy, lax.mul(scalar(_TWO_OVER_ROOT_PI, x), _bell(x))))
elementwise("erfc", lambda dy, y, x: lax.mul(dy, lax.mul(scalar(-_TWO_OVER_ROOT_PI, x), _bell(x))))
elementwise(
    "erf_inv",
    lambda dy, y, x: lax.mul(dy, lax.mul(scalar(1 / _TWO_OVER_ROOT_PI, y), lax.exp(lax.square(y)))),
    doubt=always,
)
elementwise("lgamma", lambda dy, y, x: lax.mul(dy, lax.digamma(x)), doubt=always)
elementwise("digamma", lambda dy, y, x: lax.mul(dy, lax.polygamma(scalar(1, x), x)), doubt=always)
elementwise(
    "polygamma",
    _no_derivative("polygamma", "order"),
    lambda dy, y, n, x: lax.mul(dy, lax.polygamma(lax.add(n, scalar(1, y)), x)),
    doubt=always,
)
elementwise(
    "zeta",
    _no_derivative("zeta", "exponent"),
    lambda dy, y, s, q: lax.neg(lax.mul(dy, lax.mul(s, lax.zeta(lax.add(s, scalar(1, y)), q)))),
    doubt=always,
)


def _gamma_density(a, x):
    """The derivative of `igamma(a, x)` with respect to `x`: the density of a gamma variable."""
    return lax.exp(lax.sub(lax.mul(lax.sub(a, scalar(1, a)), lax.log(x)), lax.add(x, lax.lgamma(a))))


elementwise(
    "igamma",
    lambda dy, y, a, x: lax.mul(dy, lax.igamma_grad_a(a, x)),
    lambda dy, y, a, x: lax.mul(dy, _gamma_density(a, x)),
    doubt=always,
)
elementwise(
    "igammac",
    lambda dy, y, a, x: lax.neg(lax.mul(dy, lax.igamma_grad_a(a, x))),
    lambda dy, y, a, x: lax.neg(lax.mul(dy, _gamma_density(a, x))),
    doubt=always,
)


def _beta_density(a, b, x):
    one = scalar(1, x)
    powers = lax.add(lax.mul(lax.sub(a, one), lax.log(x)), lax.mul(lax.sub(b, one), lax.log1p(lax.neg(x))))
    log_beta = lax.sub(lax.add(lax.lgamma(a), lax.lgamma(b)), lax.lgamma(lax.add(a, b)))
    return lax.exp(lax.sub(powers, log_beta))


elementwise(
    "regularized_incomplete_beta",
    _no_derivative("regularized_incomplete_beta", "shape parameters"),
    _no_derivative("regularized_incomplete_beta", "shape parameters"),
    lambda dy, y, a, b, x: lax.mul(dy, _beta_density(a, b, x)),
    doubt=always,
)


elementwise("bessel_i0e", lambda dy, y, x: lax.mul(dy, lax.sub(lax.bessel_i1e(x), lax.mul(lax.sign(x), y))))


@lambda back: elementwise("bessel_i1e", back)
def bessel_i1e_back(dy, y, x):
    """Multiply by `I0e(x) - y (sign(x) + 1/x)`, which tends to ½ at 0."""
    at_zero = lax.eq(x, scalar(0, x))
    safe = lax.select(at_zero, lax.full_like(x, 1), x)
    slope = lax.sub(lax.bessel_i0e(safe), lax.mul(y, lax.add(lax.sign(safe), lax.div(scalar(1, x), safe))))
    return lax.mul(dy, lax.select(at_zero, lax.full_like(x, 0.5), slope))


@lambda back: elementwise("random_gamma", None, back, doubt=always, params=("log_space",))
def random_gamma_back(dy, y, key, a, *, log_space):
    """Move the sample with its shape parameter while its quantile stays."""
    slope: Any = lax.random_gamma_grad
    if not log_space:
        return lax.mul(dy, slope(a, y))
    sample = lax.exp(y)
    return lax.mul(dy, lax.div(slope(a, sample), sample))
