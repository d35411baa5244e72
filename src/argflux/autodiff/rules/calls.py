"""Rules of the primitives that call a program once: jit, custom derivatives, remat, linear calls and solves."""

from typing import Any

import jax
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr
from jax.interpreters import ad

from argflux.autodiff.partition import read, split
from argflux.autodiff.registry import pulls_back, runs
from argflux.autodiff.tape import Node, Tape, bind, sum_by_slot, zeros_for


@runs("jit")
def jit_call(tape: Tape, eqn, nodes):
    """Run the program in place, on the same record."""
    closed = eqn.params["jaxpr"]
    return tape.run(closed.jaxpr, [Node(c) for c in closed.consts], nodes)


@runs("closed_call")
def closed_call(tape: Tape, eqn, nodes):
    """Run the program in place, on the same record."""
    closed = eqn.params["call_jaxpr"]
    return tape.run(closed.jaxpr, [Node(c) for c in closed.consts], nodes)


@runs("custom_jvp_call")
def custom_jvp_call(tape: Tape, eqn, nodes):
    """Pull back the function's own tangent map.

    The map is linear in the tangents, so it is run at zero tangents whose slots are those of the operands:
    whatever reaches a tangent has reached its operand.
    """
    operands = nodes[eqn.params["num_consts"] :]
    symbolic = eqn.params["symbolic_zeros"]
    zeros = [symbolic and node.slot is None for node in operands]
    jaxpr, consts, zero_outs = eqn.params["jvp_jaxpr_fun"].call_wrapped(*zeros)
    tangents = [_tangent(node) for node, zero in zip(operands, zeros, strict=True) if not zero]
    primals = [Node(node.value) for node in operands]
    outputs = tape.run(jaxpr, [Node(c) for c in consts], primals + tangents)
    values, dots = outputs[: len(zero_outs)], iter(outputs[len(zero_outs) :])
    return [Node(y.value, None if zero else next(dots).slot) for y, zero in zip(values, zero_outs, strict=True)]


def _tangent(node: Node) -> Node:
    shape, dtype = np.shape(node.value), node.value.dtype
    if not jax.dtypes.issubdtype(dtype, np.floating):
        return Node(np.zeros(shape, jax.dtypes.float0))
    return Node(lax.full(shape, 0, dtype), node.slot)


@runs("custom_vjp_call")
def custom_vjp_call(tape: Tape, eqn, nodes):
    """Call the function's own forward and backward passes."""
    num_consts = eqn.params["num_consts"]
    operands = nodes[num_consts:]
    jaxpr, consts = eqn.params["fwd_jaxpr_thunk"].call_wrapped(*[node.slot is not None for node in operands])
    flat = jax.core.eval_jaxpr(jaxpr, consts, *[node.value for node in operands])
    _, residual_tree, forwarded = eqn.params["out_trees"]()
    count = residual_tree.num_leaves - sum(position is not None for position in forwarded)
    computed, ys = iter(flat[:count]), flat[count:]
    residuals = [next(computed) if p is None else operands[p].value for p in forwarded]

    def custom_vjp_back(dys):
        dxs = eqn.params["bwd"].call_wrapped(*residuals, *zeros_for(dys, eqn.outvars))
        return [None] * num_consts + [None if _is_zero(dx) else dx for dx in dxs]

    return tape.record(eqn, None, nodes, ys, custom_vjp_back)


def _is_zero(dx: Any) -> bool:
    return isinstance(dx, ad.Zero) or getattr(dx, "dtype", None) == jax.dtypes.float0


@runs("remat2")
def remat(tape: Tape, eqn, nodes):
    """Keep what the policy allows and compute the rest again on the way back."""
    jaxpr, policy = eqn.params["jaxpr"], eqn.params["policy"]
    closed = ClosedJaxpr(jaxpr, ())
    halves = split(closed, [node.slot is not None for node in nodes], lambda e: _is_saved(policy, e))
    env = halves.forward([node.value for node in nodes])
    ys = [read(env, atom) for atom in halves.outputs]

    def remat_back(dys):
        kept = [env[v] for v in halves.residuals]
        kept, seeds = lax.optimization_barrier((kept, zeros_for_seeds(dys, halves)))
        return halves.backward(dict(zip(halves.residuals, kept, strict=True)), seeds)

    return tape.record(eqn, None, nodes, ys, remat_back)


