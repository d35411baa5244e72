"""Train and test behaviour: which of them a layer shows, and how running statistics and random keys travel.

A layer that behaves differently in training has a field `training`: None for automatic, or True or False. In
automatic mode it trains inside `train` and `withstate`, and is tested everywhere else.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import jax
from jax import Array

from argflux.autodiff import differentiating
from argflux.errors import ArgumentError
from argflux.jaxpr import get_opaque_trace_state
from argflux.keywords import explained
from argflux.nn.random import drawing_from, next_key
from argflux.tree import Buffer, buffer_flags
from argflux.userlayer import register_layers

M = TypeVar("M")
_pass: ContextVar["TrainingPass | None"] = ContextVar("training pass", default=None)
_traced_in_training = jax.make_user_context(False)  # what was compiled for tests is not used in training


class TrainingPass:
    """One evaluation of a model in training: the buffers as they have become so far."""

    def __init__(self, buffers: list):
        self.fresh = list(buffers)
        self._places = {id(array): place for place, array in enumerate(buffers)}
        self._trace = get_opaque_trace_state(convention="nnx")

    def value(self, buffer: Buffer, where: str) -> Array:
        """Return what a buffer holds by now."""
        return self.fresh[self._place(buffer, where)]

    def record(self, buffer: Buffer, value: Array, where: str) -> None:
        """Give a buffer its next value."""
        self.fresh[self._place(buffer, where)] = value

    def _place(self, buffer: Buffer, where: str) -> int:
        inside = get_opaque_trace_state(convention="nnx") != self._trace
        if inside or id(buffer.value) not in self._places:
            got = "a training pass through a vmap, scan, jit or checkpoint of one's own" if inside else "another model"
            todo = "call the layer on the whole batch, outside of it, or hold its statistics still with testmode"
            raise ArgumentError(got, "the model that is being trained, called directly", todo, where=where)
        return self._places[id(buffer.value)]


@contextmanager
def training_pass(model: Any, key: Callable[[], Array]) -> Iterator[TrainingPass]:
    """Let the layers of a model train in this block.

    Args:
        model: the model whose buffers may be given new values.
        key: returns the key that every `next_key()` of the block is drawn from; called when first needed.
    """
    current = TrainingPass(buffers(model))
    token = _pass.set(current)
    try:
        with drawing_from(key), _traced_in_training(True):
            yield current
    finally:
        _pass.reset(token)


def buffers(model: Any) -> list:
    """Return the arrays of a model's buffers, in order."""
    return [leaf for leaf, held in zip(jax.tree.leaves(model), buffer_flags(model), strict=True) if held]


def with_buffers(model: M, arrays: list) -> M:
    """Return the model with these arrays in its buffers."""
    leaves, treedef = jax.tree.flatten(model)
    fresh = iter(arrays)
    flags = buffer_flags(model)
    return treedef.unflatten([next(fresh) if held else leaf for leaf, held in zip(leaves, flags, strict=True)])


@explained
def is_training(training: bool | None, where: str) -> bool:
    """Say whether a layer whose field `training` has this value trains here and now.

    Args:
        training: None for automatic.
        where: the layer, for errors.

    Raises:
        ArgumentError: in automatic mode, when a gradient is taken outside `train`, where either could be meant.

    Example:
        >>> from argflux import nn
        >>> nn.is_training(None, "Dropout(0.5)"), nn.is_training(True, "Dropout(0.5)")
        (False, True)
    """
    if training is not None:
        return training
    if _pass.get() is not None:
        return True
    if differentiating():
        got = "a gradient outside train, where the layer could train or be tested"
        todo = "take it of withstate(loss), with has_aux=True, to train, or pass testmode(model)"
        raise ArgumentError(got, "a choice of one", todo, where=where)
    return False


