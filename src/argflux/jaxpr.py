"""How JAX spells its programs, which changes between versions: the only file that imports from the parts it hides."""

from collections.abc import Sequence
from typing import Any

import jax
from jax.core import ShapedArray, Tracer
from jax.extend.core import (
    ClosedJaxpr,
    Jaxpr,
    Literal,
    Primitive,
    get_opaque_trace_state,
    jaxpr_as_fun,
    jaxprs_in_params,
)
from jax.interpreters import ad, batching, mlir

__all__ = [
    "ClosedJaxpr", "Jaxpr", "Literal", "Primitive", "ShapedArray", "Tracer", "ad", "backward_pass", "batching",
    "called_program", "closed", "forward_pass", "get_opaque_trace_state", "has_tangents", "jaxpr_as_fun",
    "jaxprs_in_params", "mlir", "object_of", "scan_counts", "tangent_program",
]  # fmt: skip

_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


def closed(program: Any) -> ClosedJaxpr:
    """Return a program with its constants; from JAX 0.11 every program has them."""
    return program if isinstance(program, ClosedJaxpr) else ClosedJaxpr(program, ())


def called_program(eqn: Any) -> ClosedJaxpr | None:
    """Return the program that an equation runs once on its own operands, `None` if it holds none.

    Example:
        >>> import jax
        >>> (eqn,) = jax.make_jaxpr(jax.jit(lambda x: 2 * x))(1.0).eqns
        >>> [inner.primitive.name for inner in called_program(eqn).jaxpr.eqns]
        ['mul']
    """
    if eqn.primitive.name in _CALLS:
        return closed(eqn.params[_CALLS[eqn.primitive.name]])
    return None if object_of(eqn) is None else _expanded(eqn)


def scan_counts(eqn: Any) -> tuple[int, int]:
    """Return how many constants and how many carries a scan has; two counts up to JAX 0.10, trees from 0.11.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> program = jax.make_jaxpr(lambda x: jax.lax.scan(lambda c, y: (c + y, None), 0.0, x))(jnp.ones(3))
        >>> scan_counts(program.eqns[-1])
        (0, 1)
    """
    p = eqn.params
    if "num_consts" in p:
        return p["num_consts"], p["num_carry"]
    consts, carry, _ = p["ft_in"].unpack()
    return len(consts), len(carry)


def forward_pass(eqn: Any, active: Sequence[bool]) -> ClosedJaxpr:
    """Return the forward pass of a `custom_vjp_call`, a program of the operands."""
    return ClosedJaxpr(*eqn.params["fwd_jaxpr_thunk"].call_wrapped(*active))


def backward_pass(eqn: Any, values: Sequence) -> Sequence:
    """Run the backward pass of a `custom_vjp_call` on residuals and cotangents; from JAX 0.11 it returns a pair."""
    found = eqn.params["bwd"].call_wrapped(*values)
    return found[0] if isinstance(found, tuple) else found


def tangent_program(eqn: Any, zeros: Sequence[bool]) -> tuple[ClosedJaxpr, Sequence[bool]]:
    """Return the tangent map of a call with a forward rule of its own, and which of its output tangents are zero.

    The program takes the operands and then the tangents of those that `zeros` does not call zero; it returns the
    outputs and then their tangents, without the zero ones.
    """
    if object_of(eqn) is not None:
        return _tangent_of_object(eqn, zeros)
    jaxpr, consts, zero_outs = eqn.params["jvp_jaxpr_fun"].call_wrapped(*zeros)
    return ClosedJaxpr(jaxpr, consts), zero_outs


def object_of(eqn: Any) -> Any:
    """Return the object that an equation stands for, where JAX's primitive is one (`searchsorted` from 0.12)."""
    return eqn.params["_prim"] if eqn.primitive.name == "call_hi_primitive" else None


def has_tangents(eqn: Any) -> bool:
    """Say whether an equation's object defines a tangent map."""
    method = type(object_of(eqn)).jvp
    return method is not type(object_of(eqn)).__mro__[-2].jvp


def _expanded(eqn: Any) -> ClosedJaxpr:
    prim = object_of(eqn)
    call = lambda *flat: jax.tree.leaves(prim.expand(*prim.in_tree.unflatten(flat)))
    return jax.make_jaxpr(call)(*_structs(eqn.invars))


def _tangent_of_object(eqn: Any, zeros: Sequence[bool]) -> tuple[ClosedJaxpr, list[bool]]:
    prim, count = object_of(eqn), len(eqn.invars)
    zero_outs: list[bool] = []

    def call(*flat):
        moving = iter(flat[count:])
        dots = [
            ad.Zero(v.aval.to_tangent_aval()) if zero else next(moving)
            for v, zero in zip(eqn.invars, zeros, strict=True)
        ]
        ys, dys = prim.jvp(prim.in_tree.unflatten(flat[:count]), prim.in_tree.unflatten(dots))
        dys = prim.out_tree.flatten_up_to(dys)
        zero_outs[:] = [isinstance(dy, ad.Zero) or dy.dtype == jax.dtypes.float0 for dy in dys]
        return jax.tree.leaves(ys), [dy for dy, zero in zip(dys, zero_outs, strict=True) if not zero]

    structs = _structs(eqn.invars)
    tangents = [x for x, zero in zip(structs, zeros, strict=True) if not zero]
    return jax.make_jaxpr(call)(*structs, *tangents), zero_outs


def _structs(variables: Sequence) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in variables]
