"""Rule of the primitives that JAX keeps as objects: `searchsorted`, `ldexp`, `custom_root` in its newer versions."""

import jax.numpy as jnp

from argflux.autodiff.registry import runs
from argflux.autodiff.source import user_line
from argflux.autodiff.tape import Node, Tape, bind, missing_rule, zeros_for
from argflux.jaxpr import object_pullback


@runs("call_hi_primitive")
def object_call(tape: Tape, eqn, nodes):
    """Call the object's own forward and backward passes."""
    values = [node.value for node in nodes]
    if not any(jnp.issubdtype(v.aval.dtype, jnp.floating) for v in eqn.outvars):
        return [Node(y) for y in bind(eqn, values)]
    found = object_pullback(eqn, [node.slot is not None for node in nodes], values)
    if found is None:
        return tape.record(eqn, None, nodes, bind(eqn, values), missing_rule(eqn, user_line(eqn, tape.origin)))
    ys, back = found

    def object_back(dys):
        return back(zeros_for(dys, eqn.outvars))

    return tape.record(eqn, None, nodes, ys, object_back)
