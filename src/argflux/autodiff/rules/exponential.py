"""Rules of exponentials and logarithms."""

import math

from jax import lax

from argflux.autodiff.registry import elementwise
from argflux.autodiff.rules.broadcasting import scalar

elementwise("exp", lambda dy, y, x: lax.mul(dy, y), singular=True)
elementwise("exp2", lambda dy, y, x: lax.mul(dy, lax.mul(y, scalar(math.log(2), y))), singular=True)
elementwise("expm1", lambda dy, y, x: lax.mul(dy, lax.add(y, scalar(1, y))), singular=True)
elementwise("log", lambda dy, y, x: lax.div(dy, x), singular=True)
elementwise("log2", lambda dy, y, x: lax.div(dy, lax.mul(x, scalar(math.log(2), x))), singular=True)
elementwise("log1p", lambda dy, y, x: lax.div(dy, lax.add(x, scalar(1, x))), singular=True)
elementwise("logistic", lambda dy, y, x: lax.mul(dy, lax.mul(y, lax.sub(scalar(1, y), y))))
elementwise("tanh", lambda dy, y, x: lax.mul(dy, lax.sub(scalar(1, y), lax.mul(y, y))))