def _is_saved(policy: Any, eqn) -> bool:
    if policy is None:
        return False
    verdict = policy(eqn.primitive, *[v.aval for v in eqn.invars], **eqn.params)
    return verdict is True or type(verdict).__name__.startswith("Saveable")


def zeros_for_seeds(dys, halves) -> list:
    """Fill missing output cotangents of a split program with zeros."""
    return [
        lax.full(v.aval.shape, 0, v.aval.dtype) if dy is None else dy
        for dy, v in zip(dys, halves.seeds, strict=True)
    ]


@runs("linear_call")
def linear_call(tape: Tape, eqn, nodes):
    """Pull a linear function back by its own transpose, and its residuals through its body."""
    p = eqn.params
    ys = bind(eqn, [node.value for node in nodes])
    num_consts = p["num_callee_consts"] + p["num_transpose_consts"]
    consts = [node.value for node in nodes[p["num_callee_consts"] : num_consts]]
    residuals = nodes[num_consts : num_consts + p["num_res"]]

    def linear_call_back(dys):
        seeds = zeros_for(dys, eqn.outvars)
        transpose = p["transpose"]
        values = [*consts, *[r.value for r in residuals], *seeds]
        dlinear = jax.core.eval_jaxpr(transpose.jaxpr, transpose.consts, *values)
        dresiduals = _pull_through_residuals(p, nodes, num_consts, seeds)
        return [None] * num_consts + dresiduals + list(dlinear)

    return tape.record(eqn, None, nodes, ys, linear_call_back)


def _pull_through_residuals(p, nodes, num_consts, seeds):
    first = nodes[num_consts : num_consts + p["num_res"]]
    if all(node.slot is None for node in first):
        return [None] * len(first)
    inner = Tape()
    fresh = [Node(n.value) if n.slot is None else inner.variable(n.value) for n in first]
    rest = [Node(n.value) for n in nodes[num_consts + p["num_res"] :]]
    callee = p["callee"]
    front = [Node(n.value) for n in nodes[: p["num_callee_consts"]]]
    outputs = inner.run(callee.jaxpr, [Node(c) for c in callee.consts], front + fresh + rest)
    return inner.reverse(sum_by_slot(outputs, seeds), [node.slot for node in fresh])


@runs("custom_linear_solve")
def custom_linear_solve(tape: Tape, eqn, nodes):
    """Solve the transposed system: for `A x = b`, `db = A⁻ᵀ dx` and `dA` pulls `-db` back through `A ↦ A x`."""
    lengths, jaxprs = eqn.params["const_lengths"], eqn.params["jaxprs"]
    operands = [node.value for node in nodes]
    ys = bind(eqn, operands)
    num_consts = sum(lengths)
    params, b = _groups(operands[:num_consts], lengths), operands[num_consts:]
    x = ys[: len(b)]

    def custom_linear_solve_back(dys):
        flipped = (params[1], params[0], params[3], params[2])
        dxs = zeros_for(dys[: len(b)], eqn.outvars[: len(b)])
        swapped = dict(const_lengths=lengths.transpose(), jaxprs=jaxprs.transpose())
        db = eqn.primitive.bind(*[c for group in flipped for c in group], *dxs, **swapped)[: len(b)]
        slots = [node.slot for node in nodes[: len(params[0])]]
        dmatvec = _pull_through_matvec(jaxprs.matvec, params[0], slots, x, db)
        return dmatvec + [None] * (num_consts - len(dmatvec)) + list(db)

    return tape.record(eqn, None, nodes, ys, custom_linear_solve_back)


def _groups(values, lengths) -> list[list]:
    rest = iter(values)
    return [[next(rest) for _ in range(n)] for n in lengths]


def _pull_through_matvec(matvec, consts, slots, x, db):
    inner = Tape()
    nodes = [Node(c) if slot is None else inner.variable(c) for c, slot in zip(consts, slots, strict=True)]
    outputs = inner.run(matvec.jaxpr, [Node(c) for c in matvec.consts], nodes + [Node(v) for v in x])
    return inner.reverse(sum_by_slot(outputs, [lax.neg(d) for d in db]), [node.slot for node in nodes])


@pulls_back("optimization_barrier")
def optimization_barrier_back(dys, ys, *operands):
    """Pass the cotangents on."""
    return tuple(dys)
