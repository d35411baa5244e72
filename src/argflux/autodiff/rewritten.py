"""Functions of JAX whose programs have no derivative, or a wrong one, at points where a limit exists, written anew."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from argflux.jaxpr import ClosedJaxpr, called_program, function_of_jax, struct


def rewritten(eqn: Any) -> ClosedJaxpr | None:
    """Another program of the function of JAX that an equation calls, `None` for all others."""
    write = _WRITTEN.get(function_of_jax(called_program(eqn)))
    if write is None:
        return None
    run = functools.partial(write, eqn.outvars[0].aval)
    return jax.make_jaxpr(run)(*[struct(v.aval) for v in eqn.invars])


def _hypot(like: Any, *given: jax.Array) -> list[jax.Array]:
    """Lengths: a largest of two has no second derivative where they are equal, and `x / r` none at zero."""
    x, y = (jnp.broadcast_to(lax.convert_element_type(a, like.dtype), like.shape) for a in given)
    one, far = jnp.ones_like(x), jnp.isinf(x) | jnp.isinf(y)
    size = lax.stop_gradient(jnp.maximum(jnp.abs(x), jnp.abs(y)))
    size = jnp.where((size == 0) | far, one, size)
    length = size * jnp.sqrt(jnp.square(x / size) + jnp.square(y / size))
    return [jnp.where(far, jnp.full_like(x, jnp.inf), length)]


def _hypot_and_slopes(like: Any, *given: jax.Array) -> list[jax.Array]:
    (length,) = _hypot(like, *given)
    safe = jnp.where(length == 0, jnp.ones_like(length), length)
    return [length, *(a / safe for a in given)]


_WRITTEN = {"hypot": _hypot, "_hypot": _hypot_and_slopes}
