"""Dropout and AlphaDropout: values dropped at random, in training only."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from argflux.errors import ArgumentError, DtypeError
from argflux.keywords import explained
from argflux.module import Module
from argflux.nn.arguments import floating_input
from argflux.nn.mode import is_training
from argflux.nn.precision import in_single
from argflux.nn.random import next_key

_SELU_LIMIT = -1.7580993408473766  # minus scale times alpha, what selu tends to


@explained
class Dropout(Module):
    """Sets each value to 0 with probability p and divides the others by 1 - p; the identity outside training.

    Args:
        p: the probability, in [0, 1].
        axes: the axes along which values are dropped one by one; along the others a whole slice is dropped or
            kept, as with axes=(0, -1) for images of shape (batch, …, channels). None for all.
        training: None for automatic (see `trainmode`), True or False.

    Calling it:
        x of any shape, floating, gives the same shape and dtype. `key` is drawn by itself if not given: in
        training, from the run's own key, another at every step.

    Raises:
        ArgumentError: for p outside [0, 1].
        DtypeError: for an input that is not floating.

    Reference:
        Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, 2014.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from argflux import nn
        >>> layer = nn.Dropout(0.5)
        >>> layer(jnp.ones(4)).tolist()
        [1.0, 1.0, 1.0, 1.0]
        >>> sorted(set(nn.trainmode(layer)(jnp.ones(100), key=jax.random.key(0)).tolist()))
        [0.0, 2.0]
    """

    p: float = eqx.field(static=True)
    axes: tuple[int, ...] | None = eqx.field(static=True)
    training: bool | None = eqx.field(static=True)

    def __init__(self, p: float = 0.5, *, axes: int | tuple[int, ...] | None = None, training: bool | None = None):
        self.p = checked_probability(p, "Dropout")
        self.axes = (axes,) if isinstance(axes, int) else axes
        self.training = training

    def __call__(self, x: ArrayLike, *, key: Array | None = None) -> Array:
        """Return x with some of its values zero, in training."""
        x = jnp.asarray(x)
        if not jnp.issubdtype(x.dtype, jnp.floating):
            todo = "convert it first: jnp.asarray(x, jnp.float32)"
            raise DtypeError(f"an input of dtype {x.dtype}", "floating values", todo, where=self.label())
        if self.p == 0 or not is_training(self.training, self.label()):
            return x
        if self.p == 1:
            return jnp.zeros_like(x)
        kept = jax.random.bernoulli(next_key(key), 1 - self.p, self._mask_shape(x))
        return jnp.where(kept, in_single(lambda x: x / (1 - self.p), x), 0)

    def _mask_shape(self, x: Array) -> tuple[int, ...]:
        if self.axes is None:
            return x.shape
        own = {axis % x.ndim for axis in self.axes}
        return tuple(length if axis in own else 1 for axis, length in enumerate(x.shape))

    def label(self) -> str:
        """Write the layer in a few words.

        Example:
            >>> from argflux import nn
            >>> nn.Dropout(0.1, axes=(0, -1)).label()
            'Dropout(0.1, axes=(0, -1))'
        """
        return f"Dropout({self.p:g}{'' if self.axes is None else f', axes={self.axes}'})"

    def __repr__(self) -> str:
        return self.label()


@explained
class AlphaDropout(Module):
    """Dropout for networks of selu: dropped values become selu's lower limit, and mean 0 and variance 1 are kept.

    y = a (x where kept, else α) + b with α = -1.7581, a = ((1 - p)(1 + p α²))^(-1/2) and b = -a α p, in training; the
    identity otherwise.

    Args:
        p: the probability that a value is dropped, in [0, 1].
        training: None for automatic (see `trainmode`), True or False.

    Calling it:
        x of any shape, floating, gives the same shape and dtype. `key` is drawn by itself if not given.

    Raises:
        ArgumentError: for p outside [0, 1].
        DtypeError: for an input that is not floating.

    Reference:
        Klambauer et al., Self-Normalizing Neural Networks, 2017.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from argflux import nn
        >>> layer = nn.AlphaDropout(0.5)
        >>> layer(jnp.ones(3)).tolist()
        [1.0, 1.0, 1.0]
        >>> len(set(nn.trainmode(layer)(jnp.ones(100), key=jax.random.key(0)).tolist()))
        2
    """

    p: float = eqx.field(static=True)
    training: bool | None = eqx.field(static=True)

    def __init__(self, p: float = 0.5, *, training: bool | None = None):
        self.p, self.training = checked_probability(p, "AlphaDropout"), training

    def __call__(self, x: ArrayLike, *, key: Array | None = None) -> Array:
        """Return x with some of its values at selu's lower limit, in training."""
        x = floating_input(self.label(), x)
        if self.p == 0 or not is_training(self.training, self.label()):
            return x
        if self.p == 1:
            return jnp.zeros_like(x)
        kept = jax.random.bernoulli(next_key(key), 1 - self.p, x.shape)
        a = ((1 - self.p) * (1 + self.p * _SELU_LIMIT**2)) ** -0.5
        return in_single(lambda x: a * jnp.where(kept, x, _SELU_LIMIT) - a * _SELU_LIMIT * self.p, x)

    def label(self) -> str:
        """Write the layer in a few words.

        Example:
            >>> from argflux import nn
            >>> nn.AlphaDropout(0.1).label()
            'AlphaDropout(0.1)'
        """
        return f"AlphaDropout({self.p:g})"

    def __repr__(self) -> str:
        return self.label()


def checked_probability(p: Any, where: str) -> float:
    """Return a probability as a Python number, after checking that it is one."""
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
        raise ArgumentError(f"p={p!r}", "a probability in [0, 1]", "pass a number such as 0.5", where=where)
    return float(p)
