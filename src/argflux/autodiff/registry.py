"""The table of derivative rules, keyed by the name of the JAX primitive; imports nothing of the engine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from argflux.errors import ArgumentError
from argflux.keywords import explained


@dataclass(frozen=True)
class Rule:
    """How one primitive is pulled back.

    Exactly one of the first three functions is set:

    - `back(dy, y, *operands, **params)` returns one cotangent per operand, each an array, `None` for zero, or
      a function without arguments that computes it (called only where the derivative is wanted);
    - `call(tape, eqn, nodes)` runs an equation that holds programs of its own and returns its output nodes;
    - `forward(*operands, **params)` returns `(y, back)` as users write it, `back(dy)` one cotangent per operand.

    `selects` marks primitives whose pullback makes zeros, of what was not chosen; `moves` those whose pullback
    never multiplies by a value, so that such zeros stay. For others `kept(wild, dy, y, *operands, **params)` does what
    `back` does and keeps zeros of `dy` from being multiplied by infinities or NaN; `wild` says of each operand
    whether it may hold any. Without it, only a cotangent that is zero throughout is kept so; or, of `batched`
    primitives, throughout one of the problems that their leading axes tell apart.
    """

    name: str
    back: Callable[..., Any] | None = None
    call: Callable[..., Any] | None = None
    forward: Callable[..., Any] | None = None
    kept: Callable[..., Any] | None = None
    selects: bool = False
    moves: bool = False
    batched: bool = False

    @property
    def function_name(self) -> str:
        """Name of the function that implements the rule, for listings and errors."""
        function = self.back or self.call or self.forward
        name = getattr(function, "__name__", "<lambda>")
        return f"{self.name}_back" if name == "<lambda>" else name


RULES: dict[str, Rule] = {}
ZERO_DERIVATIVE: set[str] = set()
HOLDS_PROGRAMS = {"jit", "closed_call", "eval_jaxpr", "scan", "cond", "remat2"}


def pulls_back(name: str, *, kept: Callable | None = None, **marks: Any):
    """Register `back(dy, y, *operands, **params)` as the rule of a primitive."""

    def register(back):
        RULES[name] = Rule(name, back=back, kept=kept, **marks)
        return back

    return register


def runs(name: str, **marks: Any):
    """Register `call(tape, eqn, nodes)` as the rule of a primitive that holds programs of its own."""

    def register(call):
        RULES[name] = Rule(name, call=call, **marks)
        return call

    return register


def zero_derivative(*names: str) -> None:
    """Declare primitives whose derivative is zero wherever it exists."""
    ZERO_DERIVATIVE.update(names)


@explained
def rrule(name: str):
    """Give a JAX primitive that has no rule yet a reverse rule of your own.

    Args:
        name: the primitive's name, as the error about its missing rule states it.

    Returns:
        A decorator for `forward(*operands, **params) -> (y, back)`, where `back(dy)` returns one cotangent per
        operand (`None` for no derivative), each with the shape and dtype of its operand.

    Raises:
        ArgumentError: if the primitive already has a rule; the library's own rules are not replaced.

    Example:
        >>> from argflux.autodiff import rrule
        >>> from argflux.autodiff.registry import RULES
        >>> @rrule("my_primitive")
        ... def my_primitive(x):
        ...     def my_primitive_back(dy):
        ...         return (2 * dy,)
        ...     return 2 * x, my_primitive_back
        >>> RULES.pop("my_primitive").function_name
        'my_primitive'
    """

    def register(forward):
        if name in RULES:
            raise ArgumentError(
                f"a second rule for the primitive {name!r}",
                "a primitive without a rule",
                "wrap your function with `af.primitive` to give it a rule of its own",
                where="rrule",
            )
        RULES[name] = Rule(name, forward=forward)
        return forward

    return register
