"""Activations made of straight pieces, and their exponential relatives; each works elementwise.

At a corner the derivative is the one of the flatter side, so relu'(0) = 0.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from argflux.keywords import explained
from argflux.nn.precision import in_single


@explained
def relu(x: ArrayLike) -> Array:
    """Rectified linear unit, max(0, x), with relu'(0) = 0.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.relu(jnp.array([-2.0, 0.0, 3.0])).tolist()
        [0.0, 0.0, 3.0]
    """
    return jax.nn.relu(x)


@explained
def leakyrelu(x: ArrayLike, slope: float = 0.01) -> Array:
    """Leaky rectified linear unit: x for positive x, slope · x for the rest.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.leakyrelu(jnp.array([-2.0, 3.0]), slope=0.5).tolist()
        [-1.0, 3.0]
    """
    return in_single(lambda x: jnp.where(x > 0, x, slope * x), jnp.asarray(x))


@explained
def relu6(x: ArrayLike) -> Array:
    """Rectified linear unit capped at six, min(max(0, x), 6); the derivative is 0 at both corners.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.relu6(jnp.array([-1.0, 3.0, 9.0])).tolist()
        [0.0, 3.0, 6.0]
    """
    x = jnp.asarray(x)
    return jnp.where(x > 0, jnp.where(x < 6, x, 6.0), 0.0)


@explained
def trelu(x: ArrayLike, theta: float = 1.0) -> Array:
    """Thresholded rectified linear unit: x above theta, 0 at or below it.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.trelu(jnp.array([0.5, 1.5])).tolist()
        [0.0, 1.5]
    """
    x = jnp.asarray(x)
    return jnp.where(x > theta, x, 0.0)


@explained
def hardtanh(x: ArrayLike) -> Array:
    """Piecewise linear tanh, min(max(-1, x), 1); the derivative is 0 at both corners.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.hardtanh(jnp.array([-3.0, 0.5, 2.0])).tolist()
        [-1.0, 0.5, 1.0]
    """
    x = jnp.asarray(x)
    return jnp.where(x > -1, jnp.where(x < 1, x, 1.0), -1.0)


@explained
def hardsigmoid(x: ArrayLike) -> Array:
    """Piecewise linear sigmoid, min(max(0, (x + 3) / 6), 1).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.hardsigmoid(jnp.array([-4.0, 0.0, 4.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    return in_single(lambda x: relu6(x + 3.0) / 6.0, jnp.asarray(x))


@explained
def hardswish(x: ArrayLike) -> Array:
    """Piecewise quadratic swish, x · hardsigmoid(x).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.hardswish(jnp.array([-1.5, 1.5, 4.0])).tolist()
        [-0.375, 1.125, 4.0]
    """
    return in_single(lambda x: x * hardsigmoid(x), jnp.asarray(x))


@explained
def softshrink(x: ArrayLike, threshold: float = 0.5) -> Array:
    """Soft thresholding: shrinks |x| by the threshold and leaves 0 where |x| is below it.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.softshrink(jnp.array([-2.0, 0.25, 2.0])).tolist()
        [-1.5, 0.0, 1.5]
    """
    return in_single(lambda x: jax.nn.relu(x - threshold) - jax.nn.relu(-x - threshold), jnp.asarray(x))


@explained
def elu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """Exponential linear unit: x for positive x, alpha · (exp(x) - 1) for the rest.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> [round(v, 4) for v in nn.elu(jnp.array([-1.0, 2.0])).tolist()]
        [-0.6321, 2.0]
    """
    return in_single(jax.nn.elu, x, alpha)


@explained
def celu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """Continuously differentiable elu: x for positive x, alpha · (exp(x / alpha) - 1) for the rest.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> [round(v, 4) for v in nn.celu(jnp.array([-2.0, 2.0]), alpha=2.0).tolist()]
        [-1.2642, 2.0]
    """
    return in_single(jax.nn.celu, x, alpha)


@explained
def selu(x: ArrayLike) -> Array:
    """Self-normalising elu, 1.0507 · elu(x, 1.6733).

    Reference:
        Klambauer et al., Self-Normalizing Neural Networks, 2017.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> [round(v, 4) for v in nn.selu(jnp.array([-1.0, 1.0])).tolist()]
        [-1.1113, 1.0507]
    """
    return in_single(jax.nn.selu, x)
