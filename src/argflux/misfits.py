"""What does not fit in a call that failed: its arguments, seen from outside. Imports the errors and kinds only."""

import inspect
import re
import traceback
from collections.abc import Iterator
from typing import Any

import numpy as np

from argflux.errors import ArgfluxError, ArgumentError, DtypeError, ShapeError
from argflux.kinds import fits, in_words, shortened

Given = list[tuple[str, Any, Any]]


def misfit(where: str, bound: inspect.BoundArguments, error: Exception) -> ArgfluxError | None:
    """Return the error that explains another one by the arguments, or None if nothing can be seen from outside.

    Args:
        where: what was called.
        bound: what it was called with.
        error: what the call ended in.

    Example:
        >>> import inspect
        >>> def half(n: int) -> int: ...
        >>> print(misfit("half", inspect.signature(half).bind("a"), TypeError()))
        half: got n='a'; expected an integer; pass an integer
    """
    given = list(_given(bound))
    own = [(name, value, None) for name, value in getattr(bound.arguments.get("self"), "__dict__", {}).items()]
    found = _untaken(where, given + own, error) or of_kinds(where, bound)
    if found or not isinstance(error, TypeError | ValueError | IndexError):
        return found
    return _refused(where, given, str(error)) or _beyond(where, bound) or _unequal(where, given, str(error))


def of_kinds(where: str, bound: inspect.BoundArguments) -> DtypeError | None:
    """Return the error for the first argument that is not what its annotation says."""
    for name, value, annotation in _given(bound):
        if value is not bound.signature.parameters[name].default and not fits(value, annotation):
            expected = in_words(annotation)
            return DtypeError(f"{name}={shortened(value)}", expected, f"pass {expected}", where=where)
    return None


def _given(bound: inspect.BoundArguments) -> Iterator[tuple[str, Any, Any]]:
    """Yield the name, the value and the annotation of each argument; those of `*args` one by one."""
    for name, value in bound.arguments.items():
        parameter = bound.signature.parameters[name]
        if name not in ("self", "cls") and parameter.kind is not parameter.VAR_KEYWORD:
            several = parameter.kind is parameter.VAR_POSITIONAL
            yield from ((name, one, parameter.annotation) for one in (value if several else [value]))


def _untaken(where: str, given: Given, error: Exception) -> ArgumentError | None:
    """Return the error for a function among the arguments that does not take what it was called with."""
    if not isinstance(error, TypeError):
        return None
    entered = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    for name, value, _ in given:
        value = getattr(value, "func", value)  # of a partial function
        called, _, problem = str(error).partition("() ")
        if problem and called in _names(value) and getattr(value, "__code__", None) not in entered:
            got, todo = f"{name}={shortened(value)}, called wrongly: {problem}", "change its arguments, or wrap it"
            return ArgumentError(got, "a function of what it is called with", todo, where=where)
    return None


def _names(value: Any) -> list[str]:
    """Return how Python calls a function, or an object that is one, when it does not take a call."""
    if not callable(value):
        return []
    owner = f"{type(value).__qualname__}.__call__"
    name = getattr(value, "__qualname__", owner)
    return [owner, name, f"{name}.__init__"]


def _refused(where: str, given: Given, message: str) -> DtypeError | None:
    """Return the error for an array of a dtype that one of JAX's operations does not take."""
    dtype = re.search(r"does not accept dtype (\w+)", message)
    for name, value, _ in given:
        if dtype and dtype[1] in (str(getattr(value, "dtype", "")), type(value).__name__):
            todo = f"convert {name} first, as in {name}.real" if "complex" in dtype[1] else f"convert {name} to floats"
            return DtypeError(f"{name}={shortened(value)}", "real numbers, no truth values", todo, where=where)
    return None


def _beyond(where: str, bound: inspect.BoundArguments) -> ShapeError | None:
    """Return the error for an axis that the first argument does not have."""
    bound.apply_defaults()
    first: Any = next(iter(bound.arguments.values()), None)
    axis, ndim = bound.arguments.get("axis"), np.ndim(first) if hasattr(first, "ndim") else 0
    if not isinstance(axis, int) or not (hasattr(first, "ndim") or isinstance(first, int | float)):
        return None
    if -ndim <= axis < ndim:
        return None
    got, expected = f"axis={axis} of shape {np.shape(first)}", f"one of its {ndim} axes"
    return ShapeError(got, expected, "pass an array with this axis, or another axis", where=where)


def _unequal(where: str, given: Given, message: str) -> ArgfluxError | None:
    """Return the error for arrays that do not broadcast, or whose dtypes JAX was told not to mix."""
    arrays = [(name, value) for name, value, _ in given if hasattr(value, "ndim") and hasattr(value, "dtype")]
    dtypes = [f"{name} of dtype {value.dtype}" for name, value in arrays]
    mixed = len({value.dtype for _, value in arrays}) > 1 or any(value.dtype.kind in "biu" for _, value in arrays)
    if "dtype promotion" in message and mixed:
        got, todo = " and ".join(dtypes), "convert them, as with .astype('float32')"
        return DtypeError(got, "one floating dtype", todo, where=where)
    if "ncompatible shapes" not in message:
        return None
    try:
        np.broadcast_shapes(*(np.shape(value) for _, value in arrays))
    except ValueError:
        got = " and ".join(f"{name} of shape {np.shape(value)}" for name, value in arrays)
        return ShapeError(
            got, "equal shapes, or shapes that broadcast", "pass arrays that belong together", where=where
        )
    return None
