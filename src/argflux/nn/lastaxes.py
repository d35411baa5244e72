"""Biases and scales of the last axes, under any number of axes before, written out for `jax_numpy_rank_promotion`."""

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike


def under(x: Array, values: ArrayLike) -> Array:
    """Return values of the last axes of x with axes of length 1 before them, as many as x has.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.lastaxes import under
        >>> under(jnp.ones((5, 4, 3)), jnp.ones(3)).shape
        (1, 1, 3)
    """
    return lax.broadcast_to_rank(jnp.asarray(values), jnp.ndim(x))


def biased(x: Array, bias: Array | None) -> Array:
    """Return x + bias, or x where the bias is None.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.lastaxes import biased
        >>> biased(jnp.zeros((1, 2)), jnp.ones(2)).tolist()
        [[1.0, 1.0]]
    """
    return x if bias is None else x + under(x, bias)


def scaled(x: Array, scale: Array | None, bias: Array | None) -> Array:
    """Return x · scale + bias, without those that are None, in the dtype of x.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn.lastaxes import scaled
        >>> scaled(jnp.ones(2), None, jnp.ones(2)).tolist()
        [2.0, 2.0]
    """
    x = x if scale is None else x * under(x, scale.astype(x.dtype))
    return biased(x, None if bias is None else bias.astype(x.dtype))
