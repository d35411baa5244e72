"""The generalisation gap of a model under small changes of input and parameters, and what it is on one region."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from argflux.errors import ArgumentError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Numbers
from argflux.patterns.regions.affine import check_affine
from argflux.patterns.regions.chunks import numbered
from argflux.patterns.regions.pattern import activation_pattern
from argflux.patterns.sites.sites import find_sites
from argflux.patterns.sites.traced import as_array, check_call
from argflux.tree import is_array, named_leaves
from argflux.userlayer import register_layers


class GapIdentity(NamedTuple):
    """What `gap_identity` returns.

    Attributes:
        gap: L_gen, shape (n, *outputs).
        predicted: A' x', of the same shape.
        same_pattern: whether no unit flips between the four evaluations, shape (n,); there the two are equal.
    """

    gap: Array
    predicted: Array
    same_pattern: Array

    def __repr__(self) -> str:
        same = int(self.same_pattern.sum())
        return f"GapIdentity({same} of {numbered(len(self.same_pattern))} with the same pattern four times)"


@explained
def generalisation_gap(model: Callable, x: Numbers, dx: Numbers, dm: Any) -> Array:
    """Return how differently a change of the parameters acts on an input and on one beside it.

    With parameters P, P* = P + dm and inputs x, x* = x + dx,
    L_gen = (f(x, P) - f(x, P*)) - (f(x*, P) - f(x*, P*)).

    Args:
        model: a callable tree, batch first.
        x: inputs, shape (n, ...).
        dx: the change of the inputs, of that shape or one that broadcasts to it.
        dm: the change of the parameters, a tree like the model; None where nothing changes, as in a gradient.

    Returns:
        L_gen for every sample and output, shape (n, *outputs).

    Raises:
        ShapeError: for changes that do not fit.
        ArgumentError: for a `dm` that is no tree like the model.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import argflux as af
        >>> m = af.Dense(jnp.array([[1.0, 2.0]]))
        >>> dm = jax.tree.map(lambda w: 0.5 * jnp.ones_like(w), m)
        >>> af.generalisation_gap(m, jnp.ones((1, 2)), jnp.array([[0.25, 0.0]]), dm).tolist()
        [[0.125]]
    """
    return _gap(model, *_changed(model, x, dx, dm, "generalisation_gap"))


@explained
def gap_identity(model: Callable, x: Numbers, dx: Numbers, dm: Any) -> GapIdentity:
    """Compare L_gen with A' dx, which it equals where no unit flips.

    Where the four evaluations share an activation pattern, f(x, P) = A x + c and f(x, P*) = (A + A') x + c + c', and
    everything in L_gen cancels but A' dx, whatever the biases are.

    Args:
        model: a callable tree, batch first, whose units are straight between their corners.
        x: inputs, shape (n, ...).
        dx: as for `generalisation_gap`.
        dm: as for `generalisation_gap`.

    Returns:
        A `GapIdentity`.

    Raises:
        ShapeError: for changes that do not fit.
        ArgumentError: for a model that is not affine on its regions, or that has no ReLU-like units.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import argflux as af
        >>> m = af.Chain(af.Dense(jnp.array([[1.0], [-1.0]]), af.relu), af.Dense(jnp.array([[2.0, 1.0]])))
        >>> dm = jax.tree.map(lambda w: 0.5 * jnp.ones_like(w), m)
        >>> found = af.gap_identity(m, jnp.array([[2.0], [0.1]]), jnp.array([0.5]), dm)
        >>> found.same_pattern.tolist(), found.gap[0].tolist(), found.predicted[0].tolist()
        ([True, False], [0.875], [0.875])
    """
    return _identity(model, *_changed(model, x, dx, dm, "gap_identity"))


def gap_between(model: Any, changed: Any, x: Array, moved: Array) -> Array:
    """Return L_gen of a model and its changed copy, for inputs and moved ones.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.patterns.regions.gap import gap_between
        >>> gap_between(lambda x: x, lambda x: 2 * x, jnp.ones(1), jnp.full(1, 3.0)).tolist()
        [2.0]
    """
    return (model(x) - changed(x)) - (model(moved) - changed(moved))


_gap = eqx.filter_jit(gap_between)


@eqx.filter_jit
def _identity(model: Any, changed: Any, x: Array, moved: Array) -> GapIdentity:
    check_affine(find_sites(model, x), "gap_identity")
    along = lambda m: jax.jvp(m, (x,), (moved - x,))[1]
    patterns = [activation_pattern(m, place) for m in (model, changed) for place in (x, moved)]
    same = jnp.ones(len(x), bool)
    for other in patterns[1:]:
        for name, first in patterns[0].items():
            same &= (first == other[name]).reshape(len(x), -1).all(axis=1)
    return GapIdentity(_gap(model, changed, x, moved), along(changed) - along(model), same)


def _changed(model: Any, x: Any, dx: Any, dm: Any, where: str) -> tuple[Any, Array, Array]:
    """Return the model with changed parameters, the inputs, and the inputs moved."""
    x = jnp.asarray(as_array(x))
    check_call(model, x)
    dx = jnp.asarray(dx, x.dtype)
    if not _broadcasts(dx.shape, x.shape):
        todo = "pass one change for each input, or one for all"
        raise ShapeError(f"dx of shape {dx.shape} for x of {x.shape}", f"{x.shape}", todo, where=where)
    leaves, treedef = jax.tree.flatten(register_layers(model))
    try:
        changes = treedef.flatten_up_to(dm)
    except (ValueError, TypeError) as error:
        todo = "make it by jax.tree.map(lambda w: …, model)"
        raise ArgumentError(f"dm of type {type(dm).__name__}", "a tree like the model", todo, where=where) from error
    names = [name for name, _ in named_leaves(model)]
    moved = [_sum(name, leaf, change, where) for name, leaf, change in zip(names, leaves, changes, strict=True)]
    return treedef.unflatten(moved), x, x + jnp.broadcast_to(dx, x.shape)


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    ends = zip(shape[::-1], to[::-1], strict=False)
    return len(shape) <= len(to) and all(one in (1, other) for one, other in ends)


def _sum(name: str, leaf: Any, change: Any, where: str) -> Any:
    if not is_array(leaf) or change is None:
        return leaf
    if jnp.shape(change) != jnp.shape(leaf):
        got, todo = f"a change of shape {jnp.shape(change)} at {name}", "make it by jax.tree.map(lambda w: …, model)"
        raise ShapeError(got, f"{jnp.shape(leaf)}", todo, where=where)
    return leaf + jnp.asarray(change, leaf.dtype)
