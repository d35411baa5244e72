"""When two functions are the same: equal code that reads equal values, however often it was written down."""

import dis
import functools
import hashlib
import inspect
import types
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.jaxpr import Tracer

_NUMPY_BYTES, _DEVICE_NUMBERS = 2**24, 2**12


class Same:
    """Compares an object by identity, and keeps it alive."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def likeness(function: Any) -> Hashable:
    """Return a key that two functions share if one may stand for the other.

    It holds the code, the defaults, what the code reads from around itself, and the same of the functions of its
    own module that it calls. Numbers, strings, tuples of them and small arrays count by value, other objects by
    identity. What the function itself assigns (a counter) does not count.

    Example:
        >>> from argflux.training.likeness import likeness
        >>> made = [(lambda x: x * factor) for factor in (2, 2)]
        >>> likeness(made[0]) == likeness(made[1]), likeness(lambda x: x * 2) == likeness(lambda x: x * 3)
        (True, False)
    """
    inner = inspect.unwrap(function) if callable(function) else function
    home = getattr(inner, "__globals__", None)
    key = _key(inner, home, ())
    return key if inner is function else (_key(function, home, ()), key)


def _key(value: Any, home: Any, above: tuple, contents: bool = False) -> Hashable:
    """Return the key of a value.

    Args:
        value: any object.
        home: the globals that functions may read from; those of other modules are taken as constant.
        above: the functions that this value was found in.
        contents: whether lists and dicts count by what they hold.
    """
    into = functools.partial(_key, home=home, above=above, contents=contents)
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return type(value), repr(value)
    if isinstance(value, tuple) or (contents and isinstance(value, list)):
        return type(value), tuple(map(into, value))
    if contents and isinstance(value, dict):
        return dict, tuple((into(name), into(entry)) for name, entry in value.items())
    if isinstance(value, np.ndarray | np.generic):
        return _content(value) if value.nbytes <= _NUMPY_BYTES and not value.dtype.hasobject else Same(value)
    if isinstance(value, jax.Array):
        return _content(value) if _is_small(value) else Same(value)
    if isinstance(value, functools.partial):
        held = (value.func, value.args, tuple(sorted(value.keywords.items())))
        return functools.partial, into(held)
    if isinstance(value, types.MethodType):
        return into(value.__func__), Same(value.__self__)
    if isinstance(value, types.FunctionType):
        return _of_function(value, home, above, contents)
    return Same(value)


def _of_function(function: types.FunctionType, home: Any, above: tuple, contents: bool) -> Hashable:
    code = function.__code__
    if function in above:
        return "recursion", above.index(function)
    above = (*above, function)
    own = _assigned(code)
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    read = [(name, _cell(cell)) for name, cell in cells]
    if function.__globals__ is home:
        read += [(name, home[name]) for name in _names(code) if name in home]
    kept = tuple((name, _key(value, home, above, contents)) for name, value in read if name not in own)
    defaults = (function.__defaults__, tuple(sorted((function.__kwdefaults__ or {}).items())))
    return code, _key(defaults, home, above, contents), kept


def _content(array: Any) -> Hashable:
    host = np.asarray(array)
    return type(array), host.shape, host.dtype.str, host.dtype.name, hashlib.sha1(host.tobytes()).digest()


def _is_small(array: jax.Array) -> bool:
    if isinstance(array, Tracer) or jnp.issubdtype(array.dtype, jax.dtypes.extended):
        return False
    return array.size <= _DEVICE_NUMBERS and array.is_fully_addressable and not array.is_deleted()


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


@functools.lru_cache(maxsize=256)
def _names(code: types.CodeType) -> tuple[str, ...]:
    """Return what a code and the functions written inside it may read from the module."""
    return tuple(dict.fromkeys(name for part in _codes(code) for name in part.co_names))


@functools.lru_cache(maxsize=256)
def _assigned(code: types.CodeType) -> frozenset[str]:
    """Return the variables outside of a code that it assigns itself."""
    stores = ("STORE_DEREF", "STORE_GLOBAL")
    found = [i.argval for part in _codes(code) for i in dis.get_instructions(part) if i.opname in stores]
    return frozenset(found) - frozenset(code.co_cellvars)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


class Alike:
    """A function, or a named tuple of them, that is equal to another one of the same likeness.

    Example:
        >>> from argflux.training.likeness import Alike
        >>> import optax
        >>> Alike(optax.adam(0.1)) == Alike(optax.adam(0.1)) != Alike(optax.adam(0.2))
        True
    """

    def __init__(self, value: Callable | tuple):
        self.value = value
        self.key = _key(value, getattr(value, "__globals__", None), (), contents=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)
