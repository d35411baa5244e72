"""Derivatives of solutions of nonlinear programs: the conditions at the solution, linearised, forward and back."""

from typing import Any

import jax
import jax.numpy as jnp

from argflux.autodiff.api import pullback_of_arguments
from argflux.programs.derivatives.conditions import Given, Point, masked, solve_conditions
from argflux.programs.derivatives.kkt import Step
from argflux.programs.forms.doubled import Doubled
from argflux.programs.forms.nonlinear import NonlinearForm, each


def forward_function(form: NonlinearForm, moved: tuple[bool, ...]) -> Doubled:
    """The derivative of x, the duals, the signed duals of the bounds and the objective.

    It takes the bounds and operands, the fields of a `Point`, and directions of the bounds and operands `moved`.
    """
    key = "forward", moved
    if key not in form.made:
        shapes = ((form.n,), (form.rows,), (form.n,), ())
        form.made[key] = Doubled(lambda *all: _forward(form, moved, all), shapes, sum(moved))
    return form.made[key]


def reverse_function(form: NonlinearForm, wanted: tuple[bool, ...], shapes: tuple) -> Doubled:
    """Cotangents of the bounds and operands that are `wanted`, of these shapes.

    It takes the bounds and operands, the fields of a `Point`, and cotangents of the four fields with derivatives.
    """
    key = "reverse", wanted
    if key not in form.made:
        form.made[key] = Doubled(lambda *all: _reverse(form, wanted, all), shapes, 4)
    return form.made[key]


def adjoint_function(form: NonlinearForm) -> Doubled:
    """The answers x, dual and bound of the conditions, which are their own adjoint, to cotangents of these fields.

    It takes the bounds and operands, the fields of a `Point`, and the cotangents.
    """
    if "adjoint" not in form.made:
        shapes = ((form.n,), (form.rows,), (form.n,))
        form.made["adjoint"] = Doubled(lambda *all: _adjoint(form, all), shapes, 3)
    return form.made["adjoint"]


def _adjoint(form: NonlinearForm, arrays: tuple) -> Step:
    given, at, seeds = _taken_apart(len(arrays) - 9, arrays)
    return solve_conditions(form, given, at, Step(*seeds))


def _taken_apart(count: int, arrays: tuple) -> tuple[Given, Point, tuple]:
    rest = arrays[count:]
    at = Point(*rest[:6])
    whole = _with_donors([*arrays[:count], *at[:5]], at.mode)
    given = Given(whole[0], whole[1], tuple(whole[2:count]))
    return given, Point._make([*whole[count:], at.mode]), rest[6:]


def _with_donors(arrays: list, mode: jax.Array) -> list:
    """Put numbers of an instance that was solved in the places of those that were not, whose answers are not used."""
    solved, size = (mode == 1) | (mode == 2), len(mode)
    taken = jnp.where(solved, jnp.arange(size), jnp.argmax(solved))
    return [a[taken] if len(a) == size > 1 else a for a in arrays]


def _forward(form: NonlinearForm, moved: tuple[bool, ...], arrays: tuple) -> tuple:
    given, at, directions = _taken_apart(len(moved), arrays)
    fresh = iter(directions)
    direction = [next(fresh) if on else None for on in moved]
    slope, values, along = _moved(form, given, at, moved[2:], direction[2:])
    none = jnp.zeros_like(at.x)
    low, high = (none if d is None else jnp.where(held, d, 0.0) for d, held in zip(direction, _held(at), strict=False))
    step = solve_conditions(form, given, at, Step(-slope, -values * at.active, low + high))
    along = along - jnp.sum(at.bound * (low + high), 1)
    return step.x, step.dual, step.bound, masked(along, at.mode)


def _held(at: Point) -> tuple[jax.Array, jax.Array]:
    return at.fixed < 0, at.fixed > 0


def _moved(form: NonlinearForm, given: Given, at: Point, moved: tuple[bool, ...], directions: list) -> tuple:
    """How the Lagrangian, its gradient and the constraints move with the operands while the point stands still."""
    if not any(moved):
        return jnp.zeros_like(at.x), jnp.zeros_like(at.dual), jnp.zeros_like(at.x[:, 0])
    size = max(map(len, (*given.operands, *[d for d in directions if d is not None], at.x)))
    wide = lambda x: jnp.broadcast_to(x, (size, *x.shape[1:]))
    chosen = tuple(wide(x) for x, on in zip(given.operands, moved, strict=True) if on)

    def run(*chosen: Any) -> tuple:
        fresh = iter(chosen)
        operands = [next(fresh) if on else x for x, on in zip(given.operands, moved, strict=True)]
        slope, values = each(form.slopes, at.x, at.dual, *operands)
        return slope, values, each(form.lagrangian, at.x, at.dual, *operands)

    return jax.jvp(run, chosen, tuple(wide(d) for d in directions if d is not None))[1]


def _reverse(form: NonlinearForm, wanted: tuple[bool, ...], arrays: tuple) -> list:
    """One solve of the conditions, which are their own adjoint, then one way back through the Lagrangian."""
    given, at, seeds = _taken_apart(len(wanted), arrays)
    w = solve_conditions(form, given, at, Step(*seeds[:3]))
    cost = masked(seeds[3], at.mode)
    to_bound = w.bound - cost[:, None] * at.bound
    sides = [jnp.where(held, to_bound, 0.0) for held in _held(at)]
    chosen = [x for x, on in zip(given.operands, wanted[2:], strict=True) if on]
    size = max(map(len, (*given, *seeds, at.x)) if not given.operands else map(len, (*given.operands, *seeds, at.x)))
    wide = [jnp.broadcast_to(x, (size, *x.shape[1:])) for x in chosen]

    def total(*chosen: Any) -> jax.Array:
        fresh = iter(chosen)
        operands = [next(fresh) if on else x for x, on in zip(given.operands, wanted[2:], strict=True)]
        one = lambda x, dual, dx, ddual, cost, *operands: _paired(form, x, dual, dx, ddual, cost, operands)
        return jnp.sum(each(one, at.x, at.dual, w.x, w.dual * at.active, cost, *operands))

    pulled = pullback_of_arguments(total, *wide)[1](jnp.ones(())) if chosen else ()
    pulled = [masked(dx, at.mode) for dx in pulled]
    return [side for side, on in zip(sides, wanted, strict=False) if on] + pulled


def _paired(form: NonlinearForm, x, dual, dx, ddual, cost, operands) -> jax.Array:
    """`cost L - (∇L)'dx - (c, g)'ddual`, of which the operands get the gradient."""
    lagrangian = lambda x: form.lagrangian(x, dual, *operands)
    value, slope = jax.jvp(lagrangian, (x,), (dx,))
    paired = ddual @ form.constraints(x, *operands) if form.rows else 0.0
    return cost * value - slope - paired
