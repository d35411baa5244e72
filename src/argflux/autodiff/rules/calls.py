"""Rules of the primitives that call a program once: jit, custom derivatives, remat, linear calls and solves."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux.autodiff.compiled import compiled
from argflux.autodiff.partition import read, split
from argflux.autodiff.registry import RULES, pulls_back, runs
from argflux.autodiff.rewritten import rewritten
from argflux.autodiff.source import user_line
from argflux.autodiff.tape import Node, Tape, bind, sum_by_slot, zeros_for
from argflux.errors import RuleError
from argflux.jaxpr import (
    ClosedJaxpr,
    ad,
    backward_pass,
    closed,
    forward_pass,
    jaxpr_as_fun,
    tangent_program,
    vary_like,
    varying_axes,
    zeros,
)


@runs("jit")
@compiled
def jit_call(tape: Tape, eqn, nodes):
    """Run the program in place, on the same record."""
    return tape.run_closed(rewritten(eqn) or eqn.params["jaxpr"], nodes)


@runs("closed_call")
@runs("eval_jaxpr")
def closed_call(tape: Tape, eqn, nodes):
    """Run the program in place, on the same record."""
    return tape.run_closed(eqn.params["call_jaxpr"], nodes)


@runs("custom_jvp_call")
def custom_jvp_call(tape: Tape, eqn, nodes):
    """Pull back the function's own tangent map.

    The map is linear in the tangents, so it is run at zero tangents whose slots are those of the operands:
    whatever reaches a tangent has reached its operand.
    """
    if program := rewritten(eqn):
        return tape.run_closed(program, nodes)
    operands = nodes[eqn.params["num_consts"] :]
    symbolic = eqn.params["symbolic_zeros"]
    zeros = [symbolic and node.slot is None for node in operands]
    with _self_contained(tape, eqn):
        return run_tangent_map(tape, tangent_program(eqn, zeros), operands, zeros)


def run_tangent_map(tape: Tape, found: tuple[ClosedJaxpr, Sequence[bool]], operands: list, zeros: list) -> list[Node]:
    """Run what `tangent_program` found for some operands at zero tangents that have the operands' slots."""
    program, zero_outs = found
    tangents = [_tangent(node) for node, zero in zip(operands, zeros, strict=True) if not zero]
    primals = [Node(node.value, None, node.wild) for node in operands]
    with _trusting(tape):
        outputs = tape.run(program.jaxpr, [Node(c) for c in program.consts], primals + tangents)
    values, dots = outputs[: len(zero_outs)], iter(outputs[len(zero_outs) :])
    return [Node(y.value, None if zero else next(dots).slot, y.wild) for y, zero in zip(values, zero_outs, strict=True)]


@contextmanager
def _trusting(tape: Tape) -> Iterator[None]:
    """Take a function with a derivative of its own to be as finite as its arguments are."""
    before, tape.trusted = tape.trusted, True
    try:
        yield
    finally:
        tape.trusted = before


def _tangent(node: Node) -> Node:
    shape, dtype = np.shape(node.value), node.value.dtype
    if not jnp.issubdtype(dtype, jnp.floating):
        return Node(np.zeros(shape, jax.dtypes.float0))
    return Node(vary_like(lax.full(shape, 0, dtype), node.value), node.slot)


@runs("custom_vjp_call")
def custom_vjp_call(tape: Tape, eqn, nodes):
    """Call the function's own forward and backward passes."""
    num_consts = eqn.params["num_consts"]
    operands = nodes[num_consts:]
    program = forward_pass(eqn, [node.slot is not None for node in operands])
    with _self_contained(tape, eqn):
        flat = jaxpr_as_fun(program)(*[node.value for node in operands])
    _, residual_tree, forwarded = eqn.params["out_trees"]()
    count = residual_tree.num_leaves - sum(position is not None for position in forwarded)
    computed, ys = iter(flat[:count]), flat[count:]
    residuals = [next(computed) if p is None else nodes[p].value for p in forwarded]

    def custom_vjp_back(dys):
        with _self_contained(tape, eqn):
            dxs = backward_pass(eqn, [*residuals, *zeros_for(dys, eqn.outvars)])
        return [None] * num_consts + [None if _is_zero(dx) else dx for dx in dxs]

    return tape.record(eqn, None, nodes, ys, custom_vjp_back)


@contextmanager
def _self_contained(tape: Tape, eqn) -> Iterator[None]:
    """Say in our words that a function with a derivative of its own reads a value that is no argument of it."""
    try:
        yield
    except jax.errors.UnexpectedTracerError as error:
        raise RuleError(
            f"a function with a derivative of its own, called at {user_line(eqn, tape.origin)}, that reads a value "
            "computed outside it",
            "a function of its arguments alone",
            "pass that value as an argument too",
            where=f"gradient through `{eqn.primitive.name}`",
        ) from error


def _is_zero(dx: Any) -> bool:
    return isinstance(dx, ad.Zero) or getattr(dx, "dtype", None) == jax.dtypes.float0


