"""Zeros that a selection made in cotangents: kept from meeting infinities and NaN, and foreseen inside loops."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from argflux.autodiff.registry import HOLDS_PROGRAMS, RULES, ZERO_DERIVATIVE
from argflux.jaxpr import Literal, jaxprs_in_params

CHOOSE = {"cond", "while"}
_JOINS = {"concatenate", "dynamic_update_slice", "pad", "scatter", "stack"}
_COMPARES = {"ge", "gt", "le", "lt"}
_KEEPS = {"broadcast_in_dim", "clamp", "convert_element_type", "squeeze"}


def pattern(eqn: Any, known: Sequence[str | None]) -> str | None:
    """Name what chooses without looking at values: `places` along an axis, a `triangle`, the `platform`.

    `known` holds the names of the operands.
    """
    name = eqn.primitive.name
    if name == "iota" and len(eqn.params["shape"]) > 1:
        return "places"
    if name == "platform_index":
        return "platform"
    if name in _COMPARES and set(known) == {"places"}:
        return "triangle"
    if name in _KEEPS or (name == "add" and "places" in known and isinstance(eqn.invars[1], Literal)):
        return next((each for each in known if each), None)
    return None


def joins(eqn: Any) -> bool:
    """Say whether an operand of an equation may be some places of its result."""
    return eqn.primitive.name.split("-")[0] in _JOINS or eqn.primitive.name in HOLDS_PROGRAMS


def leaves_a_part(eqn: Any, known: Sequence[str | None]) -> bool:
    """Say whether a selection leaves out some places of an array, the same whatever the values, but never all."""
    name = eqn.primitive.name
    if name == "gather":
        return eqn.params["mode"] != lax.GatherScatterMode.FILL_OR_DROP
    return name in ("slice", "dynamic_slice") or (name, known[0]) in (("select_n", "triangle"), ("cond", "platform"))


@functools.partial(jax.jit, inline=True)
def keep_zeros(dy: Any, dx: Any) -> Any:
    """Set to zero what of `dx = dy · p` is NaN where `dy` is zero; elsewhere it stays linear in `dy`."""
    return _silenced(lax.eq(dy, lax.full_like(dy, 0)), dx)


@functools.partial(jax.jit, static_argnums=2, inline=True)
def keep_silence(dys: Sequence, dx: Any, batched: bool) -> Any:
    """Set NaN to zero if all cotangents are zero; `batched` keeps leading axes that all of them share apart."""
    dys = [dy for dy in dys if dy is not None]
    shapes = [dx.shape, *(dy.shape for dy in dys)]
    shared = 0
    leading = max(map(len, shapes)) - 2 if batched else 0
    while shared < leading and all(len(shape) > shared and shape[shared] == dx.shape[shared] for shape in shapes):
        shared += 1
    silent = None
    for dy in dys:
        zero = lax.reduce_and(lax.eq(dy, lax.full_like(dy, 0)), tuple(range(shared, dy.ndim)))
        silent = zero if silent is None else lax.bitwise_and(silent, zero)
    if silent is None:
        return dx
    return _silenced(lax.broadcast_in_dim(silent, dx.shape, range(shared)), dx)


def _silenced(silent: Any, dx: Any) -> Any:
    return lax.select(lax.bitwise_and(silent, lax.ne(dx, dx)), lax.full_like(dx, 0), dx)


def silent_along(dy: Any, axes: Sequence[int], shape: Sequence[int], places: Sequence[int]) -> Any:
    """Say where `dy` is zero along `axes`; what is left of its axes lies at `places` of an array of `shape`."""
    silent = lax.reduce_and(lax.eq(dy, lax.full_like(dy, 0)), tuple(axes))
    order = sorted(range(len(places)), key=places.__getitem__)
    return lax.broadcast_in_dim(lax.transpose(silent, order), shape, [places[i] for i in order])


def cleaned(x: Any, silent: Any) -> Any:
    """Replace infinities and NaN of an operand by zero where everything that they are to be multiplied by is zero."""
    harmful = lax.bitwise_and(silent, lax.bitwise_not(lax.is_finite(x)))
    return lax.select(harmful, lax.full_like(x, 0), x)


def masked_variables(jaxpr: Any, masked: Sequence[bool]) -> set:
    """Find the variables in whose cotangents zeros of a selection may lie, from those of the outputs in which they do.

    What is not used has a cotangent of such zeros.
    """
    used = {v for eqn in jaxpr.eqns for v in eqn.invars if not isinstance(v, Literal)}
    used.update(v for v in jaxpr.outvars if not isinstance(v, Literal))
    found = {v for eqn in jaxpr.eqns for v in eqn.outvars if v not in used}
    found.update(v for v, on in zip(jaxpr.outvars, masked, strict=True) if on and not isinstance(v, Literal))
    for eqn in reversed(jaxpr.eqns):
        if eqn.primitive.name in ZERO_DERIVATIVE:
            continue
        if any(v in found for v in eqn.outvars) or _selects(eqn):
            found.update(v for v in eqn.invars if not isinstance(v, Literal) and is_float(v.aval))
    return found


def _selects(eqn: Any) -> bool:
    """Say whether zeros of a selection may come up in an equation, or in the programs that it holds."""
    rule = RULES.get(eqn.primitive.name)
    if eqn.primitive.name in CHOOSE or (rule is not None and rule.selects):
        return True
    return any(_selects(inner) for jaxpr in jaxprs_in_params(eqn.params) for inner in jaxpr.eqns)


def is_float(aval: Any) -> bool:
    """Say whether a value is an array of real floating numbers."""
    dtype = getattr(aval, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jnp.floating)
