"""Initialisers: random first values for weights.

A weight is stored (outputs, inputs, *window), so `Dense(10, 5)` holds a (5, 10) matrix, fan-in 10, fan-out 5.
Called with a key and a shape each returns an array. Called with options alone each returns a function
`(key, shape, dtype) -> array`, as in `Dense(10, 5, init=kaiming_normal(gain=2.0))`.
"""

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.keywords import explained, unknown_keyword
from argflux.nn.precision import wide_dtype
from argflux.nn.random import next_key

Initialiser = Callable[..., Any]
INITIALISERS: list[Initialiser] = []


@explained
def nfan(shape: Sequence[int]) -> tuple[int, int]:
    """Return (fan-in, fan-out) of a weight of shape (outputs, inputs, *window).

    A vector counts as one input to each of its entries.

    Example:
        >>> from argflux.nn.initialisers import nfan
        >>> nfan((5, 10)), nfan((8, 3, 2, 2)), nfan((7,))
        ((10, 5), (12, 32), (1, 7))
    """
    if len(shape) < 2:
        return 1, math.prod(shape)
    outputs, inputs, *window = shape
    return inputs * math.prod(window), outputs * math.prod(window)


def initialiser(draw: Initialiser) -> Initialiser:
    """Let `draw(key, shape, dtype, *, options)` be called with options alone, and check what it is given."""
    known = list(inspect.signature(draw).parameters)

    @explained
    @functools.wraps(draw)
    def draw_or_wait(
        key: Array | None = None,
        shape: int | Sequence[int] | None = None,
        dtype: DTypeLike = jnp.float32,
        **options: Any,
    ) -> Any:
        if unknown := [name for name in options if name not in known]:
            raise unknown_keyword(draw.__name__, unknown[0], options[unknown[0]], known)
        if shape is None and key is None:
            return functools.partial(draw_or_wait, **options)
        dtype = _floating(draw.__name__, dtype)
        return draw(key, _shape(draw.__name__, shape), wide_dtype(dtype), **options).astype(dtype)

    INITIALISERS.append(draw_or_wait)
    return draw_or_wait


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    sizes = (shape,) if isinstance(shape, int) else shape
    if isinstance(sizes, Sequence) and all(isinstance(size, int) and size >= 0 for size in sizes):
        return tuple(sizes)
    raise ShapeError(f"shape {shape!r}", "a tuple of sizes", f"call {name}(key, (5, 10))", where=name)


def _floating(name: str, dtype: DTypeLike) -> DTypeLike:
    if not jnp.issubdtype(dtype, jnp.floating):
        raise DtypeError(f"dtype {jnp.dtype(dtype)}", "a floating dtype", "pass jnp.float32", where=name)
    return dtype


@initialiser
def glorot_uniform(key: Array | None, shape: tuple, dtype: DTypeLike, *, gain: float = 1.0) -> Array:
    """Draw from U(±gain · √(6 / (fan-in + fan-out))).

    Reference:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.

    Example:
        >>> import jax
        >>> from argflux.nn.initialisers import glorot_uniform
        >>> glorot_uniform(jax.random.key(0), (5, 10)).shape
        (5, 10)
    """
    return _uniform(key, shape, dtype, gain * math.sqrt(6.0 / max(1, sum(nfan(shape)))))


@initialiser
def glorot_normal(key: Array | None, shape: tuple, dtype: DTypeLike, *, gain: float = 1.0) -> Array:
    """Draw from N(0, σ²) with σ = gain · √(2 / (fan-in + fan-out)).

    Example:
        >>> import jax
        >>> from argflux.nn.initialisers import glorot_normal
        >>> glorot_normal(jax.random.key(0), (5, 10)).shape
        (5, 10)
    """
    return _normal(key, shape, dtype, gain * math.sqrt(2.0 / max(1, sum(nfan(shape)))))


