"""The conditions at a solution of a nonlinear program, linearised: their solution as one of `kkt_p`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.programs.derivatives.dense import positive_inverse
from argflux.programs.derivatives.kkt import Step, kkt_p
from argflux.programs.forms.double import carry
from argflux.programs.forms.form import Form, Patterns, transposed_times
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.forms.pattern import Sparse
from argflux.programs.forms.structure import Structure, matrices, structure

WEIGHT, NOTHING, TINY = 10.0, 1e-6, 1e-30


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


def solve_conditions(form: NonlinearForm, given: Given, at: Point, right: Step) -> Step:
    """Solve the linearised conditions on the active set, with the curvature that the active rows allow to add."""
    _, _, W, C = matrices(form, at.x, at.dual, given.operands)
    flags = at.active, abs(at.fixed), at.mode
    C = _without_remains(C, at.fixed)
    if found := structure(form, given.operands):
        equal = found.C.rows < form.p
        kkt = _banded(form, found)
        none = carry(jnp.zeros((1, 0, 0)))
        A, G = C.values[:, equal], C.values[:, ~equal]
        return Step(*kkt_p.bind(W.values, A, G, *flags, none, none, *right, form=kkt))
    W, C, right = _curved(W, C, at, right)
    inverse, schur = _inverses(W, C, at)
    kkt = Form(form.n, form.p, form.m, "dense", True, True)
    return Step(*kkt_p.bind(W, C[:, : form.p], C[:, form.p :], *flags, inverse, schur, *right, form=kkt))


def _banded(form: NonlinearForm, found: Structure) -> Form:
    """The form of the conditions with patterns, made once."""
    if "kkt" not in form.made:
        patterns = Patterns(found.W, *[places.pattern for places in found.places[:2]])
        form.made["kkt"] = Form(form.n, form.p, form.m, "sparse", True, True, patterns, found.band)
    return form.made["kkt"]


def _without_remains(C: Any, fixed: Any) -> Any:
    """The rows without what rounding leaves of them on the unknowns that no bound holds."""
    if isinstance(C, Sparse):
        rows, free = C.pattern.rows, fixed[:, C.pattern.columns] == 0
        squares = jax.lax.stop_gradient(C.values) ** 2
        size = lambda squares: Sparse(squares, C.pattern).times(jnp.ones((1, C.pattern.width)))[:, rows]
        return Sparse(jnp.where(free & _is_nothing(size, squares, free), 0.0, C.values), C.pattern)
    free, squares = (fixed == 0)[:, None], jax.lax.stop_gradient(C) ** 2
    size = lambda squares: jnp.sum(squares, 2, keepdims=True)
    return jnp.where(free & _is_nothing(size, squares, free), 0.0, C)


def _is_nothing(size: Callable, squares: Any, free: Any) -> jax.Array:
    return size(jnp.where(free, squares, 0.0)) <= NOTHING**2 * size(squares)


def _curved(W, C, at: Point, right: Step) -> tuple:
    """Add a multiple of `C'C`, over active rows, to the curvature: the answer is the same, and the matrix is definite
    where the point is a strict minimiser."""
    size = jax.lax.stop_gradient(jnp.max(abs(W), (1, 2)))
    size = WEIGHT * jnp.where(size > TINY, size, 1.0)[:, None]
    held = size * abs(at.fixed)
    W, x = W + held[:, :, None] * jnp.eye(W.shape[1]), right.x + held * right.bound
    if C.shape[1]:
        rows = C * at.active[:, :, None]
        norms = jax.lax.stop_gradient(jnp.sum(rows * rows, 2))
        weight = jnp.where(norms > 0, size / jnp.where(norms > 0, norms, 1.0), 0.0)
        W, x = W + jnp.einsum("bri,br,brj->bij", rows, weight, rows), x + transposed_times(rows, weight * right.dual)
    return W, C, right._replace(x=x)


def _inverses(W, C, at: Point) -> tuple:
    """Inverses of the curvature and of the coupling of active rows, as `kkt_p` takes them; zero without an inverse."""
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


def masked(values: jax.Array, mode: jax.Array) -> jax.Array:
    """Zero, or NaN where that was asked for, in the places of instances that failed."""
    tall = lambda flags: flags.reshape(-1, *[1] * (values.ndim - 1))
    return spoiled(jnp.where(tall((mode == 1) | (mode == 2)), values, 0.0), tall(mode == 3))


def spoiled(values: jax.Array, where: jax.Array) -> jax.Array:
    """Put NaN where told to, by a division, which JAX's `debug_nans` stops at where there is one only."""
    return jnp.where(where, 0.0, values) / jnp.where(where, 0.0, 1.0)
