"""Hyperparameters that change from step to step: functions of the number of steps made so far."""

import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from argflux.errors import ArgumentError
from argflux.jaxpr import Tracer
from argflux.training.likeness import Alike


class Schedule(Alike):
    """A function from the number of steps made so far, an int32, to the value of a hyperparameter.

    Two of equal code with equal settings are equal; it is written as the call that made it.

    Example:
        >>> import optax
        >>> from argflux.training.schedule import Schedule
        >>> Schedule(optax.linear_schedule(0.1, 0.0, 100))(50).tolist()
        0.05000000074505806
    """

    def __call__(self, step: Any) -> jax.Array:
        """Return the value at a step."""
        with jax.numpy_dtype_promotion("standard"):
            return jnp.asarray(self.value(step))  # type: ignore[operator]

    def __repr__(self) -> str:
        return written(self.value)


def check_schedule(where: str, name: str, schedule: Schedule) -> None:
    """Raise ArgumentError for a function that JAX cannot trace to one number."""
    expected = "a function of JAX operations from the number of steps so far to one number"
    what = repr(schedule).partition("(")[0]
    try:
        shape = jax.eval_shape(schedule, jax.ShapeDtypeStruct((), jnp.int32))
    except Exception as error:
        got = f"{name}={what}, which raises {type(error).__name__}"
        todo = "choose with jnp.where, or use optax.piecewise_constant_schedule"
        raise ArgumentError(got, expected, todo, where=where) from error
    if shape.shape != () or not jnp.issubdtype(shape.dtype, jnp.number):
        got = f"{name}={what}, which returns {shape.dtype} of shape {shape.shape}"
        raise ArgumentError(got, expected, "return a scalar", where=where)


def written(value: Any) -> str:
    """Write a value, a function as the name of what made it with the settings that it holds.

    Example:
        >>> import optax
        >>> from argflux.training.schedule import written
        >>> written(optax.constant_schedule(0.5))
        'constant_schedule(value=0.5)'
    """
    if isinstance(value, Alike):
        return written(value.value)
    if isinstance(value, jax.Array) and not isinstance(value, Tracer) and value.size <= 8:
        return repr(value.tolist())
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {written(entry)}' for name, entry in value.items())}}}"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(written, value))})"
    if isinstance(value, types.FunctionType):
        return _call(value)
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return repr(value) if isinstance(value, bool | int | float | complex | str) else type(value).__name__


def _call(function: Callable) -> str:
    name = function.__qualname__.split(".<locals>")[0].rpartition(".")[2]
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    settings = [f"{variable}={written(cell.cell_contents)}" for variable, cell in cells if _is_setting(cell, function)]
    if not (function.__module__ or "").startswith("optax."):
        settings += _numbers(function)
    return f"{name}({', '.join(settings)})" if settings else name


def _numbers(function: Callable) -> list[str]:
    """The numbers that stand in a user's function, and those of its module that it reads by name."""
    is_number = lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    code, around = function.__code__, function.__globals__
    named = [f"{name}={around[name]!r}" for name in code.co_names if is_number(around.get(name))]
    return [*named, *(repr(value) for value in code.co_consts if is_number(value))]


def _is_setting(cell: Any, function: Callable) -> bool:
    try:
        return cell.cell_contents is not function and cell.cell_contents is not None
    except ValueError:
        return False
