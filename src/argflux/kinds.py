"""Kinds of values: whether one is what an annotation says, and both in a few words. Imports nothing of the library."""

import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, Union

import numpy as np


class Kind(NamedTuple):
    """What an argument is where no class says it, for `Annotated[Any, Kind(…)]`: in words, and as a test."""

    words: str
    holds: Callable[[Any], bool]


def _of_dtypes(kinds: str, value: Any) -> bool:
    try:
        dtype = value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
    except (TypeError, ValueError):
        return False
    return getattr(dtype, "kind", None) in [*kinds]


def _kind_of_array(words: str, kinds: str, ndim: int | None = None) -> Kind:
    return Kind(words, lambda value: _of_dtypes(kinds, value) and ndim in (None, np.ndim(value)))


def having(attribute: str, words: str) -> Kind:
    """Return the kind of what has an attribute.

    Example:
        >>> from argflux.kinds import having
        >>> having("losses", "a History").holds([1.0])
        False
    """
    return Kind(words, lambda value: hasattr(value, attribute))


Natural = Annotated[int, Kind("an integer of at least 0", lambda value: fits(value, int) and value >= 0)]
Number = Annotated[Any, _kind_of_array("a real number", "biufV", 0)]
Row = Annotated[Any, _kind_of_array("a row of real numbers, shape (n,)", "biufV", 1)]
REALS = _kind_of_array("an array of real numbers", "biufV")
Reals = Annotated[Any, REALS]
Numbers = Annotated[Any, _kind_of_array("an array of numbers", "biufcV")]
Labels = Annotated[Any, _kind_of_array("an array of labels", "biufcVOSUM")]

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
    Mapping: "a dict",
    Iterable: "an iterable",
}
_MANY = {int: "integers", float: "numbers", str: "strings", Callable: "functions"}


def fits(value: Any, annotation: Any) -> bool:
    """Say whether a value is what an annotation says; whatever cannot be told fits.

    Example:
        >>> from argflux.kinds import fits
        >>> fits(3, float), fits("3", float), fits((3, 3), int | tuple[int, ...]), fits([1, "a"], list[int])
        (True, False, True, False)
    """
    if kind := _kind(annotation):
        return kind.holds(value)
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
        return (isinstance(value, int | np.integer) and not isinstance(value, bool)) or _is_scalar(value, "iu")
    if kind in (float, complex):
        return isinstance(value, int | float | complex | np.number) or _is_scalar(value, "iufVc")
    parts = typing.get_args(annotation)
    if kind in (tuple, list, Sequence):
        is_one = isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim > 0)
        return is_one and not isinstance(value, str | bytes) and _each_fits(value, parts)
    if not isinstance(kind, type):
        return True
    if not isinstance(value, kind) or (kind.__name__ in ("Array", "ndarray") and _is_of_text(value)):
        return False
    if isinstance(value, Mapping):
        return not parts or (all(map(fits, value, parts[:1] * len(value))) and _each_fits([*value.values()], parts[1:]))
    return kind is not Iterable or not _can_be_looked_through(value) or _each_fits(value, parts)


def takes(function: Any, *arguments: Any) -> bool:
    """Say whether something can be called with these arguments.

    Example:
        >>> from argflux.kinds import takes
        >>> takes(lambda x: x, 1), takes(lambda: 0, 1), takes(3, 1)
        (True, False, False)
    """
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        return True
    return True


def in_words(annotation: Any) -> str:
    """Say what an annotation asks for.

    Example:
        >>> from argflux.kinds import in_words
        >>> in_words(int | None), in_words(tuple[int, ...])
        ('an integer or None', 'a tuple of integers')
    """
    if kind := _kind(annotation):
        return kind.words
    if _is_of_dtypes(annotation):
        return "a dtype"
    if _is_union(annotation):
        return " or ".join(dict.fromkeys(in_words(part) for part in _without_scalars(typing.get_args(annotation))))
    kind = typing.get_origin(annotation) or annotation
    if kind in _WORDS:
        return _WORDS[kind] + _of(kind, typing.get_args(annotation))
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


def _kind(annotation: Any) -> Kind | None:
    return next((note for note in getattr(annotation, "__metadata__", ()) if isinstance(note, Kind)), None)


def _each_fits(values: Collection, parts: Sequence[Any]) -> bool:
    """Say whether the entries of a container are what stands in the brackets of its annotation."""
    if not parts or parts[-1] is Ellipsis or len(parts) == 1:
        return all(fits(value, parts[0]) for value in values) if parts else True
    return len(values) == len(parts) and all(map(fits, values, parts))


def _can_be_looked_through(value: Any) -> bool:
    return isinstance(value, Collection) and getattr(value, "ndim", 1) > 0


def _of(kind: Any, parts: Sequence[Any]) -> str:
    entry = parts[-1] if kind in (dict, Mapping) and parts else parts[0] if parts else None
    many = _MANY.get(typing.get_origin(entry) or entry, "") if kind is not Callable else ""
    count = f"{len(parts)} " if kind is tuple and parts and parts[-1] is not Ellipsis else ""
    return f" of {count}{many}" if many else ""


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (Union, types.UnionType)


def _is_of_dtypes(annotation: Any) -> bool:
    return _is_union(annotation) and np.dtype in typing.get_args(annotation)


def _is_dtype(value: Any) -> bool:
    if hasattr(value, "dtype") and not hasattr(value, "shape"):
        return True
    try:
        return isinstance(value, str | type | np.dtype) and np.dtype(value).kind != "O"
    except TypeError:
        return False


def _is_of_text(value: Any) -> bool:
    return getattr(value.dtype, "kind", None) in [*"OSUM"]


def _is_scalar(value: Any, kinds: str) -> bool:
    return getattr(value, "shape", None) == () and value.dtype.kind in kinds


def _without_scalars(parts: Sequence[Any]) -> list[Any]:
    """Return the parts of a union; of those of JAX's ArrayLike, the arrays alone."""
    if np.ndarray in parts:
        return [part for part in parts if part not in (np.bool, np.number, bool, int, float, complex)]
    return list(parts)
