"""The affine map that a piecewise linear model is around an input, and how far around it."""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax

from argflux.autodiff.api import pullback
from argflux.autodiff.linear import is_linear
from argflux.autodiff.source import user_line
from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.kinds import Numbers
from argflux.patterns.regions.chunks import observations
from argflux.patterns.sites.flat import CUT, Step
from argflux.patterns.sites.islands import COMPARISONS
from argflux.patterns.sites.sites import Site, Sites, find_sites, require_sites
from argflux.patterns.sites.windows import MAXIMA

_TRUTHS = {*COMPARISONS, "and", "eq", "is_finite", "ne", "not", "or", "xor"}
_CHOICES = {"max", "min", "select_n"}


@explained
def local_affine_map(model: Callable, x: Numbers) -> tuple[Array, Array]:
    """Return A and c with f(x) = A x + c on the whole linear region of an input.

    Args:
        model: a callable tree, batch first, whose units are straight between their corners.
        x: one observation, of shape `features`. For many, `jax.vmap(lambda x: local_affine_map(model, x))(X)`.

    Returns:
        `(A, c)`: A of shape (*outputs, *features), such as (outputs, inputs); c of shape `outputs`.

    Raises:
        ArgumentError: for a model that is not affine on its regions, naming the operation and its line, or that
            has no ReLU-like units.

    Example:
        >>> import jax.numpy as jnp
        >>> import argflux as af
        >>> m = af.Chain(af.Dense(jnp.array([[1.0], [-1.0]]), af.relu), af.Dense(jnp.array([[2.0, 3.0]])))
        >>> A, c = af.local_affine_map(m, jnp.array([-2.0]))
        >>> A.tolist(), c.tolist()
        ([[-3.0]], [0.0])
    """
    x = jnp.asarray(observations(x, 0, "local_affine_map")[0])
    return _local_affine_map(model, x)


@eqx.filter_jit
def _local_affine_map(model: Any, x: Array) -> tuple[Array, Array]:
    check_affine(find_sites(model, x[None]), "local_affine_map")
    y, back = pullback(lambda x: model(x[None])[0], x)
    basis = jnp.eye(y.size, dtype=y.dtype).reshape(y.size, *y.shape)
    A = jax.vmap(lambda dy: back(dy)[1])(basis).reshape(*y.shape, *x.shape)
    return A, y - jnp.tensordot(A, x.astype(A.dtype), x.ndim)


@explained
def region_radius(model: Callable, x: Numbers, *, norm: float = 2, batch_axes: int = 0) -> Array:
    """Return how far an input may move, in every direction, before the activation pattern changes.

    Within its region, each pre-activation is affine, z = w·x + b; a corner t is |z - t| / ‖w‖ away, in the dual norm
    of w, and the smallest of these distances is exact. Max pooling counts by the lead of the largest value over
    the others. A unit that nothing in the region can move (w = 0) does not count.

    Args:
        model: a callable tree, batch first, whose units are straight between their corners.
        x: one observation, or `batch_axes` axes of them.
        norm: in which the distance is measured: 2, or `math.inf` for the largest coordinate.
        batch_axes: how many leading axes of x number the observations.

    Returns:
        The radius, shape `batch`; infinite for a model that cannot change.

    Raises:
        ArgumentError: for a model that is not affine on its regions, or another norm.

    Example:
        >>> import jax.numpy as jnp
        >>> import argflux as af
        >>> m = af.Chain(af.Dense(jnp.array([[3.0, 4.0]]), af.relu), af.Dense(1, 1))
        >>> float(af.region_radius(m, jnp.array([1.0, 3.0]))), float(af.region_radius(m, jnp.array([-1.0, 0.0])))
        (3.0, 0.6...)
    """
    if norm not in (2, float("inf")):
        raise ArgumentError(f"norm={norm!r}", "2 or infinity", "pass norm=2 or norm=math.inf", where="region_radius")
    rows = observations(x, batch_axes, "region_radius")
    if not batch_axes:
        return _radius(model, jnp.asarray(rows)[0], norm)
    radii = _radii(model, jnp.asarray(rows), norm)
    return radii.reshape(jnp.shape(x)[:batch_axes])


