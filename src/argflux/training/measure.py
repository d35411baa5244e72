"""Measurements on validation data after every epoch."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from argflux.data import DataLoader
from argflux.errors import ArgumentError, ShapeError
from argflux.kinds import shortened
from argflux.training.batches import kind_of
from argflux.training.likeness import likeness
from argflux.training.program import KEPT_PROGRAMS, arguments, takes

_compiled: "OrderedDict[Hashable, Callable]" = OrderedDict()


def measure(loss: Callable, validation: Any, metrics: dict[str, Callable] | None) -> Callable | None:
    """Return the function from a model to its measurements by name, or None if there is nothing to measure.

    Args:
        loss: what is measured, as `validation_loss`, if it takes such a batch.
        validation: a batch, or a DataLoader whose whole data is one.
        metrics: functions `f(model, *validation)` to a number, by name; they are not compiled.
    """
    if validation is None:
        if metrics is not None:
            todo = "pass validation=(x, y) too"
            raise ArgumentError("metrics without validation", "data to measure on", todo, where="train")
        return None
    batch = validation.data if isinstance(validation, DataLoader) else validation
    kind_of(batch)
    given = arguments(jax.tree.map(jnp.asarray, batch))
    for name, f in (metrics or {"validation_loss": loss}).items():
        if not takes(f, given):
            got, todo = f"{name} {shortened(f)} for validation data of {len(given)}", "pass validation=(x, y)"
            raise ArgumentError(got, "a function f(model, *validation)", todo, where="train")
    own = {"validation_loss": _jitted(loss)} if not metrics or takes(loss, given) else {}
    functions = own | (metrics or {})
    return lambda model: {name: _number(name, f(model, *given)) for name, f in functions.items()}


def _jitted(loss: Callable) -> Callable:
    """Return the loss compiled, as it was for an earlier run if it is the same."""
    key = likeness(loss)
    compiled = _compiled.pop(key, None) or eqx.filter_jit(lambda *arguments: loss(*arguments))
    _compiled[key] = compiled
    if len(_compiled) > KEPT_PROGRAMS:
        _compiled.popitem(last=False)
    return compiled


def _number(name: str, value: Any) -> float:
    if jnp.shape(value) != ():
        got, todo = f"shape {jnp.shape(value)}", "take its mean"
        raise ShapeError(got, "a number of shape ()", todo, where=f"metric {name!r}")
    return float(value)
