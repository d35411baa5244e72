"""x log x and x log y, which are 0 at x = 0, as entropy needs them."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from argflux.keywords import explained
from argflux.nn.precision import in_single, widened


@explained
def xlogx(x: ArrayLike) -> Array:
    """Return x · log(x), and 0 at x = 0, where the derivative is taken as 0.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import xlogx
        >>> xlogx(jnp.array([0.0, 1.0])).tolist()
        [0.0, 0.0]
    """
    return in_single(lambda x: x * jnp.log(jnp.where(x == 0, 1.0, x)), jnp.asarray(x))


@explained
def xlogy(x: ArrayLike, y: ArrayLike) -> Array:
    """Return x · log(y), and 0 at x = 0 whatever y, with finite derivatives there.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import xlogy
        >>> xlogy(jnp.array([0.0, 2.0]), jnp.array([0.0, 1.0])).tolist()
        [0.0, 0.0]
    """
    x, y = jnp.asarray(x), jnp.asarray(y)
    return in_single(lambda x: x * jnp.log(jnp.where((x == 0) & (y <= 0), 1.0, widened(y))), x)