@eqx.filter_jit
def _radii(model: Any, rows: Array, norm: float) -> Array:
    return lax.map(lambda x: _radius(model, x, norm), rows)


@eqx.filter_jit
def _radius(model: Any, x: Array, norm: float) -> Array:
    sites = find_sites(model, x[None])
    check_affine(sites, "region_radius")
    require_sites(sites, "region_radius")
    function = lambda x: slacks(sites, model, x[None])
    basis = jnp.eye(x.size, dtype=x.dtype).reshape(x.size, *x.shape)
    slack = function(x)
    slopes = jax.vmap(lambda dx: jax.jvp(function, (x,), (dx,))[1])(basis)
    length = jnp.sqrt(jnp.sum(slopes**2, axis=0)) if norm == 2 else jnp.sum(jnp.abs(slopes), axis=0)
    moved = (length > 0) & jnp.isfinite(slack)
    return jnp.min(jnp.where(moved, jnp.abs(slack) / jnp.where(moved, length, 1.0), jnp.inf))


def slacks(sites: Sites, model: Any, x: Array) -> Array:
    """Return, in one vector, what is zero where the pattern of one observation, shape (1, *features), changes.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> m, x = nn.Chain(nn.relu6), jnp.array([[2.0]])
        >>> slacks(find_sites(m, x), m, x).tolist()
        [2.0, -4.0]
    """
    values = sites.values(model, x, sites.found)
    parts = [part for site, value in zip(sites.found, values, strict=True) for part in site_slacks(site, value)]
    return jnp.concatenate([part.ravel() for part in parts])


def site_slacks(site: Site, value: Array) -> list[Array]:
    """Return the distances of a site's values to where its pattern changes.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> (site,) = find_sites(nn.Chain(lambda x: jnp.max(x, -1)), jnp.ones((1, 3))).found
        >>> site_slacks(site, jnp.array([[1.0, 5.0, 2.0]]))[0].tolist()
        [[4.0, inf, 3.0]]
    """
    if site.is_unit:
        return [value - corner for corner in site.corners]
    largest = jnp.argmax(value, axis=-1, keepdims=True)
    lead = jnp.take_along_axis(value, largest, axis=-1) - value
    return [jnp.where(jnp.arange(value.shape[-1]) == largest, jnp.inf, lead)]


def check_affine(sites: Sites, where: str) -> None:
    """Raise unless a model is affine wherever its activation pattern stays the same.

    Raises:
        ArgumentError: naming the operation that is not, and the user's line.
    """
    if bent := [step for step in _bent(sites) if step.name != CUT]:
        raise _not_affine(f"`{bent[0].name}` at {user_line(bent[0].eqn)}", where)
    for value in sites.islands.exits:
        if not sites.islands.is_straight(value, sites.islands.kinks(value)):
            step = sites.islands.maker(value)
            raise _not_affine(f"an activation that is not straight, `{step.name}` at {user_line(step.eqn)}", where)
    for step in _bent(sites):
        raise _not_affine(f"`{step.name}` at {user_line(step.eqn)}", where)


def _bent(sites: Sites) -> Iterator[Step]:
    """Yield the steps outside of activations that are not affine in what depends on the input."""
    flat, base = sites.flat, sites.islands.base
    needed = flat.needed(flat.outputs, through_cuts=True)
    for step in flat.steps:
        moving = [i for i in step.inputs if i in flat.moving]
        outside = needed.intersection(step.outputs) and base.get(step.outputs[0]) == step.outputs[0]
        if moving and outside and not _is_affine(step, moving):
            yield step


def _is_affine(step: Step, moving: list[int]) -> bool:
    if step.name in MAXIMA | _CHOICES | _TRUTHS:
        return True
    return is_linear(step.name, [i for i, number in enumerate(step.inputs) if number in moving])


def _not_affine(got: str, where: str) -> ArgumentError:
    expected = "a model that is affine between the corners of its units"
    return ArgumentError(got, expected, "use relu or another piecewise linear activation", where=where)
