"""Smooth activations; each works elementwise and stays finite, with its derivative, for large inputs."""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from argflux.keywords import explained
from argflux.nn.precision import in_single


@explained
def identity(x: ArrayLike) -> Array:
    """Return x unchanged.

    Example:
        >>> from argflux import nn
        >>> nn.identity(3.0)
        3.0
    """
    return x  # type: ignore[return-value]


@explained
def tanh(x: ArrayLike) -> Array:
    """Hyperbolic tangent.

    Example:
        >>> from argflux import nn
        >>> round(float(nn.tanh(1.0)), 4)
        0.7616
    """
    return in_single(jnp.tanh, x)


@explained
def sigmoid(x: ArrayLike) -> Array:
    """Logistic function, 1 / (1 + exp(-x)).

    Example:
        >>> from argflux import nn
        >>> float(nn.sigmoid(0.0))
        0.5
    """
    return in_single(jax.nn.sigmoid, x)


@explained
def logsigmoid(x: ArrayLike) -> Array:
    """Logarithm of the sigmoid, -log(1 + exp(-x)).

    Example:
        >>> from argflux import nn
        >>> float(nn.logsigmoid(-1e4))
        -10000.0
    """
    return in_single(jax.nn.log_sigmoid, x)


@explained
def softplus(x: ArrayLike) -> Array:
    """Smooth relu, log(1 + exp(x)).

    Example:
        >>> from argflux import nn
        >>> round(float(nn.softplus(0.0)), 4)
        0.6931
    """
    return in_single(jax.nn.softplus, x)


@explained
def softsign(x: ArrayLike) -> Array:
    """Rational sigmoid, x / (1 + |x|).

    Example:
        >>> from argflux import nn
        >>> float(nn.softsign(-1.0))
        -0.5
    """
    return in_single(jax.nn.soft_sign, x)


@explained
def swish(x: ArrayLike) -> Array:
    """Self-gated unit, x · sigmoid(x), also called SiLU.

    Example:
        >>> from argflux import nn
        >>> round(float(nn.swish(1.0)), 4)
        0.7311
    """
    return in_single(jax.nn.silu, x)


@explained
def gelu(x: ArrayLike) -> Array:
    """Gaussian error linear unit; the same as `gelu_tanh`.

    Reference:
        Hendrycks and Gimpel, Gaussian Error Linear Units, 2016.

    Example:
        >>> from argflux import nn
        >>> round(float(nn.gelu(1.0)), 4)
        0.8412
    """
    return gelu_tanh(x)


@explained
def gelu_tanh(x: ArrayLike) -> Array:
    """Gaussian error linear unit by its tanh approximation, x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))).

    Example:
        >>> from argflux import nn
        >>> round(float(nn.gelu_tanh(-1.0)), 4)
        -0.1588
    """
    return in_single(jax.nn.gelu, x, approximate=True)


@explained
def gelu_erf(x: ArrayLike) -> Array:
    """Gaussian error linear unit, exactly: x · Φ(x), with Φ the standard normal distribution function.

    Example:
        >>> from argflux import nn
        >>> round(float(nn.gelu_erf(1.0)), 4)
        0.8413
    """
    return in_single(jax.nn.gelu, x, approximate=False)


@explained
def gelu_sigmoid(x: ArrayLike) -> Array:
    """Gaussian error linear unit by its sigmoid approximation, x · sigmoid(1.702 x).

    Example:
        >>> from argflux import nn
        >>> round(float(nn.gelu_sigmoid(1.0)), 4)
        0.8458
    """
    return in_single(lambda x: x * jax.nn.sigmoid(1.702 * x), jnp.asarray(x))


@explained
def mish(x: ArrayLike) -> Array:
    """Self-regularised unit, x · tanh(softplus(x)).

    Example:
        >>> from argflux import nn
        >>> round(float(nn.mish(1.0)), 4)
        0.8651
    """
    return in_single(jax.nn.mish, x)


@explained
def lisht(x: ArrayLike) -> Array:
    """Linearly scaled tanh, x · tanh(x).

    Example:
        >>> from argflux import nn
        >>> round(float(nn.lisht(-1.0)), 4)
        0.7616
    """
    return in_single(lambda x: x * jnp.tanh(x), jnp.asarray(x))


@explained
def tanhshrink(x: ArrayLike) -> Array:
    """What tanh takes away, x - tanh(x).

    Example:
        >>> from argflux import nn
        >>> round(float(nn.tanhshrink(1.0)), 4)
        0.2384
    """
    return in_single(lambda x: x - jnp.tanh(x), jnp.asarray(x))


@explained
def logcosh(x: ArrayLike) -> Array:
    """Logarithm of cosh, computed as x + softplus(-2x) - log 2 so that it does not overflow.

    Example:
        >>> from argflux import nn
        >>> round(float(nn.logcosh(1.0)), 4)
        0.4338
    """
    return in_single(lambda x: x + jax.nn.softplus(-2.0 * x) - math.log(2.0), jnp.asarray(x))
