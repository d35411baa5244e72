"""How a user's function takes the variable and the parameters: by name where it names them, by position elsewhere."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, NamedTuple

import jax

from argflux.autodiff.source import is_raised_by_user, line_of_error
from argflux.errors import ArgfluxError, ArgumentError
from argflux.kinds import shortened

OF_VARIABLE = ("objective", "equality", "inequality")
_BY_PLACE = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_OPEN = inspect.Signature([Parameter("arguments", Parameter.VAR_POSITIONAL)])


class Taken(NamedTuple):
    """The parameters of a function after the variable.

    Attributes:
        signature: as the user wrote it.
        places: what is given by position, in order.
        keywords: what can be given by name only.
        rest: whether the function ends with `*names`.
        others: whether it ends with `**names`.
    """

    signature: inspect.Signature
    places: list[Parameter]
    keywords: list[Parameter]
    rest: bool
    others: bool

    @property
    def named(self) -> list[str]:
        """Names that are bound by name."""
        return [p.name for p in self.places if _is_named(p)] + [p.name for p in self.keywords]

    @property
    def complete(self) -> bool:
        """Whether every parameter is taken by its name."""
        return not self.rest and not self.others and all(map(_is_named, self.places))

    @property
    def forwards(self) -> bool:
        """Whether it is `(*args, **kwargs)`, as a wrapper is that hides the function it calls."""
        return self.others and next(iter(self.signature.parameters.values())).kind is Parameter.VAR_POSITIONAL

    @property
    def wanted(self) -> list[Parameter]:
        """What the program has to give: all but settings, which are keywords with a default."""
        return self.places + [p for p in self.keywords if p.default is Parameter.empty]


@dataclass(frozen=True, eq=False)
class Ordered:
    """A user's function, called with the variable and the parameters in the order of the program.

    Attributes:
        function: the user's.
        leading: number of arguments before the parameters: 1 for functions of the variable, else 0.
        places: what stands at each place: the number of a parameter, or a value of the function's own.
        keywords: numbers of the parameters that are given by name.
    """

    function: Callable
    leading: int
    places: tuple[tuple[int | None, Any], ...]
    keywords: dict[str, int]

    def __call__(self, *arguments: Any) -> Any:
        """Call the user's function."""
        leading, params = arguments[: self.leading], arguments[self.leading :]
        places = [own if number is None else params[number] for number, own in self.places]
        keywords = {name: params[number] for name, number in self.keywords.items()}
        try:
            return self.function(*leading, *places, **keywords)
        except (TypeError, ValueError) as error:
            if isinstance(error, ArgfluxError | jax.errors.JAXTypeError) or is_raised_by_user(error):
                raise
            values = ", ".join(map(shortened, jax.tree.leaves((places, keywords)))) or "no parameters"
            got = f"a function that fails at {line_of_error(error)}, for {values}: {' '.join(str(error).split())[:120]}"
            expected, todo = "one of the variable and the parameters", "check the shapes and dtypes of the parameters"
            raise ArgumentError(got, expected, todo, where=f"Program({self.__name__})") from error

    @property
    def __name__(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)


