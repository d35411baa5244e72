"""activations: every intermediate output of a chain."""

from typing import Any

from argflux.errors import DtypeError
from argflux.keywords import explained
from argflux.nn.chain import Chain
from argflux.nn.show import label


@explained
def activations(chain: Chain, x: Any) -> tuple:
    """Return the output of every layer of a chain, in order; the last is that of the chain.

    Raises:
        DtypeError: for a model that is no Chain.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> m = nn.Chain(nn.Dense(10, 5, nn.relu), nn.Dense(5, 2), nn.softmax)
        >>> [y.shape for y in nn.activations(m, jnp.ones((7, 10)))]
        [(7, 5), (7, 2), (7, 2)]
    """
    if not isinstance(chain, Chain):
        todo = "put its layers into a Chain"
        raise DtypeError(f"{label(chain)}", "a Chain", todo, where="activations")
    outputs = []
    for position in range(len(chain)):
        x = chain.layers.call(position, x)
        outputs.append(x)
    return tuple(outputs)
