"""How JAX spells its programs, which changes between versions: the only file that imports from the parts it hides."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax import lax
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
    "ClosedJaxpr",
    "Jaxpr",
    "Literal",
    "Primitive",
    "ShapedArray",
    "Tracer",
    "ad",
    "aval_like",
    "backward_pass",
    "batching",
    "called_program",
    "closed",
    "forward_pass",
    "function_of_jax",
    "get_opaque_trace_state",
    "is_mapped",
    "is_traced",
    "jaxpr_as_fun",
    "jaxprs_in_params",
   
    "mlir",
    "object_pullback",
    "scan_counts",
    "struct",
    "tangent_program",
    "vary_like",
    "vary_together",
    "varying_axes",
    "zeros",
]  # fmt: skip

_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "eval_jaxpr": "call_jaxpr",
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
    return _expanded(eqn) if eqn.primitive.name == "call_hi_primitive" else None


def function_of_jax(program: ClosedJaxpr | None) -> str:
    """Return the name of JAX's own function that a program was made of, "" for a program of anything else.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> (eqn,) = jax.make_jaxpr(jnp.hypot)(1.0, 2.0).eqns
        >>> function_of_jax(called_program(eqn))
        'hypot'
    """
    info = getattr(program and program.jaxpr.debug_info, "func_src_info", None) or ""
    name, _, place = info.partition(" at ")
    return name if re.search(r"[/\\]jax[/\\]_src[/\\]", place) else ""


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
    """Return the tangent map of a `custom_jvp_call`, and which of its output tangents are zero.

    The program takes the operands and then the tangents of those that `zeros` does not call zero; it returns the
    outputs and then their tangents, without the zero ones.
    """
    jaxpr, consts, zero_outs = eqn.params["jvp_jaxpr_fun"].call_wrapped(*zeros)
    return ClosedJaxpr(jaxpr, consts), zero_outs


def object_pullback(eqn: Any, active: Sequence[bool], values: Sequence) -> tuple[list, Callable] | None:
    """Run an object that JAX keeps as a primitive, by its own forward pass; `None` if it has none.

    Returns:
        The outputs, and from their cotangents to those of the operands, `None` where they are zero.
    """
    prim = eqn.params["_prim"]
    if type(prim).vjp_fwd is type(prim).__mro__[-2].vjp_fwd:
        return None
    ys, residuals, *_ = prim.vjp_fwd(prim.in_tree.unflatten(active), *prim.in_tree.unflatten(values))

    def back(dys: Sequence) -> list:
        zero = lambda v: ad.Zero(v.aval.to_tangent_aval())
        dys = [zero(v) if dy is None else dy for dy, v in zip(dys, eqn.outvars, strict=True)]
        pull = getattr(prim, "vjp_bwd_retval_logs", lambda *given: (prim.vjp_bwd_retval(*given), None))
        found, _ = pull(residuals, prim.out_tree.unflatten(dys))
        return [None if isinstance(dx, ad.Zero) else dx for dx in prim.in_tree.flatten_up_to(found)]

    return jax.tree.leaves(ys), back


def _expanded(eqn: Any) -> ClosedJaxpr:
    prim = eqn.params["_prim"]
    call = lambda *flat: jax.tree.leaves(prim.expand(*prim.in_tree.unflatten(flat)))
    return jax.make_jaxpr(call)(*[struct(v.aval) for v in eqn.invars])


def is_traced() -> bool:
    """Return whether what is computed now, even from known values, becomes part of a program that JAX traces.

    Example:
        >>> import jax
        >>> from argflux.jaxpr import is_traced
        >>> seen = []
        >>> _ = jax.jit(lambda: seen.append(is_traced()))()
        >>> is_traced(), seen
        (False, [True])
    """
    return any(name == "DynamicJaxprTrace" for name in _traces())


def is_mapped() -> bool:
    """Say whether what runs now runs for many examples at once, inside `vmap` or `shard_map`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> seen = []
        >>> _ = jax.vmap(lambda x: (seen.append(is_mapped()), x)[1])(jnp.ones(2))
        >>> seen, is_mapped()
        ([True], False)
    """
    return any(name in ("BatchTrace", "ShardMapTrace") for name in _traces())


def _traces() -> Iterator[str]:
    """Yield the names of what JAX does with operations now, the innermost first."""
    trace = getattr(get_opaque_trace_state(convention="nnx"), "_trace_ref", lambda: None)()
    while trace is not None:
        yield type(trace).__name__
        trace = getattr(trace, "parent_trace", None)


def varying_axes(x: Any) -> frozenset:
    """Return the axes of a mesh along which a value, or what an aval stands for, differs inside `shard_map`.

    Example:
        >>> import jax.numpy as jnp
        >>> sorted(varying_axes(jnp.ones(2)))
        []
    """
    if isinstance(x, np.ndarray):
        return frozenset()
    kind = getattr(_aval(x), "manual_axis_type", None)
    return frozenset() if kind is None else kind.varying


def _aval(x: Any) -> Any:
    return x if isinstance(x, ShapedArray | jax.ShapeDtypeStruct) else jax.typeof(x)


def vary_like(x: Any, *others: Any) -> Any:
    """Inside `shard_map`, let a value differ along the axes that others, values or avals, do."""
    axes = frozenset().union(*map(varying_axes, others))
    missing = axes and axes - varying_axes(x)
    return lax.pcast(x, tuple(sorted(missing)), to="varying") if missing else x


def vary_together(operands: Sequence) -> list:
    """Inside `shard_map`, let operands differ along the axes that any of them does; their cotangents are summed."""
    if not any(map(varying_axes, operands)):
        return list(operands)
    return [vary_like(x, *operands) for x in operands]


def zeros(aval: Any) -> jax.Array:
    """Return zeros for an aval, which inside `shard_map` differ along the same axes."""
    return vary_like(lax.full(aval.shape, 0, aval.dtype), aval)


def struct(x: Any, dtype: Any = None, like: Any = None) -> jax.ShapeDtypeStruct:
    """Return shape, dtype and varying axes (of another value, if they are more) of an aval, to trace a program with."""
    aval = _aval(x)
    if like is not None and varying_axes(like) - varying_axes(aval):
        aval = _aval(like)
    if not varying_axes(aval):
        return jax.ShapeDtypeStruct(x.shape, dtype or x.dtype)
    kinds = {"sharding": aval.sharding, "manual_axis_type": aval.manual_axis_type}
    return jax.ShapeDtypeStruct(x.shape, dtype or x.dtype, **kinds)


def aval_like(avals: Sequence, shape: tuple[int, ...], dtype: Any) -> ShapedArray:
    """Return the aval of what was computed from others: inside `shard_map` it differs along the axes that they do."""
    most = max(avals, key=lambda aval: len(varying_axes(aval)), default=None)
    if most is None or not varying_axes(most):
        return ShapedArray(shape, dtype)
    sharding = most.sharding.update(spec=jax.P(*[None] * len(shape)))
    return most.update(shape=shape, dtype=dtype, weak_type=False, sharding=sharding)
