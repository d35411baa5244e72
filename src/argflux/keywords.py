"""Calls that explain themselves: unknown keywords, missing arguments and values of a wrong kind.

`@explained` stands above public functions and classes. A call that is right costs nothing more; one that Python, JAX or
NumPy refused is looked at again, against the signature and its annotations, and raised anew as an error of the library.
Imports only the errors, the kinds of values and the names that other libraries use.
"""

import difflib
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

from argflux.errors import ArgfluxError, ArgumentError
from argflux.kinds import shortened
from argflux.misfits import misfit, of_kinds
from argflux.othernames import OTHER_NAMES

C = TypeVar("C", bound=Callable)


@overload
def explained(target: C) -> C: ...


@overload
def explained(*, options: str) -> Callable[[C], C]: ...


def explained(target: Any = None, *, options: str = "") -> Any:
    """Decorate a function, or a class for its constructor and public methods, so that wrong calls are explained.

    Args:
        target: the function or class; its name, signature and docstring stay.
        options: the names that `**options` takes, separated by spaces, where there is one that not all names suit.

    Raises:
        ArgumentError: at a call, for an unknown keyword (with the nearest right one, or ours for what another library
            calls so), a missing argument or one too many.
        DtypeError: at a call that failed, or that returns a function, for an argument that is not what its
            annotation says.
        ShapeError: at a call that failed, for arrays that do not broadcast, or an axis that is not there.

    Example:
        >>> from argflux.keywords import explained
        >>> @explained
        ... def load(data, batchsize=1): ...
        >>> load([], batch_size=2)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        argflux.errors.ArgumentError: load: got keyword batch_size=2; expected data, batchsize; write batchsize= (...)
    """
    if target is None:
        return lambda decorated: _decorated(decorated, options.split())
    return _decorated(target, [])


def _decorated(target: Any, options: list[str]) -> Any:
    if not isinstance(target, type):
        return _wrapped(target, options)
    for name, method in list(vars(target).items()):
        if name.startswith("_") and name not in ("__init__", "__call__"):
            continue
        of_method = options if name == "__init__" else []
        if isinstance(method, staticmethod | classmethod):
            setattr(target, name, type(method)(_wrapped(method.__func__, of_method)))
        elif isinstance(method, types.FunctionType):
            setattr(target, name, _wrapped(method, of_method))
    return target


def _wrapped(f: Callable, options: list[str]) -> Callable:
    explanation = _explanation  # in the closure: globals are those of f
    first, last = bool(options), _fails_later(f)

    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if first and (wrong := explanation(f, options, args, kwargs, None)):
            raise wrong
        try:
            result = f(*args, **kwargs)
        except Exception as error:
            better = explanation(f, options, args, kwargs, error)
            if better is None:
                raise
        else:
            if last and (wrong := explanation(f, options, args, kwargs, None)):
                raise wrong
            return result
        raise better

    in_the_module_of_f = types.FunctionType(  # where doctest looks for examples
        call.__code__, f.__globals__, f.__name__, None, call.__closure__
    )
    return functools.wraps(f)(in_the_module_of_f)


def _explanation(
    f: Callable, options: list[str], args: tuple, kwargs: dict[str, Any], error: Exception | None
) -> ArgfluxError | None:
    """Return what is wrong with a call, or None if nothing can be seen from outside; `error` is what it ended in."""
    if isinstance(error, ArgfluxError):
        return None
    signature = inspect.signature(f)
    where = _where(f, args)
    parameters = [p for name, p in signature.parameters.items() if name != "self"]
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)] + options
    takes_all = not options and any(p.kind is p.VAR_KEYWORD for p in parameters)
    if not takes_all and (unknown := [name for name in kwargs if name not in known]):
        return unknown_keyword(where, unknown[0], kwargs[unknown[0]], known)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as refused:
        shown = ", ".join(_as_written(parameter) for parameter in parameters if parameter.name not in ("self", "cls"))
        return ArgumentError(f"a call with {refused}", f"arguments ({shown})", "correct the call", where=where)
    if error is None:
        return of_kinds(where, bound) if _fails_later(f) else None
    return misfit(where, bound, error)


def _fails_later(f: Callable) -> bool:
    """Say whether a function returns one that its arguments are for."""
    kind = f.__annotations__.get("return")
    return (typing.get_origin(kind) or kind) is Callable


def unknown_keyword(where: str, name: str, value: Any, known: Iterable[str]) -> ArgumentError:
    """Return the error for a keyword that nothing reads, with the right one where it can be told.

    Args:
        where: what was called.
        name: the keyword.
        value: what it was given.
        known: the names that there are.

    Example:
        >>> from argflux.keywords import unknown_keyword
        >>> print(unknown_keyword("Conv", "strides", 2, ["window", "stride"]).todo)
        write stride= (strides in Keras and Flax)
    """
    names = list(known)
    meant = [row for row in OTHER_NAMES.get(name, ()) if row[0].split("=")[0] in names or " " in row[0].split("=")[0]]
    if meant:
        ours, library = meant[0]
        todo = ours if " " in ours.split("=")[0] else f"write {ours}{'' if '=' in ours else '='}"
        todo += f" ({name} in {library})"
    elif close := difflib.get_close_matches(name, names, n=1, cutoff=0.6):
        todo = f"write {close[0]}="
    else:
        todo = "correct the name, or leave it out"
    return ArgumentError(f"keyword {name}={shortened(value)}", ", ".join(names) or "no keyword", todo, where=where)


def _where(f: Callable, args: tuple) -> str:
    if f.__name__ in ("__init__", "__call__") and args:
        return type(args[0]).__name__
    return f.__qualname__.rpartition("<locals>.")[2]


def _as_written(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    return f"{stars}{parameter.name}{'' if parameter.default is parameter.empty else '=…'}"
