"""The default stream of random keys, for layers that are made without one."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax
import jax.numpy as jnp
from jax import Array

from argflux.errors import ArgumentError, DtypeError
from argflux.jaxpr import Tracer, get_opaque_trace_state, is_mapped
from argflux.keywords import explained


class _Stream:
    """Keys numbered from a seed; the seed's own key is made on first use, as making it starts JAX."""

    def __init__(self, number: int):
        self.number = number
        self.count, self.runs = itertools.count(), itertools.count(1)

    def next(self) -> Array:
        return jax.random.fold_in(jax.random.key(self.number), next(self.count))


class _Drawn:
    """Keys drawn from one key, which is asked for when the first of them is."""

    def __init__(self, key: Callable[[], Array]):
        self.key = key
        self.first: Array | None = None
        self.count = itertools.count()
        self.trace = get_opaque_trace_state(convention="nnx")

    def next(self) -> Array:
        if get_opaque_trace_state(convention="nnx") != self.trace:
            raise ArgumentError(
                "no key inside a vmap, scan, jit or checkpoint within training",
                "an explicit key, as one key would be the same for every example or step",
                "call the layer on the whole batch, outside of it, or draw with next_key() before and pass key=",
                where="key",
            )
        self.first = self.key() if self.first is None else self.first
        return jax.random.fold_in(self.first, next(self.count))


_stream = _Stream(0)
_drawn: ContextVar[_Drawn | None] = ContextVar("keys drawn from one key", default=None)


@contextmanager
def drawing_from(key: Callable[[], Array]) -> Iterator[None]:
    """Let `next_key()` draw from one key in this block, also while JAX is tracing.

    Args:
        key: returns the key; called when the first one is drawn, with the default stream in place.
    """

    def outside() -> Array:
        token = _drawn.set(None)
        try:
            return key()
        finally:
            _drawn.reset(token)

    token = _drawn.set(_Drawn(outside))
    try:
        yield
    finally:
        _drawn.reset(token)


@explained
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


def run_key(key: Array | None = None) -> tuple[int, int]:
    """Return the two words of a training run's key: of the given key, or of the seed and the number of the run."""
    if key is None:
        return next(_stream.runs), _stream.number % 2**32
    first, second = jax.random.bits(_checked(key), (2,), jnp.uint32).tolist()
    return first, second


@explained
def next_key(key: Array | None = None) -> Array:
    """Return the given key, or else the next one of the default stream; in training, of the run's own key.

    A layer of one's own that draws random numbers calls this: inside `train` and `withstate` every step gets
    other keys, although the step is compiled once.

    Args:
        key: a key of `jax.random.key` or `jax.random.PRNGKey`, or None.

    Raises:
        ArgumentError: without a key inside jit, vmap, scan or shard_map, outside training, where one key would be the
            same at every call, for every example or step.
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
    if (source := _drawn.get()) is not None:
        return source.next()
    drawn = _stream.next()
    if isinstance(drawn, Tracer) or is_mapped():
        raise ArgumentError(
            "no key inside a function that JAX is tracing",
            "an explicit key, as one key of the default stream would be the same at every call and for every example",
            "pass key=, made outside and given to the function as an argument (under vmap: jax.random.split)",
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