@runs("remat2", selects=True, moves=True)
def remat(tape: Tape, eqn, nodes):
    """Keep what the policy allows and compute the rest again on the way back."""
    jaxpr, policy = eqn.params["jaxpr"], eqn.params["policy"]
    captured = tape.captured_in(eqn)
    active = [node.slot is not None for node in nodes]
    nodes = [*captured.values(), *nodes]
    demand = {"masked": tape.masks(eqn), "wild": [node.wild for node in nodes]}
    halves = split(closed(jaxpr), active, captured, lambda e: _is_saved(policy, e), **demand)
    env = halves.forward([node.value for node in nodes])
    ys = [read(env, atom) for atom in halves.outputs]

    def remat_back(dys):
        kept = [env[v] for v in halves.residuals]
        values = _barrier([*kept, *zeros_for_seeds(dys, halves)])
        return halves.backward(dict(zip(halves.residuals, values, strict=False)), values[len(kept) :])

    return tape.record(eqn, RULES["remat2"], nodes, ys, remat_back)


def _barrier(values: list) -> list:
    """Keep what is computed again from being merged with what was; values that vary alike are held together."""
    kinds = [varying_axes(x) for x in values]
    alike = {kind: [x for x, own in zip(values, kinds, strict=True) if own == kind] for kind in kinds}
    held = {kind: iter(lax.optimization_barrier(group)) for kind, group in alike.items()}
    return [next(held[kind]) for kind in kinds]


def _is_saved(policy: Any, eqn) -> bool:
    if policy is None:
        return False
    verdict = policy(eqn.primitive, *[v.aval for v in eqn.invars], **eqn.params)
    return verdict is True or type(verdict).__name__.startswith("Saveable")


def zeros_for_seeds(dys, halves) -> list:
    """Fill missing output cotangents of a split program with zeros."""
    return [zeros(v.aval) if dy is None else dy for dy, v in zip(dys, halves.seeds, strict=True)]


@runs("linear_call")
def linear_call(tape: Tape, eqn, nodes):
    """Pull a linear function back by its own transpose, and its residuals through its body."""
    p = eqn.params
    num_consts = p["num_callee_consts"]
    consts, residuals = nodes[:num_consts], nodes[num_consts : num_consts + p["num_res"]]
    linear = nodes[num_consts + p["num_res"] :]
    ys = bind(eqn, [node.value for node in nodes])

    def linear_call_back(dys):
        seeds = zeros_for(dys, eqn.outvars)
        transpose, transpose_consts = p["transpose_thunk"]()
        values = [*transpose_consts, *[r.value for r in residuals], *seeds]
        dlinear = jaxpr_as_fun(transpose)(*values)
        return [*_pull_through(p["callee"], [*consts, *residuals], linear, seeds), *dlinear]

    return tape.record(eqn, None, nodes, ys, linear_call_back)


def _pull_through(closed, wanted: list[Node], rest: list[Node], seeds: list) -> list:
    """Run a program on a record of its own and pull `seeds` back to those of the `wanted` inputs that have slots."""
    if all(node.slot is None for node in wanted):
        return [None] * len(wanted)
    inner = Tape()
    fresh = [Node(n.value) if n.slot is None else inner.variable(n.value) for n in wanted]
    constants = [Node(c) for c in closed.consts]
    outputs = inner.run(closed.jaxpr, constants, fresh + [Node(n.value) for n in rest])
    return inner.reverse(sum_by_slot(outputs, seeds), [node.slot for node in fresh])


@runs("custom_linear_solve")
def custom_linear_solve(tape: Tape, eqn, nodes):
    """Solve the transposed system: for `A x = b`, `db = A⁻ᵀ dx` and `dA` pulls `-db` back through `A ↦ A x`."""
    lengths, jaxprs = eqn.params["const_lengths"], eqn.params["jaxprs"]
    num_consts = sum(lengths)
    matvec, vecmat, solve, transpose_solve = _groups(nodes[:num_consts], lengths)
    num_x = len(nodes) - num_consts
    ys = bind(eqn, [node.value for node in nodes])

    def custom_linear_solve_back(dys):
        dx = zeros_for(dys[:num_x], eqn.outvars[:num_x])
        flipped = [node.value for node in [*vecmat, *matvec, *transpose_solve, *solve]]
        swapped = {"const_lengths": lengths.transpose(), "jaxprs": jaxprs.transpose()}
        db = eqn.primitive.bind(*flipped, *dx, **swapped)[:num_x]
        x = [Node(y) for y in ys[:num_x]]
        dmatvec = _pull_through(jaxprs.matvec, matvec, x, [lax.neg(d) for d in db])
        return [*dmatvec, *[None] * (num_consts - len(matvec)), *db]

    return tape.record(eqn, None, nodes, ys, custom_linear_solve_back)


def _groups(values: list, lengths) -> list[list]:
    rest = iter(values)
    return [[next(rest) for _ in range(n)] for n in lengths]


@pulls_back("optimization_barrier", moves=True)
def optimization_barrier_back(dys, ys, *operands):
    """Pass the cotangents on."""
    return tuple(dys)
