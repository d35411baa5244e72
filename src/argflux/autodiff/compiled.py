"""Programs inside a function (of `jit`, `scan`, `cond`), run compiled when a gradient is taken outside `jit`."""

import functools
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from argflux.autodiff.partition import Halves, read, split
from argflux.autodiff.tape import WHOLE, Node, Tape, bind
from argflux.compilation import compiler_options
from argflux.errors import ArgfluxError
from argflux.jaxpr import ClosedJaxpr, Tracer, is_traced, jaxprs_in_params, scan_counts

ON_THE_HOST = {"opaque", "hook"}
FEW = 4


@dataclass(frozen=True)
class Demand:
    """Which outputs have a cotangent, and in which of these zeros of a selection may lie."""

    present: tuple[bool, ...]
    masked: tuple[bool, ...]


class Form:
    """A program and its pullback compiled for one demand: in halves, and whole for when it was not foreseen."""

    def __init__(self, halves: Halves):
        self.halves = halves
        self.forward, self.backward = _Compiled(self._forward), _Compiled(self._backward)
        self.again = _Compiled(lambda values, dys: self._backward(self._forward(values)[1], dys))

    def _forward(self, values: list) -> tuple[list, list]:
        env = self.halves.forward(values)
        return [read(env, atom) for atom in self.halves.outputs], [env[v] for v in self.halves.residuals]

    def _backward(self, residuals: list, dys: list) -> list:
        return self.halves.backward(dict(zip(self.halves.residuals, residuals, strict=True)), dys)


class _Compiled:
    """A function that is compiled where it is called outside `jit`; inside, it becomes part of the program."""

    def __init__(self, f: Callable):
        self.inside, self.outside = f, jax.jit(f, compiler_options=compiler_options())

    def __call__(self, *args: Any) -> Any:
        return (self.inside if is_traced() else self.outside)(*args)


class Forms:
    """The compiled forms of one program for one choice of active inputs, and the demand last met, expected again."""

    def __init__(self, eqn: Any, active: Sequence[bool], captured: dict[int, Node], wild: Sequence[bool]):
        self.active, self.captured, self.wild = tuple(active), dict.fromkeys(captured), tuple(wild)
        count = len(eqn.outvars)
        everything = self._make(eqn, captured, Demand((True,) * count, (False,) * count))
        self.expected = Demand(tuple(everything.halves.live), (False,) * count)
        self.known = {self.expected: everything}

    def form(self, eqn: Any, captured: dict[int, Node], demand: Demand) -> Form:
        """Return the form for a demand."""
        if demand not in self.known:
            self.known[demand] = self._make(eqn, captured, demand)
        return self.known[demand]

    def _make(self, eqn, captured, demand: Demand) -> Form:
        demanded: dict[str, Any] = {"present": demand.present, "masked": demand.masked, "wild": self.wild}
        return Form(split(_program(eqn), self.active, captured, **demanded))


@dataclass(frozen=True, slots=True)
class CompiledStep:
    """A program on the record, whose pullback is compiled."""

    eqn: Any
    forms: Forms
    form: Form
    captured: dict[int, Node]
    values: list
    residuals: list
    inputs: tuple[int | None, ...]
    outputs: tuple[int | None, ...]

    def pull(self, dys: list, masks: Sequence[int]) -> Iterator[tuple[int, Any, int]]:
        """Yield the cotangents of the wanted inputs, as `Step.pull` does."""
        zeros = tuple(mask > 0 or dy is None for mask, dy in zip(masks, dys, strict=True))
        self.forms.expected = Demand(tuple(dy is not None for dy in dys), zeros)
        form = self.forms.form(self.eqn, self.captured, self.forms.expected)
        dxs = form.backward(self.residuals, dys) if form is self.form else form.again(self.values, dys)
        for slot, dx, mask in zip(self.inputs, dxs, form.halves.masked, strict=True):
            if slot is not None and dx is not None:
                yield slot, dx, WHOLE if mask else 0


_FORMS: weakref.WeakKeyDictionary[Any, dict] = weakref.WeakKeyDictionary()


def compiled(rule: Callable) -> Callable:
    """Make the rule of a primitive that holds programs compile them where all values are known.

    Programs of a few equations, and those that hand cotangents to Python, are run in place.
    """

    @functools.wraps(rule)
    def call(tape: Tape, eqn: Any, nodes: list[Node]) -> list[Node]:
        if any(isinstance(node.value, Tracer) for node in nodes) or not _is_worth_compiling(eqn):
            return rule(tape, eqn, nodes)
        captured = tape.captured_in(eqn)
        wild = [node.wild for node in [*captured.values(), *nodes]]
        forms = _find_forms(eqn, [node.slot is not None for node in nodes], captured, wild)
        return rule(tape, eqn, nodes) if forms is None else _run(tape, eqn, forms, captured, nodes)

    return call


def _run(tape: Tape, eqn, forms: Forms, captured: dict[int, Node], nodes: list[Node]) -> list[Node]:
    nodes = [*captured.values(), *nodes]
    values = [node.value for node in nodes]
    form = forms.form(eqn, captured, forms.expected)
    ys, residuals = form.forward(values)
    wild, _ = tape.marks(eqn, nodes)
    outputs = [
        tape.variable(y, wild) if on else Node(y, None, wild) for y, on in zip(ys, form.halves.live, strict=True)
    ]
    slots = tuple(node.slot for node in nodes), tuple(node.slot for node in outputs)
    tape.steps.append(CompiledStep(eqn, forms, form, captured, values, residuals, *slots))
    return outputs


def _find_forms(eqn, active: list[bool], captured: dict[int, Node], wild: list[bool]) -> Forms | None:
    """Look the compiled forms of an equation up, or make them; `None` where the program cannot be pulled back."""
    program, rest = _identity(eqn)
    known = _FORMS.setdefault(program, {})
    key = (rest, tuple(active), tuple(captured), tuple(wild))
    if key not in known:
        try:
            known[key] = Forms(eqn, active, captured, wild)
        except ArgfluxError:
            known[key] = None
    return known[key]


def _identity(eqn) -> tuple[Any, tuple]:
    """Return the program that an equation stands and falls with, and what else tells it from others."""
    p = eqn.params
    if "branches" in p:
        first, *others = p["branches"]
        return first, tuple(map(weakref.ref, others))
    if eqn.primitive.name == "scan":
        return p["jaxpr"], (p["length"], p["reverse"], p["unroll"], *scan_counts(eqn))
    return p["jaxpr"], ()


def _program(eqn) -> ClosedJaxpr:
    if eqn.primitive.name == "jit":
        return eqn.params["jaxpr"]
    avals = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in eqn.invars]
    return jax.make_jaxpr(lambda *operands: bind(eqn, operands))(*avals)


def _is_worth_compiling(eqn) -> bool:
    if eqn.effects:
        return False
    names = [name for jaxpr in jaxprs_in_params(eqn.params) for name in primitives(jaxpr)]
    return not ON_THE_HOST.intersection(names) and (eqn.primitive.name != "jit" or len(names) > FEW)


def primitives(jaxpr: Any) -> Iterator[str]:
    """Yield the names of the primitives in a program and in those that its equations hold."""
    for eqn in jaxpr.eqns:
        yield eqn.primitive.name
        for inner in jaxprs_in_params(eqn.params):
            yield from primitives(inner)