def parameter_names(functions: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Read the parameters of a program from its functions, and the defaults that the objective gives them.

    They are those of the objective. What it takes without a name of its own, `*_` or `_`, is named by the first
    function that names everything.

    Example:
        >>> parameter_names({"objective": lambda x, price, demand=1.0: 0.0})
        (('price', 'demand'), {'demand': 1.0})
        >>> parameter_names({"objective": lambda x, *_: 0.0, "equality": lambda x, total: x - total})[0]
        ('total',)
    """
    taken = {what: take(function, what) for what, function in functions.items() if callable(function)}
    objective = taken.pop("objective")
    source = next((t for t in taken.values() if t.complete and t.named), None)
    spare = [name for name in (_required(source) if source else []) if name not in objective.named]
    if set(spare) == set(by_place := [p.name for p in objective.wanted if not _is_named(p)]):
        spare = by_place  # before a `/`, in the order of the objective
    names = [p.name if _is_named(p) or not spare else spare.pop(0) for p in objective.wanted]
    names += spare if objective.rest or objective.others else []
    defaults = {p.name: p.default for p in objective.places if p.default is not Parameter.empty}
    return tuple(names), defaults


def take(function: Callable, what: str) -> Taken:
    """Take the signature of a function apart; one that has none takes everything by position."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        signature = _OPEN
    parameters = list(signature.parameters.values())
    if what in OF_VARIABLE:
        if not parameters or parameters[0].kind not in (*_BY_PLACE, Parameter.VAR_POSITIONAL):
            raise ArgumentError(
                f"a function of {signature}",
                "a function of the variable and the parameters",
                "take the variable first, by position",
                where=f"Program {what}",
            )
        parameters = parameters[parameters[0].kind in _BY_PLACE :]
    kinds = [p.kind for p in parameters]
    return Taken(
        signature,
        [p for p in parameters if p.kind in _BY_PLACE],
        [p for p in parameters if p.kind is Parameter.KEYWORD_ONLY],
        Parameter.VAR_POSITIONAL in kinds,
        Parameter.VAR_KEYWORD in kinds,
    )


def ordered(function: Any, what: str, names: Sequence[str], defaults: dict[str, Any]) -> Any:
    """Return a function that takes the parameters in the order `names`, and what is no function as it is.

    Names are bound by name. What is left goes, in order, to parameters that are positional-only or whose name begins
    with `_`, and then to `*names` or `**names`. Parameters that are none of the program's keep their defaults.

    Raises:
        ArgumentError: for a function that names other parameters, or does not take all that have no default.

    Example:
        >>> ordered(lambda x, b, a: (x, a, b), "equality", ("a", "b"), {})(0, 1, 2)
        (0, 1, 2)
    """
    if not callable(function):
        return function
    taken, numbers = take(function, what), {name: k for k, name in enumerate(names)}
    left = [k for name, k in numbers.items() if name not in taken.named]
    places: list[tuple[int | None, Any]] = []
    for p in taken.places:
        if _is_named(p) and p.name in numbers:
            places.append((numbers[p.name], None))
        elif not _is_named(p) and left:
            places.append((left.pop(0), None))
        else:
            _check(p.default is not Parameter.empty, taken, what, names)
            places.append((None, p.default))
    keywords = {p.name: numbers[p.name] for p in taken.keywords if p.name in numbers}
    _check(all(p.name in numbers or p.default is not Parameter.empty for p in taken.keywords), taken, what, names)
    if taken.rest and not taken.forwards:
        places += [(k, None) for k in left]
    elif taken.others:
        keywords |= {names[k]: k for k in left}
    else:
        _check(all(names[k] in defaults for k in left), taken, what, names)
        while places and places[-1][0] is None:
            places.pop()
    _check_defaults(taken, what, defaults)
    return Ordered(function, int(what in OF_VARIABLE), tuple(places), keywords)


def _check(fits: bool, taken: Taken, what: str, names: Sequence[str]) -> None:
    if fits:
        return
    first = ("x",) if what in OF_VARIABLE else ()
    raise ArgumentError(
        f"a function of {taken.signature}",
        f"a function of ({', '.join((*first, *names))}), as the objective names the parameters",
        "take each by its name, in any order; `*_`, names that begin with `_` and those before `/` go by position",
        where=f"Program {what}",
    )


def _check_defaults(taken: Taken, what: str, defaults: dict[str, Any]) -> None:
    for p in taken.places:
        if p.default is Parameter.empty or p.name not in defaults or p.default is defaults[p.name]:
            continue
        simple = isinstance(p.default, str | int | float) and type(p.default) is type(defaults[p.name])
        if not simple or p.default != defaults[p.name]:
            raise ArgumentError(
                f"another default for {p.name} than the objective's",
                "one default for each parameter",
                "leave it out here, the objective's holds for all functions",
                where=f"Program {what}",
            )


def _is_named(p: Parameter) -> bool:
    return p.kind is not Parameter.POSITIONAL_ONLY and not p.name.startswith("_")


def _required(taken: Taken) -> list[str]:
    return [p.name for p in taken.wanted if p.default is Parameter.empty]