@explained
def current(buffer: Buffer, where: str) -> Array:
    """Return what a buffer holds here and now: in a training pass, what was last recorded in it.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.current(nn.Buffer(jnp.ones(2)), "Mine").tolist()
        [1.0, 1.0]
    """
    now = _pass.get()
    return buffer.value if now is None else now.value(buffer, where)


@explained
def record(buffer: Buffer, value: Array, where: str) -> None:
    """Give a buffer its next value, which the model has when the training pass is over; nothing happens outside one.

    Args:
        buffer: a field of the layer.
        value: an array like the one that it holds; no gradient flows through it.
        where: the layer, for errors.

    Raises:
        ArgumentError: inside a vmap, scan, jit or checkpoint within the pass, out of which the value could not get.

    Example:
        >>> import equinox as eqx, jax.numpy as jnp
        >>> from argflux import nn
        >>> class Counter(eqx.Module):
        ...     calls: nn.Buffer
        ...     def __call__(self, x):
        ...         nn.record(self.calls, nn.current(self.calls, "Counter") + 1, "Counter")
        ...         return x
        >>> y, model = nn.withstate(lambda m, x: m(x))(Counter(nn.Buffer(jnp.zeros(()))), jnp.ones(3))
        >>> float(model.calls.value)
        1.0
    """
    now = _pass.get()
    if now is not None:
        now.record(buffer, jax.lax.stop_gradient(value), where)


@explained
def withstate(f: Callable) -> Callable:
    """Return f as training runs it: with the value comes the model, its running statistics brought up to date.

    `withstate(f)(model, *args, key=None) -> (f(model, *args), model)`. Layers in automatic mode train, and every
    random layer draws from `key`. `train` does this by itself; in a loop of one's own,

        step = lambda model: withstate(loss)(model, x, y, key=key)
        (value, model), grads = withgradient(step, model, has_aux=True)

    Args:
        f: a function of a model and further arguments.

    Returns:
        A function of the same arguments and `key`, a random key (needed inside jit and gradients if a layer draws;
        elsewhere the next of the default stream is taken), to a pair.

    Raises:
        ArgumentError: when a layer records inside a vmap, scan, jit or checkpoint within f.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> x = jnp.array([[0.0], [2.0]])
        >>> y, model = nn.withstate(lambda m, x: m(x))(nn.BatchNorm(1), x)
        >>> y.round(3).tolist(), model.mean.value.round(3).tolist()
        ([[-1.0], [1.0]], [0.10000000149011612])
    """

    def run(model: Any, *args: Any, key: Array | None = None) -> tuple[Any, Any]:
        register_layers(model)
        with training_pass(model, lambda: next_key(key)) as now:
            value = f(model, *args)
        return value, with_buffers(model, now.fresh)

    return run


@explained
def trainmode(model: M, training: bool | None = True) -> M:
    """Return the model with every layer that has a choice in training behaviour, wherever it is used.

    Statistics are still recorded only inside `train` and `withstate`.

    Args:
        model: any tree of layers.
        training: True; False is `testmode`, None goes back to automatic.

    Example:
        >>> from argflux import nn
        >>> nn.trainmode(nn.Chain(nn.Dense(2, 2), nn.Dropout(0.5)))[1].training
        True
    """
    return _with_mode(register_layers(model), training)


@explained
def testmode(model: M) -> M:
    """Return the model with every layer that has a choice in test behaviour, also inside `train`.

    Example:
        >>> from argflux import nn
        >>> nn.testmode(nn.Dropout(0.5)).training
        False
    """
    return trainmode(model, False)


testmode.__test__ = False  # pytest: this is no test


def _with_mode(node: Any, training: bool | None) -> Any:
    if _has_mode(node):
        node = copy.copy(node)
        object.__setattr__(node, "training", training)
    below = lambda child: child is not node and _has_mode(child)
    return jax.tree.map(lambda child: _with_mode(child, training) if below(child) else child, node, is_leaf=below)


def _has_mode(node: Any) -> bool:
    return "training" in getattr(node, "__dict__", {})
