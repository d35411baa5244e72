"""Rules of the primitives that choose or repeat a program: cond, switch and scan."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from argflux.autodiff.compiled import compiled
from argflux.autodiff.masks import masked_variables
from argflux.autodiff.partition import Halves, activity, evaluate, invariant, read, split
from argflux.autodiff.products import products, without
from argflux.autodiff.registry import RULES, runs
from argflux.autodiff.rules.calls import zeros_for_seeds
from argflux.autodiff.tape import Node, Tape
from argflux.jaxpr import Literal, scan_counts, struct, vary_like, varying_axes, zeros


@runs("cond", selects=True, moves=True)
@compiled
def cond(tape: Tape, eqn, nodes):
    """Run the chosen branch forward and, on the way back, the pullback of that same branch.

    Every branch returns the residuals of all: its own filled in, the places of the others zero.
    """
    captured = {key: _varied(tape, node, nodes[0]) for key, node in tape.captured_in(eqn).items()}
    given = [_varied(tape, node, nodes[0]) for node in nodes[1:]]
    active = [node.slot is not None for node in given]
    nodes = [nodes[0], *captured.values(), *given]
    demand = {"masked": tape.masks(eqn), "wild": [node.wild for node in nodes[1:]], "met": [n.value for n in given]}
    branches = [split(branch, active, captured, **demand) for branch in eqn.params["branches"]]
    index, operands = nodes[0].value, [node.value for node in nodes[1:]]
    saved = [[v for v in halves.residuals if v not in set(halves.inputs)] for halves in branches]

    def forward_of(k):
        def forward(*values):
            env = branches[k].forward(values)
            own = {j: [env[v] for v in saved[j]] if j == k else _zeros(saved[j]) for j in range(len(branches))}
            return [read(env, atom) for atom in branches[k].outputs], list(own.values())

        return forward

    ys, residuals = lax.switch(index, [forward_of(k) for k in range(len(branches))], *operands)

    def cond_back(dys):
        wanted = [any(h.cotangents[i] is not None for h in branches) for i in range(len(operands))]

        def backward_of(k):
            halves = branches[k]

            def backward(values, kept, seeds):
                known = dict(zip(halves.inputs, values, strict=True)) | dict(zip(saved[k], kept[k], strict=True))
                dxs = halves.backward(known, seeds)
                given = [(x, dx) for x, dx, on in zip(values, dxs, wanted, strict=True) if on]
                return [jnp.zeros_like(x) if dx is None else vary_like(dx, x) for x, dx in given]

            return backward

        functions = [backward_of(k) for k in range(len(branches))]
        found = iter(lax.switch(index, functions, operands, residuals, zeros_for_seeds(dys, branches[0])))
        return [None] + [next(found) if on else None for on in wanted]

    return tape.record(eqn, RULES["cond"], nodes, ys, cond_back)


def _varied(tape: Tape, node: Node, index: Node) -> Node:
    """Let an operand vary as the index does: devices that choose differently cannot sum cotangents in a branch."""
    axes = varying_axes(index.value)
    if node.slot is None or not axes - varying_axes(node.value):
        return node
    return tape.run_closed(jax.make_jaxpr(lambda x: vary_like(x, index.value))(struct(node.value)), [node])[0]


def _zeros(variables: list) -> list:
    return [zeros(v.aval) for v in variables]


@dataclass(frozen=True)
class _Layout:
    """How the inputs and outputs of a scan's body are laid out: consts, carry, xs → carry, ys."""

    consts: int
    carry: int

    def inputs(self, values: list) -> tuple[list, list, list]:
        first, second = self.consts, self.consts + self.carry
        return list(values[:first]), list(values[first:second]), list(values[second:])


@runs("scan", selects=True, moves=True)
@compiled
def scan(tape: Tape, eqn, nodes):
    """Scan forward keeping residuals, then scan the body's pullback the other way.

    What the body computes from its constants alone is computed once, outside both loops; constants and scanned
    inputs are not kept a second time. The cotangents of carries travel along, those of constants add up; a product of
    stacked values, as the gradient of a recurrent layer's weight is, is taken of all steps at once.
    """
    p = eqn.params
    captured = tape.captured_in(eqn)
    constants, carries = scan_counts(eqn)
    active = _active_inputs(p["jaxpr"].jaxpr, _Layout(constants, carries), nodes, bool(captured))
    masked = _masked_outputs(p["jaxpr"].jaxpr, _Layout(constants, carries), tape.masks(eqn))
    nodes = [*captured.values(), *nodes]
    layout = _Layout(len(captured) + constants, carries)
    halves = split(p["jaxpr"], active, captured, masked=masked, wild=_wild_inputs(tape, eqn, layout, nodes))
    consts, carry, xs = layout.inputs([node.value for node in nodes])
    const_vars, carry_vars, x_vars = layout.inputs(halves.inputs)

    fixed = halves.consts | dict(zip(const_vars, consts, strict=True))
    still, moving = invariant(halves.known, list(fixed))
    fixed = evaluate(still, fixed)
    stacked = [v for v in halves.residuals if v not in fixed and v not in set(x_vars)]

    def forward(state, slices):
        env = fixed | dict(zip(carry_vars, state, strict=True)) | dict(zip(x_vars, slices, strict=True))
        evaluate(moving, env)
        outputs = [read(env, atom) for atom in halves.outputs]
        return outputs[: layout.carry], (outputs[layout.carry :], [env[v] for v in stacked])

    shape = {"length": p["length"], "unroll": p["unroll"]}
    last, (ys, residuals) = lax.scan(forward, carry, xs, reverse=p["reverse"], **shape)

    def scan_back(dys):
        dcarry, dy_slices = _seed(dys, halves, layout)
        kept = (residuals, xs, dy_slices)
        dx_vars = halves.cotangents[layout.consts + layout.carry :]
        after = products(halves, layout.consts, {*stacked, *x_vars, *(v for v in dx_vars if v is not None)})
        during = without(halves, after)
        body = _backward_body(during, layout, fixed, stacked, dys)
        start = (
            dcarry,
            [jnp.zeros_like(c) for c, d in zip(consts, during.cotangents, strict=False) if d is not None],
        )
        (dcarry, dconsts), dxs = lax.scan(body, start, kept, reverse=not p["reverse"], **shape)
        dinputs = _spread(during.cotangents, layout, dconsts, dcarry, dxs)
        steps = dict(zip([*stacked, *x_vars], [*residuals, *xs], strict=True))
        steps |= {
            v: dx for v, dx in zip(dx_vars, dinputs[layout.consts + layout.carry :], strict=True) if dx is not None
        }
        return [after[i].over_all(steps) if i in after else dx for i, dx in enumerate(dinputs)]

    return tape.record(eqn, RULES["scan"], nodes, [*last, *ys], scan_back)


