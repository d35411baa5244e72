"""Dense layers of many starts at once, with the rows of the batch last, where processors are quickest."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from argflux.autodiff import primitive
from argflux.nn import Chain, Dense, activation, crossentropy, logitcrossentropy

_ALONG_AN_AXIS = {"glu", "logsoftmax", "logsumexp", "softmax"}
ELEMENTWISE = {getattr(activation, name) for name in activation.__all__ if name not in _ALONG_AN_AXIS} | {
    jax.nn.elu, jax.nn.gelu, jax.nn.leaky_relu, jax.nn.relu, jax.nn.relu6, jax.nn.selu, jax.nn.sigmoid, jax.nn.silu,
    jax.nn.softplus, jax.nn.tanh, jnp.tanh,
}  # fmt: skip
_SHARED, _EACH = (((2,), (0,)), ((), ())), (((2,), (1,)), ((0,), (0,)))
WITH_AN_AXIS = (crossentropy, logitcrossentropy)


def through_dense(network: Any, x: Array) -> tuple[Array, int]:
    """Take inputs through the dense layers at the beginning of a stacked network.

    All starts' first layers are one product with the inputs that they share. From there on features come before rows,
    so that every product is as long as the batch, and nothing is transposed between layers.

    Args:
        network: whose arrays are stacked along a first axis, one slice a start.
        x: inputs, shape (rows, features).

    Returns:
        The columns behind those layers, shape (starts, features, rows), and how many layers that were: none of a
        network that is no Chain, or begins otherwise.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from argflux import nn
        >>> from argflux.patterns.study.columns import through_dense
        >>> start = nn.Chain(nn.Dense(3, 2, nn.relu), nn.softmax)
        >>> columns, layers = through_dense(jax.tree.map(lambda a: jnp.stack([a, 2 * a]), start), jnp.ones((5, 3)))
        >>> columns.shape, layers
        ((2, 2, 5), 1)
    """
    columns, done = x.T, 0
    for layer in network if isinstance(network, Chain) and x.ndim == 2 else ():
        if type(layer) is Dense and _fits(layer, columns):
            columns = _dense(layer, columns)
        elif done and _is_elementwise(layer):
            columns = layer(columns)
        else:
            break
        done += 1
    return columns, done


def _is_elementwise(layer: Any) -> bool:
    return any(layer is function for function in ELEMENTWISE)


def _fits(layer: Dense, columns: Array) -> bool:
    weight = layer.weight
    fits = weight.dtype == columns.dtype and weight.ndim == 3 and weight.shape[-1] == columns.shape[-2]
    return fits and _is_elementwise(layer.activation)


def _dense(layer: Dense, columns: Array) -> Array:
    shared = columns.ndim == 2
    product = lax.dot_general(layer.weight, columns, _SHARED) if shared else _products(layer.weight, columns)
    return layer.activation(product if layer.bias is None else product + layer.bias[:, :, None])


@primitive
def _products(weight: Array, columns: Array) -> Array:
    return lax.dot_general(weight, columns, _EACH)


@_products.rrule
def _(weight: Array, columns: Array) -> tuple[Array, Callable]:
    def products_pullback(dz: Array) -> tuple:
        turned = lax.optimization_barrier(jnp.swapaxes(weight, 1, 2))  # kept, a product on a CPU takes half the time
        return None, lax.dot_general(dz, columns, (((2,), (2,)), ((0,), (0,)))), lax.dot_general(turned, dz, _EACH)

    return _products(weight, columns), products_pullback
