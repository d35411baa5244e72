"""The noun of an optimisation rule: named hyperparameters, checked, with an Optax transformation behind them."""

import copy
import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, dataclass_transform

import jax.numpy as jnp
import optax

from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.kinds import shortened
from argflux.training.schedule import Schedule, check_schedule

Hyper = dict[str, Any]
T = TypeVar("T", bound=type)

_RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "rate": ("at least 0", lambda value: value >= 0),
    "momentum": ("in [0, 1)", lambda value: 0 <= value < 1),
    "beta": ("in [0, 1)", lambda value: 0 <= value < 1),
    "eps": ("at least 0", lambda value: value >= 0),
    "decay": ("at least 0", lambda value: value >= 0),
    "limit": ("above 0", lambda value: value > 0),
}


class Rule:
    """What turns gradients into steps; a step is subtracted from the parameters.

    Subclasses are frozen dataclasses made by `@rule`. Their numbers are hyperparameters that `adjust` changes;
    each may be a schedule instead, a function from the number of steps made so far to the number. Booleans choose a
    variant and stay.

    Attributes:
        descends: whether the rule makes steps, as Descent does; False for what only changes gradients.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from argflux.training import Rule, rule, setup, update
        >>> @rule
        ... class SignDescent(Rule):
        ...     rate: float = 0.1
        ...     def transformation(self, hyper):
        ...         return optax.chain(optax.scale_by_sign(), optax.scale(hyper["rate"]))
        >>> update(setup(SignDescent(0.5), jnp.ones(2)), jnp.ones(2), jnp.array([3.0, -2.0]))[1].tolist()
        [0.5, 1.5]
    """

    descends: ClassVar[bool] = True

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return the Optax transformation from gradients to steps, for hyperparameters given as arrays.

        Numbers are read from `hyper`, not from `self`: rules that differ in them alone share compiled programs.
        """
        raise NotImplementedError

    def hyperparameters(self) -> Hyper:
        """Return the hyperparameters by name, as Python numbers, schedules, or tuples of them."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {field.name: getattr(self, field.name) for field in fields if not isinstance(field.default, bool)}

    def __post_init__(self) -> None:
        for name, value in self.hyperparameters().items():
            default = _default(type(self), name)
            object.__setattr__(self, name, checked(type(self).__name__, name, value, default))


@explained
@dataclass_transform(frozen_default=True)
def rule(cls: T) -> T:
    """Make a class a rule: a frozen dataclass whose mistyped keywords are errors that list the right ones.

    Its fields may be called rate, momentum, beta, eps, decay and limit: the names whose ranges are known.

    Example:
        >>> import optax
        >>> from argflux.training import Rule, rule
        >>> @rule
        ... class Half(Rule):
        ...     rate: float = 0.1
        ...     def transformation(self, hyper):
        ...         return optax.scale(0.5 * hyper["rate"])
        >>> Half(0.2)
        Half(rate=0.2)
    """
    if Rule not in getattr(cls, "__mro__", ()):
        raise ArgumentError(shortened(cls), "a class that extends Rule", "write class Name(Rule)", where="rule")
    cls = dataclasses.dataclass(frozen=True)(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    initialise = cls.__init__

    @functools.wraps(initialise)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        check_names(cls.__name__, kwargs, names)
        initialise(self, *args, **kwargs)

    cls.__init__ = __init__
    return cls


def check_names(where: str, given: Any, known: list[str]) -> None:
    """Raise ArgumentError for a keyword that nothing reads."""
    for name in given:
        if name not in known:
            choices = ", ".join(known) or "no keyword"
            raise ArgumentError(f"keyword {name!r}", choices, "correct the name", where=where)


def checked(where: str, name: str, value: Any, like: Any) -> Any:
    """Return a hyperparameter as a float or a Schedule, or a tuple of them where `like` is one, after checking it."""
    if not isinstance(like, tuple):
        return _checked_number(where, name, value)
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    if len(values) != len(like):
        got, expected = f"{name}={value!r}", f"{len(like)} numbers"
        raise ArgumentError(got, expected, f"pass {name}={like}", where=where)
    return tuple(_checked_number(where, name, number) for number in values)


def as_arrays(hyper: Hyper) -> Hyper:
    """Return hyperparameters as weakly typed scalars, which take on the dtype of the parameters they meet.

    In place of a schedule stands None.
    """
    return {
        name: tuple(map(_as_array, value)) if isinstance(value, tuple) else _as_array(value)
        for name, value in hyper.items()
    }


def _as_array(value: Any) -> Any:
    return None if value is None or isinstance(value, Schedule) else jnp.asarray(value)


def in_use(rule: Rule, hyper: Hyper, step: Any) -> Hyper:
    """Return the hyperparameters at a step: the given arrays, and the values of the rule's schedules."""
    return {name: _at_step(getattr(rule, name), value, step) for name, value in hyper.items()}


def _at_step(given: Any, value: Any, step: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_at_step(*pair, step) for pair in zip(given, value, strict=True))
    return given(step) if value is None else value


def without_numbers(rule: Rule) -> Rule:
    """Return a rule in which None stands for every number, so that rules which differ in numbers alone are equal."""
    bare = copy.copy(rule)
    for name, value in rule.hyperparameters().items():
        kept = lambda entry: entry if isinstance(entry, Schedule) else None
        object.__setattr__(bare, name, tuple(map(kept, value)) if isinstance(value, tuple) else kept(value))
    return bare


def is_scheduled(value: Any) -> bool:
    """Say whether a hyperparameter of a rule is a schedule, or has one among its numbers."""
    return any(isinstance(entry, Schedule) for entry in (value if isinstance(value, tuple) else (value,)))


def _default(cls: type, name: str) -> Any:
    return next(field.default for field in dataclasses.fields(cls) if field.name == name)


def _checked_number(where: str, name: str, value: Any) -> Any:
    if _is_function(value):
        schedule = value if isinstance(value, Schedule) else Schedule(value)
        check_schedule(where, name, schedule)
        return schedule
    expected, holds = _RANGES[name]
    try:
        number = math.nan if isinstance(value, str | bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and holds(number)):
        got = f"{name}={value!r}"
        raise ArgumentError(got, f"a number {expected}", f"change {name}", where=where)
    return number


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, type) and not hasattr(value, "shape")
