"""Rule of the primitives that JAX keeps as objects (`custom_root` from 0.11), which may bring derivatives along."""

import jax.numpy as jnp

from argflux.autodiff.registry import runs
from argflux.autodiff.rules.calls import run_tangent_map
from argflux.autodiff.tape import Node, Tape, bind
from argflux.jaxpr import Literal, called_program, has_tangents, object_of, tangent_program


@runs("call_hi_primitive")
def object_call(tape: Tape, eqn, nodes):
    """Pull back the object's own tangent map, or its expansion if it has none or calls itself on a tangent."""
    if not any(jnp.issubdtype(v.aval.dtype, jnp.floating) for v in eqn.outvars):
        return [Node(y) for y in bind(eqn, [node.value for node in nodes])]
    if has_tangents(eqn):
        zeros = [node.slot is None for node in nodes]
        program, zero_outs = tangent_program(eqn, zeros)
        if not _calls_itself(program, eqn):
            return run_tangent_map(tape, (program, zero_outs), nodes, zeros)
    return tape.run_closed(called_program(eqn), nodes)


def _calls_itself(program, eqn) -> bool:
    """Say whether a tangent map applies the object to tangents, as linear ones do: then there is no end to it."""
    jaxpr = program.jaxpr
    moving = set(jaxpr.invars[len(eqn.invars) :])
    for inner in jaxpr.eqns:
        if moving.intersection(v for v in inner.invars if not isinstance(v, Literal)):
            moving.update(inner.outvars)
            if object_of(inner) == object_of(eqn):
                return True
    return False
