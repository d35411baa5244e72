"""MultiHeadAttention: every entry of a sequence reads the entries of another."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Numbers
from argflux.nn.arguments import checked_size
from argflux.nn.dense import Dense
from argflux.nn.dropout import Dropout
from argflux.nn.layer import Layer
from argflux.nn.precision import wide_dtype
from argflux.nn.random import next_key

TODO = "call MultiHeadAttention(64, heads=8)"


@explained(options="init dtype")
class MultiHeadAttention(Layer):
    """Attention with several heads: softmax(Q Kᵀ / √d) V in each, from linear maps of the inputs, then another.

    Args:
        inputs: the width of the inputs, or the three of query, key and value.
        hidden: the width of all heads together: of queries and keys, and of values if two are given. That of the
            query input by default.
        outputs: the width of the output; that of the query input by default.
        heads: how many there are; they split `hidden`.
        causal: whether an entry reads only itself and those before it.
        bias: whether the four linear maps have one.
        dropout: the probability that a weight is dropped in training.
        return_weights: whether to return (y, weights), the weights of shape (batch, heads, length, length of key).
        key: a random key; without one, the next of the default stream (`seed`).
        **options: init and dtype of `Dense`.

    Attributes:
        query, key, value, output: the four `Dense` maps.

    Calling it:
        A query of shape (batch, length, width), by default also key and value (the value is the key where it is not
        given), gives (batch, length, outputs). `mask` is True where reading is allowed, of a shape that broadcasts to
        (batch, heads, length, length of key); an entry that may read nothing reads everything equally.

    Raises:
        ArgumentError: if heads do not divide the hidden width.
        ShapeError: for inputs that are no sequences, or do not fit together, or a mask that does not.

    Reference:
        Vaswani et al., Attention Is All You Need, 2017.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> layer = nn.MultiHeadAttention(64, heads=8, causal=True)
        >>> layer(jnp.ones((2, 10, 64))).shape
        (2, 10, 64)
    """

    query: Dense
    key: Dense
    value: Dense
    output: Dense
    heads: int = eqx.field(static=True)
    causal: bool = eqx.field(static=True)
    return_weights: bool = eqx.field(static=True)
    dropout: Dropout

    def __init__(
        self,
        inputs: int | tuple[int, int, int],
        hidden: int | tuple[int, int] | None = None,
        outputs: int | None = None,
        *,
        heads: int = 8,
        causal: bool = False,
        bias: bool = False,
        dropout: float = 0.0,
        return_weights: bool = False,
        key: Array | None = None,
        **options: Any,
    ):
        widths = _widths("inputs", inputs, 3)
        of_keys, of_values = _widths("hidden", widths[0] if hidden is None else hidden, 2)
        self.heads = checked_size("MultiHeadAttention", "heads", heads, TODO)
        for width in (of_keys, of_values):
            if width % self.heads:
                got, todo = f"{heads} heads of a hidden width of {width}", "change heads or hidden"
                raise ArgumentError(got, "heads that divide the width", todo, where="MultiHeadAttention")
        keys = jax.random.split(next_key(key), 4)
        made = [
            Dense(width, hidden_width, bias=bias, key=k, **options)
            for width, hidden_width, k in zip(widths, (of_keys, of_keys, of_values), keys[:3], strict=True)
        ]
        self.query, self.key, self.value = made
        self.output = Dense(of_values, widths[0] if outputs is None else outputs, bias=bias, key=keys[3], **options)
        self.dropout = Dropout(dropout)
        self.causal, self.return_weights = bool(causal), bool(return_weights)

    def __call__(
        self,
        query: ArrayLike,
        key: ArrayLike | None = None,
        value: ArrayLike | None = None,
        *,
        mask: Numbers = None,
    ) -> Any:
        """Map (batch, length, width) to (batch, length, outputs)."""
        key = query if key is None else key
        value = key if value is None else value
        self._check(*(jnp.shape(x) for x in (query, key, value)))
        q, k, v = (self._split(x) for x in (self.query(query), self.key(key), self.value(value)))
        scores = q.shape[-1] ** -0.5 * jnp.einsum("blhd,bmhd->bhlm", q, k, preferred_element_type=wide_dtype(q.dtype))
        weights = self.dropout(jax.nn.softmax(self._masked(scores, mask), axis=-1).astype(v.dtype))
        read = jnp.einsum("bhlm,bmhd->blhd", weights, v)
        y = self.output(read.reshape(*read.shape[:2], read.shape[2] * read.shape[3]))
        return (y, weights) if self.return_weights else y

    def _check(self, query: tuple, key: tuple, value: tuple) -> None:
        shapes = f"query {query}, key {key} and value {value}"
        if not len(query) == len(key) == len(value) == 3:
            todo = "add the axis of the batch: x[None]" if len(query) == 2 else "pass sequences, batch first"
            raise ShapeError(shapes, "three axes each: (batch, length, width)", todo, where=self.label())
        if key[:2] != value[:2] or query[0] != key[0]:
            todo = "pass a value for every key, and batches of one size"
            raise ShapeError(shapes, "equal batches, and as many keys as values", todo, where=self.label())

    def _split(self, x: Array) -> Array:
        return x.reshape(*x.shape[:2], self.heads, x.shape[2] // self.heads)

    def _masked(self, scores: Array, mask: Any) -> Array:
        allowed = None if mask is None else self._checked_mask(mask, scores.shape)
        if self.causal:
            length, keys = scores.shape[-2:]
            before = jnp.asarray(np.tri(length, keys, dtype=bool))
            allowed = before if allowed is None else allowed & before
        if allowed is None:
            return scores
        return jnp.where(allowed, scores, jnp.full((), jnp.finfo(scores.dtype).min, scores.dtype))

    def _checked_mask(self, mask: Any, shape: tuple[int, ...]) -> Array:
        mask = jnp.asarray(mask)
        if mask.dtype != bool:
            todo = "pass True where reading is allowed"
            raise DtypeError(f"a mask of dtype {mask.dtype}", "booleans", todo, where=self.label())
        fits = mask.ndim <= 4 and all(m in (1, n) for m, n in zip(mask.shape[::-1], shape[::-1], strict=False))
        if not fits:
            todo = "give it one axis each for batch, heads, length and length of key, of size 1 where it is the same"
            raise ShapeError(
                f"a mask of shape {mask.shape}", f"one that broadcasts to {shape}", todo, where=self.label()
            )
        return mask

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.MultiHeadAttention(64, heads=4, causal=True).label()
            'MultiHeadAttention(64 => 64 => 64, heads=4, causal=True)'
        """
        inputs = _one_or_all([_width(layer, 1) for layer in (self.query, self.key, self.value)])
        hidden = _one_or_all([_width(layer, 0) for layer in (self.key, self.value)])
        causal = ", causal=True" if self.causal else ""
        return f"MultiHeadAttention({inputs} => {hidden} => {_width(self.output, 0)}, heads={self.heads}{causal})"

    def children(self) -> list[tuple[str, Any]]:
        """Return no parts: `summary` lists the layer in one line.

        Example:
            >>> from argflux import nn
            >>> nn.MultiHeadAttention(8).children()
            []
        """
        return []


def _widths(name: str, given: Any, count: int) -> tuple[int, ...]:
    widths = tuple(given) if isinstance(given, tuple | list) else (given,) * count
    if len(widths) != count:
        got, expected = f"{name}={given!r}", f"one width or {count}"
        raise ArgumentError(got, expected, TODO, where="MultiHeadAttention")
    return tuple(checked_size("MultiHeadAttention", name, width, TODO) for width in widths)


def _width(layer: Any, axis: int) -> Any:
    return getattr(getattr(layer, "weight", None), "shape", "??")[axis]


def _one_or_all(widths: list) -> str:
    return str(widths[0] if len(set(widths)) == 1 else tuple(widths))
