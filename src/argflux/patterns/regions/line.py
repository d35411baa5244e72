"""The linear regions that a line passes through."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from argflux.errors import ArgumentError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Numbers
from argflux.patterns.regions.affine import check_affine
from argflux.patterns.regions.chunks import check_finite, observations
from argflux.patterns.sites.sites import Site, find_sites, require_sites

WHERE = "line_regions"


@dataclass(frozen=True)
class LineRegions:
    """Where a line between two inputs passes from one linear region to the next.

    Attributes:
        t: the breakpoints, ascending, from 0 at the first input to 1 at the second; both ends included.
        sites: for each breakpoint inside, the name of the site whose pattern changes there.
        outputs: the model's outputs at `t`, shape (len(t), *outputs). Straight lines between them are the model.
    """

    t: np.ndarray
    sites: tuple[str, ...]
    outputs: np.ndarray

    def __len__(self) -> int:
        """The number of regions."""
        return len(self.t) - 1

    def __str__(self) -> str:
        counts = {name: self.sites.count(name) for name in dict.fromkeys(self.sites)}
        parts = ", ".join(f"{count} changes at {name}" for name, count in counts.items())
        return f"{len(self)} regions: {parts}" if parts else "1 region"

    def __repr__(self) -> str:
        return f"LineRegions({self})"


@explained
def line_regions(model: Callable, start: Numbers, end: Numbers) -> LineRegions:
    """Find every breakpoint of a model on the line between two inputs, exactly up to rounding.

    Site by site: between the breakpoints found so far, what a site is given is affine in the place on the line, so
    where it meets a corner is the solution of one equation.

    Args:
        model: a callable tree, batch first, whose units are straight between their corners.
        start: one observation, of shape `features`.
        end: another.

    Returns:
        A `LineRegions`; its length is the number of regions.

    Raises:
        ShapeError: for inputs of different shapes.
        ArgumentError: for equal inputs, a model that is not affine on its regions, or one without ReLU-like units.

    Example:
        >>> import jax.numpy as jnp
        >>> import argflux as af
        >>> m = af.Chain(af.Dense(jnp.array([[1.0], [-1.0]]), af.relu, bias=jnp.array([1.0, 0.0])), af.Dense(2, 1))
        >>> found = af.line_regions(m, jnp.array([-2.0]), jnp.array([2.0]))
        >>> found.t.tolist(), str(found)
        ([0.0, 0.25, 0.5, 1.0], '3 regions: 2 changes at layers[0]')
    """
    start, end = (jnp.asarray(observations(x, 0, WHERE)[0]) for x in (start, end))
    if start.shape != end.shape:
        todo = "pass two observations alike"
        raise ShapeError(f"shapes {start.shape} and {end.shape}", "equal shapes", todo, where=WHERE)
    for x in (start, end):
        check_finite(x, bool(jnp.isfinite(x).all()), WHERE)
    if bool((start == end).all()):
        raise ArgumentError("two equal inputs", "two different ones", "pass the ends of a line", where=WHERE)
    sites = find_sites(model, start[None])
    check_affine(sites, WHERE)
    require_sites(sites, WHERE)
    t, names = np.array([0.0, 1.0]), np.array([], dtype=object)
    for position, site in enumerate(sites.found):
        middles = (t[1:] + t[:-1]) / 2
        value, slope = germs(model, *_points(start, end, middles), position)
        found = np.unique(_changes(site, value, slope, t, 16 * float(jnp.finfo(start.dtype).eps)))
        order = np.argsort(np.concatenate([t[1:-1], found]), kind="stable")
        names = np.concatenate([names, np.full(len(found), site.name, object)])[order]
        t = np.concatenate([[0.0], np.concatenate([t[1:-1], found])[order], [1.0]])
    outputs = np.asarray(model(_points(start, end, t)[0]))
    return LineRegions(t, tuple(names.tolist()), outputs)


def _points(start: Array, end: Array, t: np.ndarray) -> tuple[Array, Array]:
    places = jnp.asarray(t, start.dtype).reshape(-1, *[1] * start.ndim)
    points = (1 - places) * start[None] + places * end[None]
    return points, jnp.broadcast_to((end - start)[None], points.shape)


def germs(model: Any, points: Array, directions: Array, position: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what a site is given at points, and its derivatives along a direction for each, in float64.

    Points are filled up to a power of two, so that few programs are compiled.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> value, slope = germs(nn.Chain(lambda x: 3 * x, nn.relu), jnp.ones((1, 1)), jnp.ones((1, 1)), 0)
        >>> value.tolist(), slope.tolist()
        ([[1.0]], [[1.0]])
    """
    count = len(points)
    missing = max(64, 1 << (count - 1).bit_length()) - count
    points, directions = (jnp.concatenate([x, jnp.repeat(x[-1:], missing, axis=0)]) for x in (points, directions))
    value, slope = _germs(model, points, directions, position)
    return np.asarray(value, np.float64)[:count], np.asarray(slope, np.float64)[:count]


@eqx.filter_jit
def _germs(model: Any, points: Array, directions: Array, position: int) -> tuple[Array, Array]:
    sites = find_sites(model, points)
    given = lambda x: sites.values(model, x, [sites.found[position]])[0]
    return jax.jvp(given, (points,), (directions,))


def _changes(site: Site, value: np.ndarray, slope: np.ndarray, t: np.ndarray, rounding: float) -> np.ndarray:
    """Return where a site's pattern changes, from its values and slopes in the middle of every interval.

    What lies within rounding of an end is that end's own change, seen again.
    """
    middle, half = (t[1:] + t[:-1]) / 2, (t[1:] - t[:-1]) / 2 - rounding
    found = []
    for z, dz, valid in _crossings(site, value, slope):
        with np.errstate(divide="ignore", invalid="ignore"):
            step = -z / dz
        inside = (np.abs(step) < half.reshape(-1, *[1] * (z.ndim - 1))) & valid(step)
        rows = np.nonzero(inside)
        found.append(middle[rows[0]] + step[rows])
    return np.concatenate(found)


def _crossings(site: Site, value: np.ndarray, slope: np.ndarray) -> Any:
    """Yield pairs of value and slope of what is zero at a change, and the test of a step that it is one."""
    if site.is_unit:
        for corner in site.corners:
            yield value - corner, slope, lambda step: True
        return
    for i, j in itertools.combinations(range(value.shape[-1]), 2):
        z, dz = value[..., i] - value[..., j], slope[..., i] - slope[..., j]

        def both_lead(step: np.ndarray, i: int = i) -> np.ndarray:
            there = value + np.where(np.isfinite(step), step, 0.0)[..., None] * slope
            return there[..., i] >= there.max(axis=-1) - 1e-6 * (1 + np.abs(there[..., i]))

        yield z, dz, both_lead
