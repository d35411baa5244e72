"""Holding a derivative against finite differences, in float64, to second order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.autodiff.api import gradient, pullback
from argflux.errors import MissingRuleError, RuleError
from argflux.keywords import explained
from argflux.kinds import Natural
from argflux.tree import is_differentiable, named_leaves
from argflux.userlayer import register_layers


@dataclass(frozen=True)
class RuleCheck:
    """What `check_rrule` found: the largest relative errors of first and second derivatives.

    `second` is `None` where the second derivative was not asked for or the rule runs on the host, where nothing
    can be differentiated again.
    """

    first: float
    second: float | None


@explained
def check_rrule(
    f: Callable, *args: Any, order: int = 2, rtol: float = 1e-5, atol: float = 1e-7, seed: Natural = 0
) -> RuleCheck:
    """Hold our derivatives of `f` at `args` against finite differences.

    A random projection `φ = Σ v·f(x)` is differentiated along a random direction in every leaf of every argument
    by five-point central differences in float64; second derivatives are those of `Σ u·∇φ` likewise.

    Args:
        f: a function of trees of arrays to a tree of floating arrays; float64 is switched on while it runs.
        *args: the point; keep it away from kinks, where no derivative exists.
        order: 1 or 2.
        rtol: relative error allowed.
        atol: absolute error allowed.
        seed: of the random directions.

    Returns:
        A `RuleCheck` with the largest errors.

    Raises:
        RuleError: naming the argument's leaf and both numbers when they differ.

    Example:
        >>> import argflux as af, jax.numpy as jnp
        >>> af.check_rrule(lambda x: jnp.sin(x) * x, jnp.array([0.3, 2.0])).first < 1e-5
        True
    """
    with jax.enable_x64(True):
        rng = np.random.default_rng(seed)
        args = jax.tree.map(_double, register_layers(args))
        projected = _projection(f, args, rng)
        first = _compare(projected, args, rng, rtol, atol, "first")
        second = _second(projected, args, rng, rtol, atol) if order > 1 else None
    return RuleCheck(first, second)


def _second(projected: Callable, args: tuple, rng, rtol: float, atol: float) -> float | None:
    try:
        along = _projection(lambda *xs: gradient(projected, *xs), args, rng)
        return _compare(along, args, rng, rtol, atol, "second")
    except MissingRuleError:
        return None


def _projection(f: Callable, args: tuple, rng) -> Callable:
    """Return `x ↦ Σ v·f(x)` for a random `v` like the output."""
    value, _ = pullback(f, *args)
    weights = [rng.normal(size=np.shape(y)) for y in jax.tree.leaves(value) if is_differentiable(y)]

    def projected(*xs):
        ys = [y for y in jax.tree.leaves(f(*xs)) if is_differentiable(y)]
        return sum(jnp.vdot(jnp.asarray(v, y.dtype), y) for v, y in zip(weights, ys, strict=True))

    return projected


def _compare(phi: Callable, args: tuple, rng, rtol: float, atol: float, which: str) -> float:
    """Return the largest relative error of the derivatives of `phi` along a random direction in each leaf."""
    leaves, treedef = jax.tree.flatten(args)
    grads = treedef.flatten_up_to(gradient(phi, *args))
    worst = 0.0
    for position, (name, leaf) in enumerate(named_leaves(args)):
        if not is_differentiable(leaf) or not np.size(leaf):
            continue
        direction = rng.normal(size=np.shape(leaf))

        def along(t, position=position, leaf=leaf, direction=direction):
            moved = [*leaves[:position], leaf + t * direction, *leaves[position + 1 :]]
            return float(phi(*treedef.unflatten(moved)))

        expected = _five_point(along, 1e-3)
        got = float(np.vdot(np.asarray(grads[position]), direction))
        error = abs(got - expected) / max(abs(expected), 1.0)
        if not abs(got - expected) <= atol + rtol * max(abs(expected), 1.0):
            raise RuleError(
                f"a {which} derivative of {got:.10g} along a random direction",
                f"{expected:.10g} by finite differences",
                "correct the rule, or move the point away from kinks",
                where=f"check_rrule, args{name}",
            )
        worst = max(worst, error)
    return worst


def _five_point(along: Callable, h: float) -> float:
    return (along(-2 * h) - 8 * along(-h) + 8 * along(h) - along(2 * h)) / (12 * h)


def _double(leaf: Any) -> Any:
    return jnp.asarray(leaf, jnp.float64) if is_differentiable(leaf) else leaf
