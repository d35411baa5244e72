"""Splitting one program's value-and-pullback into what runs forward and what runs backward."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from argflux.autodiff.registry import ZERO_DERIVATIVE
from argflux.autodiff.tape import Node, Tape, bind, sum_by_slot
from argflux.jaxpr import ClosedJaxpr, Literal

ARITHMETIC = {"add", "sub", "mul", "neg", "square", "integer_pow"}


def activity(jaxpr: Any, active: Sequence[bool]) -> list[bool]:
    """Say which outputs may depend differentiably on the active inputs."""
    live = {v for v, on in zip(jaxpr.invars, active, strict=True) if on}

    def is_live(atom):
        return not isinstance(atom, Literal) and atom in live

    for eqn in jaxpr.eqns:
        if eqn.primitive.name not in ZERO_DERIVATIVE and any(map(is_live, eqn.invars)):
            live.update(v for v in eqn.outvars if jnp.issubdtype(v.aval.dtype, jnp.floating))
    return [is_live(v) for v in jaxpr.outvars]


@dataclass(frozen=True)
class Halves:
    """A program with its pullback, cut in two.

    `known` computes the outputs and every residual from the inputs; `pulled` computes the cotangents of the
    inputs from residuals and the cotangents of the outputs. `outputs`, `residuals` and `cotangents` are atoms of
    one shared jaxpr; a cotangent that is exactly zero is `None`. `live` says which outputs a derivative can pass,
    `masked` in which cotangents zeros of a selection may lie.
    """

    consts: dict
    inputs: list
    seeds: list
    known: list
    pulled: list
    outputs: list
    residuals: list
    cotangents: list
    live: list[bool]
    masked: list[bool]

    def forward(self, values: Sequence) -> dict:
        """Run the forward half and return every value by its variable."""
        env = self.consts | dict(zip(self.inputs, values, strict=True))
        return evaluate(self.known, env)

    def backward(self, residuals: dict, seeds: Sequence) -> list:
        """Run the backward half from residual values by variable and one cotangent per output."""
        env = evaluate(self.pulled, self.consts | residuals | dict(zip(self.seeds, seeds, strict=True)))
        return [None if atom is None else read(env, atom) for atom in self.cotangents]


def split(
    closed: ClosedJaxpr,
    active: Sequence[bool],
    captured: dict[int, Node],
    saveable: Callable[[Any], bool] = lambda eqn: True,
    present: Sequence[bool] | None = None,
    masked: Sequence[bool] | None = None,
    wild: Sequence[bool] = (),
) -> Halves:
    """Trace a program together with its pullback and cut it where the cotangents come in.

    Args:
        closed: the program.
        active: which inputs a derivative is wanted for.
        captured: constants inside the program a derivative is wanted for; they become its first inputs.
        saveable: says of a forward equation whether its outputs may be kept for the backward half; what may
            not be kept is computed again there.
        present: which outputs have a cotangent; all, if not given.
        masked: in which of these zeros of a selection may lie; in none, if not given.
        wild: which of the captured constants and the inputs may hold infinities or NaN; none, if not given.
    """
    count = len(closed.jaxpr.outvars)
    present, masked = present or [True] * count, masked or [False] * count
    avals = [jax.ShapeDtypeStruct(node.value.shape, node.value.dtype) for node in captured.values()]
    avals += [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in closed.jaxpr.invars]
    active = [True] * len(captured) + list(active)
    seeds = [
        jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype if _is_float(v) else jnp.float32) for v in closed.jaxpr.outvars
    ]
    found: list[list[bool]] = []

    def joint(values, dys):
        tape = Tape()
        flags = zip(values, active, wild or [False] * len(values), strict=True)
        nodes = [tape.variable(x, w) if on else Node(x, None, w) for x, on, w in flags]
        tape.captured.update(zip(captured, nodes, strict=False))
        outputs = tape.run_closed(closed, nodes[len(captured) :], masked)
        slots = {node.slot for node, on in zip(outputs, masked, strict=True) if on}
        seeds = sum_by_slot(outputs, [dy if on else None for dy, on in zip(dys, present, strict=True)])
        dxs = tape.reverse(seeds, [node.slot for node in nodes], slots)
        live, mixed = [node.slot is not None for node in outputs], [node.slot in slots for node in nodes]
        found[:] = [dx is not None for dx in dxs], live, mixed
        return [node.value for node in outputs], [dx for dx in dxs if dx is not None]

    traced = jax.make_jaxpr(joint)(avals, seeds)
    return _cut(traced, len(avals), count, found, saveable)


def _cut(traced: ClosedJaxpr, num_inputs: int, num_outputs: int, flags: list, saveable) -> Halves:
    nonzero, live, masked = flags
    jaxpr = traced.jaxpr
    inputs, seeds = jaxpr.invars[:num_inputs], jaxpr.invars[num_inputs:]
    late = set(seeds)
    for eqn in jaxpr.eqns:
        if any(v in late for v in _variables(eqn.invars)):
            late.update(eqn.outvars)
    fresh = iter(jaxpr.outvars[num_outputs:])
    cotangents = [next(fresh) if on else None for on in nonzero]

    available = set(inputs) | set(jaxpr.constvars)
    needed = set(_variables([c for c in cotangents if c is not None]))
    pulled, residuals = [], {}
    for eqn in reversed(jaxpr.eqns):
        wanted = [v for v in eqn.outvars if v in needed]
        if not wanted:
            continue
        if any(v in late for v in eqn.outvars) or not saveable(eqn):
            pulled.append(eqn)
            needed.update(_variables(eqn.invars))
        else:
            residuals.update(dict.fromkeys(wanted))
    residuals.update(dict.fromkeys(v for v in inputs if v in needed & available))
    known = [eqn for eqn in jaxpr.eqns if not any(v in late for v in eqn.outvars)]
    again = _drop_cheap(residuals, known)
    return Halves(
        dict(zip(jaxpr.constvars, traced.consts, strict=True)),
        inputs,
        seeds,
        live_equations(known, [*jaxpr.outvars[:num_outputs], *residuals]),
        again + pulled[::-1],
        jaxpr.outvars[:num_outputs],
        list(residuals),
        cotangents,
        live,
        masked,
    )


def _drop_cheap(residuals: dict, known: list) -> list:
    """Take out the residuals that arithmetic makes of the others; return the equations that make them again."""
    maker = {v: eqn for eqn in known if eqn.primitive.name in ARITHMETIC for v in eqn.outvars}
    again = set()
    for v in reversed([v for v in maker if v in residuals]):
        inputs = _variables(maker[v].invars)
        if all(_is_made_of(residuals, x, maker) for x in inputs):
            del residuals[v]
            again.add(v)
            again.update(_between(residuals, inputs, maker))
    return [eqn for eqn in known if eqn.outvars[0] in again]


def _is_made_of(residuals: dict, v: Any, maker: dict, deepest: int = 4) -> bool:
    """Say whether a few steps of arithmetic lead from the residuals to a variable."""
    if v in residuals:
        return True
    inputs = _variables(maker[v].invars) if v in maker and deepest else [v]
    return v not in inputs and all(_is_made_of(residuals, x, maker, deepest - 1) for x in inputs)


def _between(residuals: dict, variables: list, maker: dict) -> Iterator:
    """Yield what has to be made on the way from the residuals to some variables."""
    for v in variables:
        if v not in residuals:
            yield v
            yield from _between(residuals, _variables(maker[v].invars), maker)


def live_equations(eqns: list, wanted: Sequence) -> list:
    """Drop equations that nothing wanted depends on."""
    needed, kept = set(_variables(wanted)), []
    for eqn in reversed(eqns):
        if eqn.effects or any(v in needed for v in eqn.outvars):
            kept.append(eqn)
            needed.update(_variables(eqn.invars))
    return kept[::-1]


def invariant(eqns: list, sources: Sequence) -> tuple[list, list]:
    """Part equations into those that depend on `sources` alone and the others."""
    fixed, still, moving = set(sources), [], []
    for eqn in eqns:
        if not eqn.effects and all(v in fixed for v in _variables(eqn.invars)):
            still.append(eqn)
            fixed.update(eqn.outvars)
        else:
            moving.append(eqn)
    return still, moving


def evaluate(eqns: Sequence, env: dict) -> dict:
    """Run equations in place on an environment of values by variable."""
    for eqn in eqns:
        env.update(zip(eqn.outvars, bind(eqn, [read(env, v) for v in eqn.invars]), strict=True))
    return env


def read(env: dict, atom: Any) -> Any:
    """Look an atom up: a literal's own value or a variable's."""
    return atom.val if isinstance(atom, Literal) else env[atom]


def _variables(atoms: Sequence) -> list:
    return [v for v in atoms if not isinstance(v, Literal)]


def _is_float(v: Any) -> bool:
    return jnp.issubdtype(v.aval.dtype, jnp.floating)
