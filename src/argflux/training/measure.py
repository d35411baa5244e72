"""Measurements on validation data after every epoch."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from argflux.data import DataLoader
from argflux.errors import ArgumentError, ShapeError
from argflux.training.program import arguments


def measure(loss: Callable, validation: Any, metrics: dict[str, Callable] | None) -> Callable | None:
    """Return the function from a model to its measurements by name, or None if there is nothing to measure.

    Args:
        loss: what is measured, as `validation_loss`, when there are no metrics.
        validation: a batch, or a DataLoader whose whole data is one.
        metrics: functions `f(model, *validation)` to a number, by name; they are not compiled.
    """
    if validation is None:
        if metrics is not None:
            todo = "pass validation=(x, y) too"
            raise ArgumentError("metrics without validation", "data to measure on", todo, where="train")
        return None
    batch = validation.data if isinstance(validation, DataLoader) else validation
    given = arguments(jax.tree.map(jnp.asarray, batch))
    functions = {"validation_loss": eqx.filter_jit(loss)} if metrics is None else metrics
    return lambda model: {name: _number(name, f(model, *given)) for name, f in functions.items()}


def _number(name: str, value: Any) -> float:
    if jnp.shape(value) != ():
        got, todo = f"shape {jnp.shape(value)}", "take its mean"
        raise ShapeError(got, "a number of shape ()", todo, where=f"metric {name!r}")
    return float(value)
