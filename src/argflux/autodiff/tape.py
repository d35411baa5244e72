"""The engine: runs a jaxpr while recording how to pull back each equation, then walks the record in reverse."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux.autodiff.masks import is_float, joins, keep_silence, leaves_a_part, masked_variables, pattern
from argflux.autodiff.ranges import ANYTHING, Range, of_constant, of_result
from argflux.autodiff.registry import HOLDS_PROGRAMS, RULES, ZERO_DERIVATIVE, Rule
from argflux.autodiff.source import user_frame, user_line
from argflux.autodiff.wild import is_wild_constant, makes_wild
from argflux.errors import DtypeError, MissingRuleError, RuleError
from argflux.jaxpr import Literal, vary_like, zeros


class Node:
    """A value met while running a program.

    `slot` numbers its cotangent, `None` where no derivative is wanted; `wild` says that it may hold infinities or NaN,
    `bounds` between which numbers it lies otherwise. `pattern` names what it chooses by, if that looks at no values.
    """

    __slots__ = ("bounds", "pattern", "slot", "value", "wild")

    def __init__(self, value: Any, slot: int | None = None, wild: bool = False, bounds: Range = ANYTHING):
        self.value, self.slot, self.wild, self.bounds = value, slot, wild, bounds
        self.pattern: str | None = None


PART, WHOLE = 1, 2  # zeros of a selection lie in some places of a cotangent; or maybe in all of them


@dataclass(frozen=True, slots=True)
class Step:
    """One equation on the record: its rule, its pullback, and where its cotangents come from and go to.

    `kept` is the pullback where zeros of a selection lie in the cotangents; without it, one that is zero throughout is
    kept so, unless the rule only moves cotangents. `origin` is the equation of the user's that it stands for, where
    it lies inside a function's own derivative. `part` says of a selection that it leaves out some places, never all.
    """

    eqn: Any
    origin: Any
    rule: Rule | None
    back: Callable[[list], Sequence]
    inputs: tuple[int | None, ...]
    outputs: tuple[int | None, ...]
    kept: Callable[[list], Sequence] | None = None
    part: bool = False

    def pull(self, dys: list, masks: Sequence[int]) -> Iterator[tuple[int, Any, int]]:
        """Yield the cotangents of the wanted inputs, each with its slot and what zeros of a selection lie in it."""
        rule = self.rule
        missing = any(dy is None for dy, s in zip(dys, self.outputs, strict=True) if s is not None)
        mask = WHOLE if missing else max(masks, default=0)
        back = self.kept if mask and self.kept is not None else self.back
        mixes = self.kept is None and not (rule is not None and rule.moves)
        if mask == PART and mixes and all(dy is None or dy.ndim < 3 for dy in dys):
            mask = 0  # one problem that mixes its cotangents, not all of which are zero
        elif mask == PART and (mixes or joins(self.eqn)):
            mask = WHOLE
        guard = mask and mixes
        if rule is not None and rule.selects:
            mask = max(mask, PART if self.part else WHOLE)
        for slot, dx in zip(self.inputs, back(dys), strict=True):
            if slot is None or dx is None:
                continue
            dx = dx() if callable(dx) else dx
            yield (
                slot,
                keep_silence(dys, dx, rule is not None and rule.batched) if guard else dx,
                mask,
            )


@dataclass
class Tape:
    """The record of one forward run.

    `run` evaluates a jaxpr on nodes and appends a `Step` for every equation that a derivative may pass;
    `reverse` takes cotangents of some slots to cotangents of others. Array constants for which `wants` says yes
    are variables too, wherever in the program they are met; `captured` holds their nodes by identity. `trusted` says
    that what is computed holds no infinities or NaN unless what it is made of does. `seeded` holds the slots where
    the way back began.
    """

    wants: Callable[[Any], bool] | None = None
    captured: dict[int, Node] = field(default_factory=dict)
    steps: list[Any] = field(default_factory=list)
    dtypes: list = field(default_factory=list)
    origin: Any = None
    trusted: bool = False
    masked: set = field(default_factory=set)
    seeded: set = field(default_factory=set)

    def variable(self, value: Any, wild: bool = False, bounds: Range = ANYTHING) -> Node:
        """Make a node whose cotangent is wanted."""
        self.dtypes.append(value.dtype)
        return Node(value, len(self.dtypes), wild, bounds)

    def constant(self, value: Any, wild: bool = False) -> Node:
        """Make a node for a constant of the program, or find the one it has."""
        if self.wants is not None and id(value) not in self.captured and is_float(value) and self.wants(value):
            self.captured[id(value)] = self.variable(value, wild)
        return self.captured.get(id(value)) or Node(value, None, wild, of_constant(value))

    def captured_in(self, eqn) -> dict[int, Node]:
        """Find the wanted constants inside the programs that an equation holds, by identity."""
        if eqn.primitive.name not in HOLDS_PROGRAMS or not (self.captured or self.wants):
            return {}
        found = {id(c): self.constant(c) for c in _constants(eqn.params.values())}
        return {key: node for key, node in found.items() if node.slot is not None}

    def run_closed(self, closed: Any, args: Sequence[Node], masked: Sequence[bool] = ()) -> list[Node]:
        """Evaluate a jaxpr that carries its constants."""
        return self.run(closed.jaxpr, [self.constant(c) for c in closed.consts], args, masked)

    def run(self, jaxpr: Any, consts: Sequence[Node], args: Sequence[Node], masked: Sequence[bool] = ()) -> list[Node]:
        """Evaluate `jaxpr` with our rules and return its outputs.

        `masked` says in which outputs' cotangents zeros of a selection may lie, for the loops and branches inside,
        whose pullbacks are made before cotangents are there.
        """
        if any(eqn.primitive.name in HOLDS_PROGRAMS for eqn in jaxpr.eqns):
            self.masked |= masked_variables(jaxpr, masked or [False] * len(jaxpr.outvars))
        env = dict(zip(jaxpr.constvars, consts, strict=True))
        env.update(zip(jaxpr.invars, args, strict=True))

        def read(atom):
            if not isinstance(atom, Literal):
                return env[atom]
            value = np.asarray(atom.val, getattr(atom.aval, "dtype", None))
            return Node(value, None, is_wild_constant(value), of_constant(value))

        for eqn in jaxpr.eqns:
            outputs = self._equation(eqn, [read(v) for v in eqn.invars])
            env.update(zip(eqn.outvars, outputs, strict=True))
        return [read(v) for v in jaxpr.outvars]

    def _equation(self, eqn, nodes: list[Node]) -> list[Node]:
        active = any(node.slot is not None for node in nodes) or self.captured_in(eqn)
        rule = RULES.get(eqn.primitive.name)
        if not active or eqn.primitive.name in ZERO_DERIVATIVE:
            outputs = [Node(y, None, *self.marks(eqn, nodes)) for y in bind(eqn, [node.value for node in nodes])]
            if outputs:
                outputs[0].pattern = pattern(eqn, [node.pattern for node in nodes])
            return outputs
        if rule is not None and rule.call is not None:
            return self._call(rule.call, eqn, nodes)
        operands = [node.value for node in nodes]
        if rule is None:
            ys, pullbacks = bind(eqn, operands), (missing_rule(eqn, user_line(eqn, self.origin)),)
        elif rule.forward is not None:
            ys, pullbacks = _run_user_rule(rule, eqn, operands)
        else:
            ys, pullbacks = _run_rule(rule, eqn, operands, [node.wild for node in nodes])
        return self.record(eqn, rule, nodes, ys, *pullbacks)

    def _call(self, call: Callable, eqn, nodes: list[Node]) -> list[Node]:
        outer = self.origin
        self.origin = outer if user_frame(eqn) is None and outer is not None else eqn
        try:
            return call(self, eqn, nodes)
        finally:
            self.origin = outer

    def masks(self, eqn) -> list[bool]:
        """Say in which cotangents of an equation's outputs zeros of a selection may lie."""
        return [v in self.masked for v in eqn.outvars]

    def marks(self, eqn, nodes: Sequence[Node]) -> tuple[bool, Range]:
        """Say whether the results of an equation may be infinite or NaN, and between which numbers they lie."""
        bounds = [node.bounds for node in nodes]
        chosen = [n for n in nodes if n.bounds[0] < n.bounds[1]] if eqn.primitive.name == "select_n" else nodes
        wild = any(node.wild for node in chosen) or (not self.trusted and makes_wild(eqn, bounds))
        return wild, of_result(eqn, bounds)

    def record(self, eqn, rule, nodes: Sequence[Node], ys: Sequence, back, kept=None) -> list[Node]:
        """Append a step whose `back(dys)` returns one cotangent per node; give the float outputs slots."""
        for v in eqn.outvars:
            dtype = getattr(v.aval, "dtype", None)
            check_real(dtype, lambda: f"gradient through `{eqn.primitive.name}` at {user_line(eqn, self.origin)}")
        marks = self.marks(eqn, nodes)
        outputs = [
            self.variable(y, *marks) if is_float(v.aval) else Node(y) for y, v in zip(ys, eqn.outvars, strict=True)
        ]
        slots = tuple(node.slot for node in nodes), tuple(node.slot for node in outputs)
        part = leaves_a_part(eqn, [node.pattern for node in nodes])
        self.steps.append(Step(eqn, self.origin, rule, back, *slots, kept, part))
        return outputs

    def reverse(self, seeds: dict[int, Any], wanted: Sequence[int | None], masked: set | None = None) -> list:
        """Pull cotangents back: from `{slot: cotangent}` of outputs to the `wanted` slots (`None` is zero).

        `masked` holds the slots in whose cotangents exact zeros of a selection may lie; it grows on the way.
        """
        cotangents = dict(seeds)
        masks = dict.fromkeys(masked or (), WHOLE)
        self.seeded = set(seeds)
        keep = {slot for slot in wanted if slot is not None}
        for step in reversed(self.steps):
            dys = [None if s is None else cotangents.get(s) for s in step.outputs]
            for slot in step.outputs:
                if slot is not None and slot not in keep:
                    cotangents.pop(slot, None)
            if any(dy is not None for dy in dys):
                for slot, dx, mask in step.pull(dys, [masks.get(slot, 0) for slot in step.outputs]):
                    self._add(cotangents, slot, dx)
                    masks[slot] = max(mask, masks.get(slot, 0))
        if masked is not None:
            masked.update(slot for slot, mask in masks.items() if mask)
        return [None if slot is None else cotangents.get(slot) for slot in wanted]

    def unread(self, slot: int | None, axis: int, size: int) -> np.ndarray:
        """Say which places along an axis of a value nothing reads, of which every use is a slice."""
        unread = np.full(size, slot not in self.seeded)
        for step in self.steps:
            if slot in step.inputs:
                part = step.eqn.params if step.eqn.primitive.name == "slice" else None
                unread[slice(part["start_indices"][axis], part["limit_indices"][axis]) if part else slice(None)] = False
        return unread

    def _add(self, cotangents: dict, slot: int, dx: Any) -> None:
        dx, previous = self._fit(dx, slot), cotangents.get(slot)
        cotangents[slot] = dx if previous is None else lax.add(previous, dx)

    def _fit(self, dx: Any, slot: int) -> Any:
        """Give a cotangent the dtype of the value it belongs to."""
        dtype = self.dtypes[slot - 1]
        return dx if dx.dtype == dtype else lax.convert_element_type(dx, dtype)