def _active_inputs(jaxpr, layout: _Layout, nodes: list, captures: bool) -> list[bool]:
    """Find which inputs of the body carry a derivative, going round until the carries settle."""
    consts, carry, xs = layout.inputs([node.slot is not None for node in nodes])
    floating = [_is_float(v) for v in layout.inputs(jaxpr.invars)[1]]
    if captures:
        return consts + floating + xs
    while True:
        out = activity(jaxpr, consts + carry + xs)[: layout.carry]
        grown = [(a or b) and f for a, b, f in zip(carry, out, floating, strict=True)]
        if grown == carry:
            return consts + carry + xs
        carry = grown


def _masked_outputs(jaxpr, layout: _Layout, masked: list[bool]) -> list[bool]:
    """Find in which outputs of the body zeros of a selection may lie, going round until the carries settle."""
    while True:
        found = masked_variables(jaxpr, masked)
        carries = layout.inputs(jaxpr.invars)[1]
        grown = [on or v in found for on, v in zip(masked, carries, strict=False)] + masked[layout.carry :]
        if grown == masked:
            return masked
        masked = grown


def _wild_inputs(tape: Tape, eqn, layout: _Layout, nodes: list) -> list[bool]:
    """Say which inputs of the body may be infinite or NaN: carries, if anything in the body may."""
    consts, carry, xs = layout.inputs([node.wild for node in nodes])
    return consts + [tape.marks(eqn, nodes)[0]] * len(carry) + xs


def _seed(dys: list, halves: Halves, layout: _Layout) -> tuple[list, list]:
    """Start the backward carry from the cotangents of the last state; drop absent cotangents of the slices."""
    seeds = zeros_for_seeds(dys[: layout.carry], _First(halves.seeds[: layout.carry]))
    slots = layout.inputs(halves.cotangents)[1]
    dcarry = [dy for dy, dx in zip(seeds, slots, strict=True) if dx is not None]
    return dcarry, [dy for dy in dys[layout.carry :] if dy is not None]


@dataclass(frozen=True)
class _First:
    """The first few seeds of a split program."""

    seeds: list


def _backward_body(halves: Halves, layout: _Layout, fixed: dict, stacked: list, dys: list) -> Any:
    const_slots, carry_slots, x_slots = layout.inputs(halves.cotangents)
    x_vars = layout.inputs(halves.inputs)[2]

    def backward(state, slices):
        dcarry, dconsts = state
        kept, xs, dy_slices = slices
        known = fixed | dict(zip(stacked, kept, strict=True)) | dict(zip(x_vars, xs, strict=True))
        given, arriving = iter(dcarry), iter(dy_slices)
        seeds = [next(given) if slot is not None else None for slot in carry_slots]
        seeds += [None if dy is None else next(arriving) for dy in dys[layout.carry :]]
        dinputs = halves.backward(known, zeros_for_seeds(seeds, halves))
        new_consts, new_carry, new_xs = layout.inputs(dinputs)
        added = [lax.add(total, d) for total, d in zip(dconsts, _present(new_consts, const_slots), strict=True)]
        return (_present(new_carry, carry_slots), added), _present(new_xs, x_slots)

    return backward


def _present(values: list, slots: list) -> list:
    return [value for value, slot in zip(values, slots, strict=True) if slot is not None]


def _spread(cotangents: list, layout: _Layout, dconsts: list, dcarry: list, dxs: list) -> list:
    groups = zip(layout.inputs(cotangents), (iter(dconsts), iter(dcarry), iter(dxs)), strict=True)
    return [None if slot is None else next(found) for slots, found in groups for slot in slots]


def _is_float(v: Any) -> bool:
    return not isinstance(v, Literal) and jnp.issubdtype(v.aval.dtype, jnp.floating)
