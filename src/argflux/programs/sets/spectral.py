"""Functions of symmetric matrices by their eigenvalues, with derivatives where eigenvalues repeat."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def by_eigenvalues(f: Callable, slope: Callable, M: jax.Array, t: Any) -> jax.Array:
    """`V f(w, t) V'` of symmetric matrices `M = V w V'`; `slope` is f's derivative, by w and by t.

    Source:
        Daleckii and Krein, "Integration and differentiation of functions of Hermitian operators" (1965).
    """

    @jax.custom_jvp
    def run(M: jax.Array, t: jax.Array) -> jax.Array:
        w, V = jnp.linalg.eigh(M)
        return _around(V, f(w, t[..., None]))

    @run.defjvp
    def _(primals: tuple, tangents: tuple) -> tuple:
        (M, t), (dM, dt) = primals, tangents
        w, V = jnp.linalg.eigh(M)
        value, (by_w, by_t) = f(w, t[..., None]), slope(w, t[..., None])
        apart, rise = w[..., :, None] - w[..., None, :], value[..., :, None] - value[..., None, :]
        near = jnp.abs(apart) <= 1e-12 * (1e-300 + jnp.max(jnp.abs(w), -1, keepdims=True)[..., None])
        mean = (by_w[..., :, None] + by_w[..., None, :]) / 2
        quotient = jnp.where(near, mean, rise / jnp.where(near, jnp.ones_like(apart), apart))
        inner = jnp.swapaxes(V, -1, -2) @ dM @ V
        moved = V @ (quotient * inner) @ jnp.swapaxes(V, -1, -2)
        return _around(V, value), moved + _around(V, by_t * dt[..., None])

    t = jnp.broadcast_to(jnp.asarray(t, M.dtype), M.shape[:-2])
    return run((M + jnp.swapaxes(M, -1, -2)) / 2, t)


def _around(V: jax.Array, w: jax.Array) -> jax.Array:
    return (V * w[..., None, :]) @ jnp.swapaxes(V, -1, -2)


def positive_part(M: jax.Array) -> jax.Array:
    """The nearest positive semidefinite matrix of a symmetric one."""
    zero = jnp.zeros((), M.dtype)
    rise = lambda w, t: jnp.maximum(w, zero)
    slope = lambda w, t: (jnp.where(w > 0, jnp.ones_like(w), jnp.zeros_like(w)), jnp.zeros_like(w))
    return by_eigenvalues(rise, slope, M, 0.0)


def clipped(M: jax.Array, radius: Any) -> jax.Array:
    """The matrix, of any shape, with singular values of at most `radius`."""
    one = jnp.ones((), M.dtype)
    clip = lambda w, t: jnp.clip(w, -t, t)

    def slope(w: jax.Array, t: jax.Array) -> tuple:
        inside = jnp.abs(w) < t
        return jnp.where(inside, one, 0 * one), jnp.where(inside, 0 * one, jnp.sign(w))

    return _of_singular_values(clip, slope, M, radius)


def shrunk(M: jax.Array, by: Any) -> jax.Array:
    """The matrix, of any shape, with singular values less `by`, those below it zero."""
    one = jnp.ones((), M.dtype)
    shrink = lambda w, t: jnp.sign(w) * jnp.maximum(jnp.abs(w) - t, 0 * one)

    def slope(w: jax.Array, t: jax.Array) -> tuple:
        above = jnp.abs(w) > t
        return jnp.where(above, one, 0 * one), jnp.where(above, -jnp.sign(w), 0 * one)

    return _of_singular_values(shrink, slope, M, by)


def _of_singular_values(f: Callable, slope: Callable, M: jax.Array, t: Any) -> jax.Array:
    """An odd function of the singular values: those of M, with both signs, are eigenvalues of `[[0, M], [M', 0]]`."""
    n, m = M.shape[-2:]
    corner = lambda k: jnp.zeros((*M.shape[:-2], k, k), M.dtype)
    upper = jnp.concatenate([corner(n), M], -1)
    whole = jnp.concatenate([upper, jnp.concatenate([jnp.swapaxes(M, -1, -2), corner(m)], -1)], -2)
    return by_eigenvalues(f, slope, whole, t)[..., :n, n:]