def bind(eqn, operands: Sequence) -> list:
    """Apply an equation's primitive, without derivative; operands may vary along more axes of a mesh than declared."""
    if eqn.primitive.name == "pvary":
        return [vary_like(operands[0], eqn.outvars[0].aval)]
    operands = [vary_like(x, v.aval) for x, v in zip(operands, eqn.invars, strict=True)]
    ys = eqn.primitive.bind(*operands, **eqn.primitive.get_bind_params(eqn.params))
    return ys if eqn.primitive.multiple_results else [ys]


def sum_by_slot(outputs: Sequence[Node], dys: Sequence) -> dict[int, Any]:
    """Gather output cotangents by slot, adding those of an output that is returned twice."""
    seeds: dict[int, Any] = {}
    for node, dy in zip(outputs, dys, strict=True):
        if node.slot is not None and dy is not None:
            seeds[node.slot] = dy if node.slot not in seeds else seeds[node.slot] + dy
    return seeds


def zeros_for(dys: Sequence, variables: Sequence) -> list:
    """Replace missing cotangents of float variables by zeros; other variables keep `None`."""
    return [zeros(v.aval) if dy is None and is_float(v.aval) else dy for dy, v in zip(dys, variables, strict=True)]


def _run_rule(rule: Rule, eqn, operands, wild):
    """Return the values and the pullbacks: the plain one, and the one that keeps zeros, if the rule has one."""
    ys = bind(eqn, operands)
    pulls = [rule.back] if rule.kept is None else [rule.back, functools.partial(rule.kept, wild)]

    def pullback_of(pull):
        if eqn.primitive.multiple_results:
            return lambda dys: pull(zeros_for(dys, eqn.outvars), ys, *operands, **eqn.params)
        return lambda dys: pull(dys[0], ys[0], *operands, **eqn.params)

    return ys, [pullback_of(pull) for pull in pulls]


