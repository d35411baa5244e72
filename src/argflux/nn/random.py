"""The default stream of random keys, for layers that are made without one."""

import itertools

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer

from argflux.errors import ArgumentError, DtypeError


class _Stream:
    """Keys numbered from a seed; the seed's own key is made on first use, as making it starts JAX."""

    def __init__(self, number: int):
        self.number = number
        self.count = itertools.count()

    def next(self) -> Array:
        return jax.random.fold_in(jax.random.key(self.number), next(self.count))


_stream = _Stream(0)


def seed(number: int) -> None:
    """Start the default stream of keys again from a seed; the same seed gives the same models.

    Args:
        number: any integer of 32 bits; a fresh session starts from 0.

    Example:
        >>> from argflux import nn
        >>> nn.seed(1); first = nn.Dense(2, 2)
        >>> nn.seed(1); second = nn.Dense(2, 2)
        >>> bool((first.weight == second.weight).all())
        True
    """
    global _stream
    if isinstance(number, bool) or not isinstance(number, int):
        raise DtypeError(f"{number!r}", "an integer", "call seed(0)", where="seed")
    _stream = _Stream(number)


def next_key(key: Array | None = None) -> Array:
    """Return the given key, or else the next one of the default stream.

    Args:
        key: a key of `jax.random.key` or `jax.random.PRNGKey`, or None.

    Raises:
        ArgumentError: without a key inside jit, where one fixed key would be compiled in.
        DtypeError: if `key` is not a key.

    Example:
        >>> import jax
        >>> from argflux import nn
        >>> key = jax.random.key(3)
        >>> nn.next_key(key) is key
        True
    """
    if key is not None:
        return _checked(key)
    drawn = _stream.next()
    if isinstance(drawn, Tracer):
        raise ArgumentError(
            "no key inside a function that JAX is tracing",
            "an explicit key, as one key of the default stream would be the same at every call",
            "pass key=, made outside and given to the function as an argument",
            where="key",
        )
    return drawn


def _checked(key: Array) -> Array:
    dtype = getattr(key, "dtype", None)
    shape = getattr(key, "shape", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key) and shape == ():
        return key
    if dtype == jnp.uint32 and shape is not None and len(shape) == 1:
        return key
    got = f"{type(key).__name__} {key!r}" if dtype is None else f"an array of shape {shape} and dtype {dtype}"
    raise DtypeError(got, "one random key", "pass key=jax.random.key(0)", where="key")
