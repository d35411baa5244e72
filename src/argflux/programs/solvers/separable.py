"""Closed form of separable programs: a diagonal P, bounds, and at most one row that couples the variables."""

from typing import NamedTuple

import jax

from argflux.programs.forms.arrays import namespace, repeated
from argflux.programs.forms.form import Blocks, Form, batch_size, bounds

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
    batch, xp = batch_size(blocks), namespace(blocks.q)
    lower, upper = bounds(form, blocks)
    P = xp.where(blocks.P > 0, blocks.P, 1.0)
    definite = xp.broadcast_to(xp.all(blocks.P > 0, 1), (batch,))
    if form.p + form.m == 0:
        x = xp.broadcast_to(xp.clip(-blocks.q / P, lower, upper), (batch, form.n))
        none = xp.zeros((batch, 0))
        return Separable(x, none, -(P * x + blocks.q), definite | True, definite, xp.ones((batch,), xp.int32))
    a = (blocks.A if form.p else blocks.G)[:, 0]
    target = (blocks.b if form.p else blocks.h)[:, 0]

    def at(t):
        return xp.clip(-(blocks.q + a * t[:, None]) / P, lower, upper)

    t, count = _root(at, a, P, lower, upper, target, batch)
    t = t if form.p else xp.where(xp.sum(a * at(xp.zeros(batch)), 1) <= target, 0.0, xp.maximum(t, 0.0))
    x = at(t)
    least = xp.sum(xp.where(a == 0, 0.0, a * xp.where(a > 0, lower, upper)), 1)
    most = xp.sum(xp.where(a == 0, 0.0, a * xp.where(a > 0, upper, lower)), 1)
    slack = 1e-12 * (1.0 + xp.abs(target))
    feasible = (least <= target + slack) & ((most >= target - slack) | (form.m > 0))
    bound = -(P * x + blocks.q + a * t[:, None])
    return Separable(x, t[:, None], bound, xp.broadcast_to(feasible, (batch,)), definite, count)


def _root(at, a, P, lower, upper, target, batch):
    """Dual of the row at which its value is `target`: safeguarded Newton on a decreasing piecewise linear function."""

    xp = namespace(a)

    def value(t):
        x = at(t)
        inside = (x > lower) & (x < upper)
        return xp.sum(a * x, 1) - target, -xp.sum(xp.where(inside, a * a / P, 0.0), 1)

    def body(carry):
        t, low, high, moving, count = carry
        excess, slope = value(t)
        low, high = xp.where(excess > 0, t, low), xp.where(excess < 0, t, high)
        newton = t - excess / xp.where(slope < 0, slope, 1.0)
        width = xp.where(xp.isfinite(low), xp.abs(low), 0.0) + xp.where(xp.isfinite(high), xp.abs(high), 0.0)
        beyond = xp.where(xp.isfinite(low), low + 1.0 + width, high - 1.0 - width)
        middle = xp.where(xp.isfinite(low) & xp.isfinite(high), low / 2 + high / 2, beyond)
        usable = (slope < 0) & (newton > low) & (newton < high) & (count % 3 != 2)[:, None].all(1)
        fresh = xp.where(usable, newton, middle)
        still = moving & (excess != 0) & (xp.abs(fresh - t) > 1e-16 * xp.abs(t)) & (fresh > low) & (fresh < high)
        return xp.where(still, fresh, t), low, high, still, count + moving

    start = xp.zeros(batch)
    infinite = xp.full(batch, xp.inf)
    carry = (start, -infinite, infinite, start == 0, xp.zeros(batch, xp.int32))
    t, *_, count = repeated(lambda c: xp.any(c[3]) & (xp.max(c[4]) < STEPS), body, carry)
    excess, slope = value(t)
    return xp.where(slope < 0, t - excess / xp.where(slope < 0, slope, 1.0), t), count