def _run_user_rule(rule: Rule, eqn, operands):
    assert rule.forward is not None
    y, pull = rule.forward(*operands, **eqn.params)
    multiple = eqn.primitive.multiple_results

    def back(dys):
        dys = zeros_for(dys, eqn.outvars)
        dxs = pull(dys if multiple else dys[0])
        check_cotangents(rule.function_name, dxs, [v.aval for v in eqn.invars])
        return dxs

    return (list(y) if multiple else [y]), (back,)


def check_cotangents(name: str, dxs: Any, avals: Sequence) -> None:
    """Hold what a user's pullback returned against its operands: number, shape and dtype.

    Raises:
        RuleError: naming the rule and the argument at fault.
    """
    todo = "return one cotangent per argument, with that argument's shape and dtype, or None"
    if not isinstance(dxs, tuple | list) or len(dxs) != len(avals):
        got = f"{len(dxs)} of them" if isinstance(dxs, tuple | list) else f"a {type(dxs).__name__}"
        raise RuleError(got, f"a tuple of {len(avals)} cotangents", todo, where=f"rule {name}")
    for position, (dx, aval) in enumerate(zip(dxs, avals, strict=True)):
        if dx is None:
            continue
        shape, dtype = jnp.shape(dx), jnp.result_type(dx)
        if shape != aval.shape or dtype != aval.dtype:
            raise RuleError(
                f"a cotangent {dtype}{list(shape)} for argument {position}",
                f"{aval.dtype}{list(aval.shape)}",
                todo,
                where=f"rule {name}",
            )