@initialiser
def kaiming_uniform(key: Array | None, shape: tuple, dtype: DTypeLike, *, gain: float = 2**0.5) -> Array:
    """Draw from U(±gain · √(3 / fan-in)); the default gain suits relu.

    Reference:
        He et al., Delving Deep into Rectifiers, 2015.

    Example:
        >>> import jax
        >>> from argflux.nn.initialisers import kaiming_uniform
        >>> kaiming_uniform(gain=1.0)(jax.random.key(0), (5, 10)).shape
        (5, 10)
    """
    return _uniform(key, shape, dtype, gain * math.sqrt(3.0 / max(1, nfan(shape)[0])))


@initialiser
def kaiming_normal(key: Array | None, shape: tuple, dtype: DTypeLike, *, gain: float = 2**0.5) -> Array:
    """Draw from N(0, σ²) with σ = gain / √fan-in; the default gain suits relu.

    Example:
        >>> import jax
        >>> from argflux.nn.initialisers import kaiming_normal
        >>> kaiming_normal(gain=2.0)(jax.random.key(0), (5, 10)).shape
        (5, 10)
    """
    return _normal(key, shape, dtype, gain / math.sqrt(max(1, nfan(shape)[0])))


@initialiser
def lecun_normal(key: Array | None, shape: tuple, dtype: DTypeLike) -> Array:
    """Draw from a normal distribution cut at two deviations and scaled to variance 1 / fan-in; it suits selu.

    Reference:
        Klambauer et al., Self-Normalizing Neural Networks, 2017.

    Example:
        >>> import jax
        >>> from argflux.nn.initialisers import lecun_normal
        >>> lecun_normal(jax.random.key(0), (5, 10)).shape
        (5, 10)
    """
    deviation_of_cut_normal = 0.87962566103423978
    scale = 1.0 / (deviation_of_cut_normal * math.sqrt(max(1, nfan(shape)[0])))
    return scale * jax.random.truncated_normal(next_key(key), -2.0, 2.0, shape, dtype)


@initialiser
def truncated_normal(
    key: Array | None,
    shape: tuple,
    dtype: DTypeLike,
    *,
    mean: float = 0.0,
    std: float = 1.0,
    lower: float = -2.0,
    upper: float = 2.0,
) -> Array:
    """Draw from N(mean, std²) conditioned on lying between lower and upper.

    Example:
        >>> import jax
        >>> from argflux.nn.initialisers import truncated_normal
        >>> values = truncated_normal(jax.random.key(0), (5, 10), std=0.1, lower=-0.1, upper=0.1)
        >>> bool((abs(values) <= 0.1).all())
        True
    """
    if not (lower < upper and std > 0):
        got = f"lower={lower}, upper={upper}, std={std}"
        raise ArgumentError(got, "lower < upper and std > 0", "swap or correct them", where="truncated_normal")
    low, high = (lower - mean) / std, (upper - mean) / std
    return mean + std * jax.random.truncated_normal(next_key(key), low, high, shape, dtype)


