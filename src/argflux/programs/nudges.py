"""Derivatives of nonlinear programs with respect to their functions: along directions, and to their coefficients."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.autodiff import withgradient
from argflux.programs.derivatives.conditions import Point
from argflux.programs.derivatives.kkt import Step
from argflux.programs.derivatives.nonlinear import adjoint_function
from argflux.programs.nonlinear import solved_point
from argflux.programs.plan import Plan
from argflux.programs.statements.layout import Layout, join
from argflux.programs.statements.nonlinear import NonlinearBlocks


class Pulled(NamedTuple):
    """Derivatives of a loss with respect to constant and linear terms that a function may gain."""

    constant: Any
    linear: Any


def along_functions(plan: Plan, params: tuple, start: Any, directions: dict[str, Callable]) -> dict[str, Any]:
    """How the fields of the solution move when functions move in directions, which are functions of `(x, *params)`."""
    form, variable = plan.nonlinear, plan.variable
    assert form is not None
    blocks, at = _point(plan, params, start)

    def rows(x: jax.Array, what: str, layout: Layout | None) -> list[jax.Array]:
        if layout is None:
            return []
        if what not in directions:
            return [jnp.zeros(layout.size, x.dtype)]
        value = layout.treedef.unflatten([jnp.zeros(leaf.shape, x.dtype) for leaf in layout.leaves])
        value = jax.tree.map(lambda z, d: z + d, value, directions[what](variable.tree(x), *params))
        return [join(jax.tree.leaves(value), x.dtype)]

    def lagrangian(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        parts = [*rows(x, "equality", plan.equality), *rows(x, "inequality", plan.inequality)]
        moved = jnp.concatenate(parts) if parts else jnp.zeros(0, x.dtype)
        cost = directions["objective"](variable.tree(x), *params) if "objective" in directions else 0.0
        return cost + at.dual[0] @ moved, moved

    (value, moved), (slope,) = withgradient(lagrangian, at.x[0], has_aux=True)
    right = -slope[None], -moved[None] * at.active.astype(moved.dtype), jnp.zeros_like(at.x)
    given = blocks.lower[None], blocks.upper[None], *[a[None] for a in blocks.operands]
    step = Step(*adjoint_function(form)(*given, *at, *right))
    return _laid_out(plan, at, step, value * (at.mode[0] > 0).astype(value.dtype))


def coefficients(plan: Plan, params: tuple, start: Any, cotangents: dict[str, Any]) -> tuple[Pulled, Pulled, Pulled]:
    """Pull cotangents of the fields back to terms that the objective, equalities and inequalities may gain."""
    form = plan.nonlinear
    assert form is not None
    blocks, at = _point(plan, params, start)
    vector = plan.variable.vector
    layouts = (plan.equality, cotangents["y"]), (plan.inequality, cotangents["z"])
    dual = [layout.vector(tree) for layout, tree in layouts if layout]
    none = jnp.zeros(0, plan.variable.dtype)
    low, high = (jnp.where(held, 1, 0).astype(at.x.dtype) for held in (at.fixed < 0, at.fixed > 0))
    bound = high * vector(cotangents["z_upper"]) - low * vector(cotangents["z_lower"])
    seeds = vector(cotangents["x"])[None], jnp.concatenate([*dual, none])[None], bound
    given = blocks.lower[None], blocks.upper[None], *[a[None] for a in blocks.operands]
    w = Step(*adjoint_function(form)(*given, *at, *seeds))
    x, dual, dx = at.x[0], at.dual[0], w.x[0]
    cost = cotangents["objective"] * (at.mode[0] > 0).astype(x.dtype)
    constant = cost * dual - w.dual[0] * at.active[0].astype(dual.dtype)
    linear = constant[:, None] * x - dual[:, None] * dx
    equal, below = (Pulled(constant[some], linear[some]) for some in (slice(0, form.p), slice(form.p, None)))
    return Pulled(cost, cost * x - dx), equal, below


def _point(plan: Plan, params: tuple, start: Any) -> tuple[NonlinearBlocks, Point]:
    _, (blocks,) = plan.extract(params)
    assert plan.nonlinear is not None
    return blocks, solved_point(plan.nonlinear, blocks, plan.options, plan.begin(blocks, start))


def _laid_out(plan: Plan, at: Point, step: Step, objective: jax.Array) -> dict[str, Any]:
    tree, p = plan.variable.tree, plan.equality.size if plan.equality else 0
    none = jnp.zeros_like(step.bound[0])
    return {
        "x": tree(step.x[0]),
        "y": plan.equality and plan.equality.tree(step.dual[0, :p]),
        "z": plan.inequality and plan.inequality.tree(step.dual[0, p:]),
        "z_lower": tree(jnp.where(at.fixed[0] < 0, -step.bound[0], none)),
        "z_upper": tree(jnp.where(at.fixed[0] > 0, step.bound[0], none)),
        "objective": objective,
    }
