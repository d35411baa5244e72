"""The trainable arrays of a model: by name, and as one vector."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from argflux.errors import DtypeError, ShapeError
from argflux.keywords import explained
from argflux.tree import named_leaves, trainable_flags
from argflux.userlayer import register_layers


@explained
def trainables(model: Any) -> list[tuple[str, Array]]:
    """Return (name, array) for every floating array of a model, in order; those of a `Buffer` are not trained.

    An array at several places is listed at each of them; `summary` says that they are one.

    Example:
        >>> from argflux.nn import trainables
        >>> from argflux import nn
        >>> [(name, array.shape) for name, array in trainables(nn.Chain(nn.Dense(3, 2), nn.relu))]
        [('layers[0].weight', (2, 3)), ('layers[0].bias', (2,))]
    """
    register_layers(model)
    return [item for item, moves in zip(named_leaves(model), trainable_flags(model), strict=True) if moves]


@explained
def destructure(model: Any) -> tuple[Array, Callable[[Array], Any]]:
    """Return the trainable arrays as one vector, and the function that rebuilds the model from such a vector.

    Returns:
        (vector, rebuild): the vector has one entry per parameter, in the order of `trainables`.

    Raises:
        DtypeError: if the arrays have several dtypes.
        ShapeError: from rebuild, for a vector of another length.

    Example:
        >>> from argflux.nn import destructure
        >>> from argflux import nn
        >>> vector, rebuild = destructure(nn.Dense(3, 2))
        >>> vector.shape, rebuild(vector + 1.0).bias.tolist()
        ((8,), [1.0, 1.0])
    """
    dtypes = {str(array.dtype) for _, array in trainables(model)}
    if len(dtypes) > 1:
        got, todo = f"arrays of dtypes {', '.join(sorted(dtypes))}", "cast the model to a single dtype first"
        raise DtypeError(got, "one dtype, as a vector has one", todo, where="destructure")
    flags = jax.tree.unflatten(jax.tree.structure(model), trainable_flags(model))
    arrays, rest = eqx.partition(model, flags)
    vector, unravel = ravel_pytree(arrays)

    def rebuild(flat: Array) -> Any:
        if jnp.shape(flat) != vector.shape:
            got, todo = f"shape {jnp.shape(flat)}", "pass a vector from destructure of the same model"
            raise ShapeError(got, f"{vector.shape}", todo, where="rebuild")
        return eqx.combine(unravel(flat), rest)

    return vector, explained(rebuild)
