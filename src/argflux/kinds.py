"""Kinds of values: whether one is what an annotation says, and both in a few words. Imports nothing of the library."""

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Union

import numpy as np

_WORDS = {
    int: "an integer",
    float: "a number",
    complex: "a number",
    bool: "True or False",
    str: "a string",
    type(None): "None",
    Callable: "a function",
    Sequence: "a tuple",
    tuple: "a tuple",
    list: "a list",
    dict: "a dict",
    Iterable: "an iterable",
}


def fits(value: Any, annotation: Any) -> bool:
    """Say whether a value is what an annotation says; whatever cannot be told fits.

    Example:
        >>> from argflux.kinds import fits
        >>> fits(3, float), fits("3", float), fits((3, 3), int | tuple[int, ...]), fits(None, int)
        (True, False, True, False)
    """
    if _is_of_dtypes(annotation):
        return _is_dtype(value) or (value is None and type(None) in typing.get_args(annotation))
    if _is_union(annotation):
        return any(fits(value, part) for part in typing.get_args(annotation))
    kind = typing.get_origin(annotation) or annotation
    if kind is inspect.Parameter.empty or kind is Any:
        return True
    if kind is None or kind is type(None):
        return value is None
    if kind is Callable:
        return callable(value)
    if kind is bool:
        return isinstance(value, bool | np.bool)
    if kind is int:
        return isinstance(value, int | np.integer) or _is_scalar(value, "iu")
    if kind in (float, complex):
        return isinstance(value, int | float | complex | np.number) or _is_scalar(value, "iufVc")
    if kind in (tuple, list, Sequence):
        return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes)
    return not isinstance(kind, type) or isinstance(value, kind)


def in_words(annotation: Any) -> str:
    """Say what an annotation asks for.

    Example:
        >>> from argflux.kinds import in_words
        >>> in_words(int | None), in_words(tuple[int, ...])
        ('an integer or None', 'a tuple')
    """
    if _is_of_dtypes(annotation):
        return "a dtype"
    if _is_union(annotation):
        return " or ".join(dict.fromkeys(in_words(part) for part in _without_scalars(typing.get_args(annotation))))
    kind = typing.get_origin(annotation) or annotation
    if kind in _WORDS:
        return _WORDS[kind]
    name = getattr(kind, "__name__", str(kind)).split(".")[-1]
    return "an array" if name in ("Array", "ndarray") else f"a {name}"


def shortened(value: Any) -> str:
    """Write a value in one short line, an array as its shape and dtype.

    Example:
        >>> import numpy as np
        >>> from argflux.kinds import shortened
        >>> shortened("a"), shortened(np.ones((2, 3))), shortened("b" * 50)
        ("'a'", 'array of shape (2, 3) and dtype float64', "'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb…")
    """
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"array of shape {tuple(value.shape)} and dtype {value.dtype}"
    if isinstance(value, type) or (callable(value) and hasattr(value, "__name__")):
        return value.__name__
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else f"{text[:39]}…"


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (Union, types.UnionType)


def _is_of_dtypes(annotation: Any) -> bool:
    return _is_union(annotation) and np.dtype in typing.get_args(annotation)


def _is_dtype(value: Any) -> bool:
    try:
        return value is not None and np.dtype(value) is not None
    except TypeError:
        return hasattr(value, "dtype")


def _is_scalar(value: Any, kinds: str) -> bool:
    return getattr(value, "shape", None) == () and value.dtype.kind in kinds


def _without_scalars(parts: Sequence[Any]) -> list[Any]:
    """Return the parts of a union; of those of JAX's ArrayLike, the arrays alone."""
    if np.ndarray in parts:
        return [part for part in parts if part not in (np.bool, np.number, bool, int, float, complex)]
    return list(parts)
