"""Closed form of separable programs: a diagonal P, bounds, and at most one row that couples the variables."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from argflux.programs.form import Blocks, Form, batch_size, bounds

STEPS = 200


class Separable(NamedTuple):
    """Result: primal, dual of the row (if any), signed duals of the bounds, feasibility and convexity."""

    x: jax.Array
    dual: jax.Array
    bound: jax.Array
    feasible: jax.Array
    definite: jax.Array
    iterations: jax.Array


def is_separable(form: Form) -> bool:
    """Whether the closed form applies."""
    return form.curvature == "diagonal" and form.p + form.m <= 1


def solve_separable(form: Form, blocks: Blocks) -> Separable:
    """Solve `x(t) = clip(-(q + a t) / P, lower, upper)` for the dual `t` of the one row, in time linear in n.

    The row value `a' x(t)` falls with t and is piecewise linear: Newton steps from a bracket end at its root.
    """
    batch = batch_size(blocks)
    lower, upper = bounds(form, blocks)
    P = jnp.where(blocks.P > 0, blocks.P, 1.0)
    definite = jnp.broadcast_to(jnp.all(blocks.P > 0, 1), (batch,))
    if form.p + form.m == 0:
        x = jnp.broadcast_to(jnp.clip(-blocks.q / P, lower, upper), (batch, form.n))
        none = jnp.zeros((batch, 0))
        return Separable(x, none, -(P * x + blocks.q), definite | True, definite, jnp.ones((batch,), jnp.int32))
    a = (blocks.A if form.p else blocks.G)[:, 0]
    target = (blocks.b if form.p else blocks.h)[:, 0]

    def at(t):
        return jnp.clip(-(blocks.q + a * t[:, None]) / P, lower, upper)

    t, count = _root(at, a, P, lower, upper, target, batch)
    t = t if form.p else jnp.where(jnp.sum(a * at(jnp.zeros(batch)), 1) <= target, 0.0, jnp.maximum(t, 0.0))
    x = at(t)
    least = jnp.sum(jnp.where(a == 0, 0.0, a * jnp.where(a > 0, lower, upper)), 1)
    most = jnp.sum(jnp.where(a == 0, 0.0, a * jnp.where(a > 0, upper, lower)), 1)
    slack = 1e-12 * (1.0 + jnp.abs(target))
    feasible = (least <= target + slack) & ((most >= target - slack) | (form.m > 0))
    bound = -(P * x + blocks.q + a * t[:, None])
    return Separable(x, t[:, None], bound, jnp.broadcast_to(feasible, (batch,)), definite, count)


def _root(at, a, P, lower, upper, target, batch):
    """Dual of the row at which its value is `target`: safeguarded Newton on a decreasing piecewise linear function."""

    def value(t):
        x = at(t)
        inside = (x > lower) & (x < upper)
        return jnp.sum(a * x, 1) - target, -jnp.sum(jnp.where(inside, a * a / P, 0.0), 1)

    def body(carry):
        t, low, high, moving, count = carry
        excess, slope = value(t)
        low, high = jnp.where(excess > 0, t, low), jnp.where(excess < 0, t, high)
        newton = t - excess / jnp.where(slope < 0, slope, 1.0)
        width = jnp.where(jnp.isfinite(low), jnp.abs(low), 0.0) + jnp.where(jnp.isfinite(high), jnp.abs(high), 0.0)
        beyond = jnp.where(jnp.isfinite(low), low + 1.0 + width, high - 1.0 - width)
        middle = jnp.where(jnp.isfinite(low) & jnp.isfinite(high), low / 2 + high / 2, beyond)
        usable = (slope < 0) & (newton > low) & (newton < high) & (count % 3 != 2)[:, None].all(1)
        fresh = jnp.where(usable, newton, middle)
        still = moving & (excess != 0) & (jnp.abs(fresh - t) > 1e-16 * jnp.abs(t)) & (fresh > low) & (fresh < high)
        return jnp.where(still, fresh, t), low, high, still, count + moving

    start = jnp.zeros(batch)
    infinite = jnp.full(batch, jnp.inf)
    carry = (start, -infinite, infinite, start == 0, jnp.zeros(batch, jnp.int32))
    t, *_, count = lax.while_loop(lambda c: jnp.any(c[3]) & (jnp.max(c[4]) < STEPS), body, carry)
    excess, slope = value(t)
    return jnp.where(slope < 0, t - excess / jnp.where(slope < 0, slope, 1.0), t), count
