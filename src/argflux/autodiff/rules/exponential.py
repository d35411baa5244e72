"""Rules of exponentials and logarithms."""

import math

from jax import lax

from argflux.autodiff.rules.broadcasting import always, elementwise, scalar

elementwise("exp", lambda dy, y, x: lax.mul(dy, y), doubt=always)
elementwise("exp2", lambda dy, y, x: lax.mul(dy, lax.mul(y, scalar(math.log(2), y))), doubt=always)
elementwise("expm1", lambda dy, y, x: lax.mul(dy, lax.add(y, scalar(1, y))), doubt=always)
elementwise("log", lambda dy, y, x: lax.div(dy, x), doubt=always)
elementwise("log2", lambda dy, y, x: lax.div(dy, lax.mul(x, scalar(math.log(2), x))), doubt=always)
elementwise("log1p", lambda dy, y, x: lax.div(dy, lax.add(x, scalar(1, x))), doubt=always)
elementwise("logistic", lambda dy, y, x: lax.mul(dy, lax.mul(y, lax.sub(scalar(1, y), y))))
elementwise("tanh", lambda dy, y, x: lax.mul(dy, lax.sub(scalar(1, y), lax.mul(y, y))))