def missing_rule(eqn, line: str):
    """Return a pullback that names the primitive that has none, and the user's line."""
    name = eqn.primitive.name

    def back(dys):
        hint = "write the loop with `jax.lax.scan`" if name == "while" else f"add one with `@af.rrule({name!r})`"
        raise MissingRuleError(
            f"the primitive `{name}` called at {line}",
            "a primitive with a reverse rule",
            f"{hint}, or stop the derivative before it with `af.ignore_derivatives`",
            where="gradient",
        )

    return back


def check_real(dtype: Any, where: Callable[[], str]) -> None:
    """Refuse complex numbers, which have no rules here.

    Raises:
        DtypeError: if the dtype is complex.
    """
    if dtype is not None and jnp.issubdtype(dtype, jnp.complexfloating):
        raise DtypeError(
            f"an array of dtype {dtype}",
            "real floating arrays",
            "pass the real and imaginary parts as two arrays",
            where=where(),
        )


def _constants(values: Any) -> Iterator[Any]:
    """Yield the array constants of the programs among some parameters, and of the programs inside those."""
    for value in values:
        if isinstance(value, tuple | list):
            yield from _constants(value)
        elif hasattr(value, "eqns"):
            yield from getattr(value, "consts", ())
            for eqn in value.eqns:
                if eqn.primitive.name in HOLDS_PROGRAMS:
                    yield from _constants(eqn.params.values())