@initialiser
def orthogonal(key: Array | None, shape: tuple, dtype: DTypeLike, *, gain: float = 1.0) -> Array:
    """Draw a matrix with orthonormal rows (or columns, where there are fewer) times gain.

    Axes after the first count as columns.

    Reference:
        Saxe et al., Exact solutions to the nonlinear dynamics of learning in deep linear networks, 2014.

    Example:
        >>> import jax
        >>> from argflux.nn.initialisers import orthogonal
        >>> w = orthogonal(jax.random.key(0), (2, 3))
        >>> (w @ w.T).round(3).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    if len(shape) < 2:
        raise ShapeError(f"shape {shape}", "two axes or more", "use another initialiser", where="orthogonal")
    rows = (shape[0], math.prod(shape[1:]))
    return jax.nn.initializers.orthogonal(gain)(next_key(key), rows, dtype).reshape(shape)


@initialiser
def sparse_init(key: Array | None, shape: tuple, dtype: DTypeLike, *, sparsity: float, std: float = 0.01) -> Array:
    """Draw from N(0, std²) and set the same share of every column, chosen at random, to zero.

    Reference:
        Martens, Deep learning via Hessian-free optimization, 2010.

    Example:
        >>> import jax
        >>> from argflux.nn.initialisers import sparse_init
        >>> w = sparse_init(jax.random.key(0), (4, 3), sparsity=0.5)
        >>> (w == 0).sum(axis=0).tolist()
        [2, 2, 2]
    """
    if len(shape) != 2:
        raise ShapeError(f"shape {shape}", "two axes", "use another initialiser", where="sparse_init")
    if not 0 <= sparsity <= 1:
        raise ArgumentError(f"sparsity={sparsity}", "a share in [0, 1]", "correct it", where="sparse_init")
    values, order = jax.random.split(next_key(key))
    rank = jnp.argsort(jax.random.uniform(order, shape), axis=0)
    dense = std * jax.random.normal(values, shape, dtype)
    return jnp.where(rank < math.ceil(sparsity * shape[0]), jnp.zeros((), dtype), dense)


@initialiser
def identity_init(key: Array | None, shape: tuple, dtype: DTypeLike, *, gain: float = 1.0) -> Array:
    """Make gain times the identity map: ones on the diagonal, at the centre of a window, zeros elsewhere.

    A vector is all zeros, which is the bias of the identity. The key is not read.

    Example:
        >>> from argflux.nn.initialisers import identity_init
        >>> identity_init(shape=(2, 3), gain=2.0).tolist()
        [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """
    if len(shape) < 2:
        return jnp.zeros(shape, dtype)
    centre = tuple(size // 2 for size in shape[2:])
    diagonal = jnp.arange(min(shape[:2]))
    return jnp.zeros(shape, dtype).at[(diagonal, diagonal, *centre)].set(gain)


@initialiser
def uniform(key: Array | None, shape: tuple, dtype: DTypeLike, *, gain: float = 1.0) -> Array:
    """Draw from U(±gain / √fan-in), the default of PyTorch's linear layer.

    Example:
        >>> import jax
        >>> from argflux.nn.initialisers import uniform
        >>> uniform(jax.random.key(0), (5, 10)).shape
        (5, 10)
    """
    return _uniform(key, shape, dtype, gain / math.sqrt(max(1, nfan(shape)[0])))


@initialiser
def normal(key: Array | None, shape: tuple, dtype: DTypeLike, *, std: float = 1.0) -> Array:
    """Draw from N(0, std²), the default of an embedding.

    Example:
        >>> import jax
        >>> from argflux.nn.initialisers import normal
        >>> normal(jax.random.key(0), (5, 10), std=0.1).shape
        (5, 10)
    """
    return _normal(key, shape, dtype, std)


@initialiser
def zeros(key: Array | None, shape: tuple, dtype: DTypeLike) -> Array:
    """Make zeros; the key is not read.

    Example:
        >>> from argflux.nn.initialisers import zeros
        >>> zeros(shape=(2,)).tolist()
        [0.0, 0.0]
    """
    return jnp.zeros(shape, dtype)


@initialiser
def ones(key: Array | None, shape: tuple, dtype: DTypeLike) -> Array:
    """Make ones; the key is not read.

    Example:
        >>> from argflux.nn.initialisers import ones
        >>> ones(shape=(2,)).tolist()
        [1.0, 1.0]
    """
    return jnp.ones(shape, dtype)


def _uniform(key: Array | None, shape: tuple, dtype: DTypeLike, bound: float) -> Array:
    return jax.random.uniform(next_key(key), shape, dtype, -bound, bound)


def _normal(key: Array | None, shape: tuple, dtype: DTypeLike, deviation: float) -> Array:
    return deviation * jax.random.normal(next_key(key), shape, dtype)
