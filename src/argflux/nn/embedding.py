"""Embedding: a learned vector for every entry of a vocabulary."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ArgumentError, DtypeError
from argflux.jaxpr import Tracer
from argflux.keywords import explained
from argflux.nn.arguments import checked_dtype, checked_size, drawn
from argflux.nn.initialisers import normal
from argflux.nn.layer import Layer
from argflux.nn.precision import widened

TODO = "call Embedding(1000, 64): how many entries, and the width of their vectors"


@explained
class Embedding(Layer):
    """A vector for every entry of a vocabulary: the rows of the weight at the given indices.

    Args:
        entries: how many there are; indices run from 0 to entries - 1.
        width: of the vectors.
        padding: an index whose vector is zero and is never trained, or None.
        init: `(key, shape, dtype) -> array`, see `argflux.nn.initialisers`.
        key: a random key; without one, the next of the default stream (`seed`).
        dtype: of the vectors; float32 by default.

    Attributes:
        weight: shape (entries, width).

    Calling it:
        Integers of shape (...) give (..., width).

    Raises:
        DtypeError: for what are no integers.
        ArgumentError: for an index out of range. Under jit, where values are not known, its vector is NaN.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> layer = nn.Embedding(1000, 64)
        >>> layer(jnp.array([[1, 2, 3], [4, 5, 6]])).shape
        (2, 3, 64)
    """

    weight: Array
    padding: int | None = eqx.field(static=True)

    def __init__(
        self,
        entries: int,
        width: int,
        *,
        padding: int | None = None,
        init: Callable = normal,
        key: Array | None = None,
        dtype: DTypeLike | None = None,
    ):
        shape = (checked_size("Embedding", "entries", entries, TODO), checked_size("Embedding", "width", width, TODO))
        self.weight = drawn("Embedding", init, key, shape, checked_dtype("Embedding", dtype))
        self.padding = None if padding is None else checked_size("Embedding", "padding", padding, "pass an index", 0)
        if self.padding is not None and self.padding >= shape[0]:
            expected, todo = f"an index below {shape[0]}", "pass an index"
            raise ArgumentError(f"padding={padding}", expected, todo, where="Embedding")

    def __call__(self, x: ArrayLike) -> Array:
        """Map integers (...) to vectors (..., width)."""
        index = self._checked(jnp.asarray(x))
        weight = widened(self.weight)  # so that the gradients of an index met often add up in 32 bits
        rows = weight.at[index].get(mode="fill", fill_value=jnp.nan).astype(self.weight.dtype)
        if self.padding is None:
            return rows
        return jnp.where((index == self.padding)[..., None], jnp.zeros((), rows.dtype), rows)

    def _checked(self, index: Array) -> Array:
        if not jnp.issubdtype(index.dtype, jnp.integer):
            todo = "pass indices, such as those of onecold, or convert with jnp.asarray(x, int)"
            raise DtypeError(f"an input of dtype {index.dtype}", "integers", todo, where=self.label())
        entries = self.weight.shape[0]
        if not isinstance(index, Tracer) and index.size:
            values = np.asarray(index)
            for worst in (values.min(), values.max()):
                if not 0 <= worst < entries:
                    expected, todo = f"indices from 0 to {entries - 1}", "check the vocabulary, or add entries"
                    raise ArgumentError(f"index {worst}", expected, todo, where=self.label())
        return jnp.where(index < 0, jnp.full_like(index, entries), index)

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.Embedding(1000, 64, padding=0).label()
            'Embedding(1000 => 64, padding=0)'
        """
        padding = "" if self.padding is None else f", padding={self.padding}"
        return f"Embedding({' => '.join(map(str, getattr(self.weight, 'shape', '?')))}{padding})"
