"""Derivatives of solutions of nonlinear programs: the conditions at the solution, linearised, forward and back."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.autodiff.api import pullback_of_arguments
from argflux.programs.derivatives.dense import positive_inverse
from argflux.programs.derivatives.kkt import Step, kkt_p
from argflux.programs.forms.double import carry
from argflux.programs.forms.doubled import Doubled
from argflux.programs.forms.form import Form, transposed_times
from argflux.programs.forms.nonlinear import NonlinearForm, each

WEIGHT = 10.0


class Point(NamedTuple):
    """A solution, an instance a row: `bound` is signed, positive at upper bounds; flags are those of `Judged`."""

    x: Any
    dual: Any
    bound: Any
    active: Any
    fixed: Any
    mode: Any


class Given(NamedTuple):
    """What a program depends on, an instance a row."""

    lower: Any
    upper: Any
    operands: tuple


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
    return Given(*whole[:2], tuple(whole[2:count])), Point(*whole[count:], at.mode), rest[6:]


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
    """How the gradient of the Lagrangian, the constraints and the Lagrangian move with the operands at a fixed point."""
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


def masked(values: jax.Array, mode: jax.Array) -> jax.Array:
    """Zero, or NaN where that was asked for, in the places of instances that failed."""
    tall = lambda flags: flags.reshape(-1, *[1] * (values.ndim - 1))
    return spoiled(jnp.where(tall((mode == 1) | (mode == 2)), values, 0.0), tall(mode == 3))


def spoiled(values: jax.Array, where: jax.Array) -> jax.Array:
    """Put NaN where told to, by a division, which JAX's `debug_nans` stops at where there is one only."""
    return jnp.where(where, 0.0, values) / jnp.where(where, 0.0, 1.0)


def solve_conditions(form: NonlinearForm, given: Given, at: Point, right: Step) -> Step:
    """Solve the linearised conditions on the active set, with the curvature that the active rows allow to add."""
    W, C = each(form.matrices, at.x, at.dual, *given.operands)
    W, C, right = _curved(W, C, at, right)
    inverse, schur = _inverses(W, C, at)
    kkt = Form(form.n, form.p, form.m, "dense", True, True)
    flags = at.active, abs(at.fixed), at.mode
    return Step(*kkt_p.bind(W, C[:, : form.p], C[:, form.p :], *flags, inverse, schur, *right, form=kkt))


def _curved(W, C, at: Point, right: Step) -> tuple:
    """Add a multiple of `C'C`, over active rows, to the curvature: the answer is the same, and the matrix is definite
    where the point is a strict minimiser."""
    size = jax.lax.stop_gradient(jnp.max(abs(W), (1, 2)))
    size = WEIGHT * jnp.where(size > 0, size, 1.0)[:, None]
    held = size * abs(at.fixed)
    W, x = W + held[:, :, None] * jnp.eye(W.shape[1]), right.x + held * right.bound
    if C.shape[1]:
        rows = C * at.active[:, :, None]
        norms = jax.lax.stop_gradient(jnp.sum(rows * rows, 2))
        weight = jnp.where(norms > 0, size / jnp.where(norms > 0, norms, 1.0), 0.0)
        W, x = W + jnp.einsum("bri,br,brj->bij", rows, weight, rows), x + transposed_times(rows, weight * right.dual)
    return W, C, right._replace(x=x)


def _inverses(W, C, at: Point) -> tuple:
    """Inverses of the curvature and of the coupling of active rows, as `kkt_p` takes them; zero where there are none."""
    n = W.shape[1]
    W, C = jax.lax.stop_gradient((W, C))
    inverse, definite = positive_inverse(W)
    on = jnp.concatenate([at.active, abs(at.fixed)], 1) > 0
    rows = jnp.concatenate([C, jnp.broadcast_to(jnp.eye(n), (len(C), n, n))], 1) * on[:, :, None]
    safe = jnp.where(definite[:, None, None], inverse, jnp.eye(n))
    coupling = rows @ safe @ jnp.swapaxes(rows, 1, 2)
    pairs = on[:, :, None] & on[:, None, :]
    schur, regular = positive_inverse(jnp.where(pairs, coupling, jnp.eye(rows.shape[1])), 1e-10)
    good = (definite & regular & (at.mode == 1))[:, None, None]
    return carry(jnp.where(good, inverse, 0.0)), carry(jnp.where(good & pairs, schur, 0.0))
