"""Activations that mix the entries along one axis, by default the last: the classes or features."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from argflux.errors import ShapeError
from argflux.keywords import explained
from argflux.nn.precision import in_single


@explained
def softmax(x: ArrayLike, axis: int = -1) -> Array:
    """Turn scores into probabilities, exp(x) / Σ exp(x) along an axis.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.softmax(jnp.array([[1.0, 1.0], [1e4, 0.0]])).tolist()
        [[0.5, 0.5], [1.0, 0.0]]
    """
    return in_single(jax.nn.softmax, x, axis=axis)


@explained
def logsoftmax(x: ArrayLike, axis: int = -1) -> Array:
    """Logarithm of the softmax, x - log Σ exp(x) along an axis.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.logsoftmax(jnp.array([1e4, 0.0])).tolist()
        [0.0, -10000.0]
    """
    return in_single(jax.nn.log_softmax, x, axis=axis)


@explained
def logsumexp(x: ArrayLike, axis: int = -1, keepdims: bool = False) -> Array:
    """Smooth maximum, log Σ exp(x) along an axis, which is dropped unless `keepdims`.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> round(float(nn.logsumexp(jnp.array([0.0, 0.0]))), 4)
        0.6931
    """
    return in_single(jax.nn.logsumexp, x, axis=axis, keepdims=keepdims)


@explained
def glu(x: ArrayLike, axis: int = -1) -> Array:
    """Gated linear unit: the first half along an axis times the sigmoid of the second half.

    Raises:
        ShapeError: if the axis has an odd length.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.glu(jnp.array([4.0, 0.0])).tolist()
        [2.0]
    """
    x = jnp.asarray(x)
    if x.shape[axis] % 2:
        raise ShapeError(
            f"shape {x.shape}, of length {x.shape[axis]} along axis {axis}",
            "an even length",
            "double the outputs of the layer before it",
            where="glu",
        )
    return in_single(jax.nn.glu, x, axis=axis)
