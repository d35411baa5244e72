"""How listings of programs are written: names of values, operations, types, and the column of source lines."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from argflux.autodiff.source import user_line
from argflux.jaxpr import ClosedJaxpr, Jaxpr, Literal

_HIDDEN = {
    "num_consts",
    "symbolic_zeros",
    "sharding",
    "out_sharding",
    "weak_type",
    "accuracy",
    "precision",
    "preferred_element_type",
    "name",
    "mode",
}
_INLINED = {"jit": "jaxpr", "closed_call": "call_jaxpr", "eval_jaxpr": "call_jaxpr"}
_BODIES = ("scan", "cond", "while", "remat2")


class Listing(str):
    """Text that shows itself as it is at the prompt."""

    def __repr__(self) -> str:
        return str(self)

    @classmethod
    def of(cls, lines: list[str]) -> "Listing":
        """Join lines, with their comments (after two spaces and a hash) in one column."""
        width = min(max(len(line.split("  # ")[0]) for line in lines), 90)
        parts = [line.partition("  # ") for line in lines]
        return cls("\n".join(f"{code:<{width}}  # {note}" if mark else code for code, mark, note in parts))


class Names:
    """Numbers for values, in the order of their appearance; inlined programs go on counting."""

    def __init__(self, table: dict | None = None, counter: Iterator[int] | None = None):
        self.table = {} if table is None else table
        self.counter = itertools.count(1) if counter is None else counter

    def of(self, atom: Any) -> str:
        """Name a variable or write a literal."""
        if isinstance(atom, Literal):
            return f"{np.asarray(atom.val).item():g}" if np.ndim(atom.val) == 0 else "literal"
        if atom not in self.table:
            self.table[atom] = f"%{next(self.counter)}"
        return self.table[atom]

    def inside(self, inner: Jaxpr, eqn: Any) -> "Names":
        """Name the values of a program written in place of the equation that calls it."""
        given = [self.of(v) for v in eqn.invars]
        return Names(dict(zip(inner.invars, given, strict=True)), self.counter)


def program_lines(closed: ClosedJaxpr | Jaxpr, names: Names, indent: str) -> Iterator[str]:
    """Write a program: its operations, then what it returns."""
    jaxpr = closed.jaxpr if isinstance(closed, ClosedJaxpr) else closed
    yield from _equations(jaxpr, names, indent)
    yield f"{indent}return {', '.join(names.of(v) for v in jaxpr.outvars)}"


def _equations(jaxpr: Jaxpr, names: Names, indent: str) -> Iterator[str]:
    for eqn in jaxpr.eqns:
        if eqn.primitive.name in _INLINED:
            inner = eqn.params[_INLINED[eqn.primitive.name]].jaxpr
            local = names.inside(inner, eqn)
            yield from _equations(inner, local, indent)
            names.table.update(zip(eqn.outvars, [local.of(v) for v in inner.outvars], strict=True))
        else:
            yield f"{indent}{_equation(eqn, names)}  # {user_line(eqn)}"
            if eqn.primitive.name in _BODIES:
                yield from _bodies(eqn, names, indent + "  ")


def _equation(eqn: Any, names: Names) -> str:
    right = ", ".join(names.of(v) for v in eqn.invars)
    given = "".join(f"; {k}={v}" for k, v in eqn.params.items() if _is_shown(k, v))
    left = ", ".join(f"{names.of(v)}: {type_name(v.aval)}" for v in eqn.outvars)
    return f"{left} = {operation_name(eqn)}({right}{given})"


def _bodies(eqn: Any, names: Names, indent: str) -> Iterator[str]:
    for body in _programs(eqn.params):
        yield f"{indent}body({', '.join(names.of(v) for v in body.invars)})"
        yield from program_lines(body, names, indent + "  ")


def _programs(params: dict) -> Iterator[Any]:
    for value in params.values():
        yield from (v for v in (value if isinstance(value, tuple | list) else [value]) if hasattr(v, "eqns"))


def operation_name(eqn: Any) -> str:
    """Name an operation: the user's function for calls with derivatives of their own, else the primitive."""
    if eqn.primitive.name == "opaque":
        return eqn.params["function"].name
    if eqn.primitive.name in ("custom_jvp_call", "custom_vjp_call"):
        return eqn.params["call_jaxpr"].jaxpr.debug_info.func_name
    return eqn.primitive.name


def _is_shown(key: str, value: Any) -> bool:
    kinds = bool | int | float | str | tuple | np.dtype
    return key not in _HIDDEN and "jaxpr" not in key and isinstance(value, kinds) and 0 < len(str(value)) < 60


def type_name(aval: Any) -> str:
    """Write a type as `f32[3,2]`."""
    short = str(aval.dtype).replace("float", "f").replace("uint", "u").replace("int", "i")
    return f"{short}[{','.join(map(str, aval.shape))}]"


def function_name(f: Any) -> str:
    """Name a function or a callable object."""
    return getattr(getattr(f, "func", f), "__name__", type(f).__name__)
