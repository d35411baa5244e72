"""The linear regions that a plane is cut into."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Numbers
from argflux.patterns.regions.affine import check_affine
from argflux.patterns.regions.chunks import observations
from argflux.patterns.regions.line import germs
from argflux.patterns.sites.sites import Site, find_sites, require_sites

WHERE = "plane_regions"
_ROUNDINGS = 32  # how many roundings of the diameter a corner may lie off a line and still be on it


@dataclass(frozen=True)
class PlaneRegions:
    """The linear regions of a model on a part of a plane, x = origin + s·u + t·v.

    Attributes:
        polygons: one convex polygon a region, its corners (s, t) in order, shape (corners, 2).
        bounds: the part of the plane, (s from, s to, t from, t to).
        outputs: the model's outputs at the centre of each region, shape (regions, *outputs).
        per_site: how many regions there were after each site had cut, by name.
    """

    polygons: list[np.ndarray]
    bounds: tuple[float, float, float, float]
    outputs: np.ndarray
    per_site: dict[str, int]

    def __len__(self) -> int:
        """The number of regions."""
        return len(self.polygons)

    def __repr__(self) -> str:
        cut = ", ".join(f"{count} after {name}" for name, count in self.per_site.items())
        return f"PlaneRegions({len(self)} regions: {cut})"


@explained
def plane_regions(
    model: Callable,
    origin: Numbers = None,
    u: Numbers = None,
    v: Numbers = None,
    *,
    bounds: tuple[float, float, float, float] = (-1.0, 1.0, -1.0, 1.0),
) -> PlaneRegions:
    """Cut a part of a plane in the space of inputs into the linear regions of a model, exactly up to rounding.

    Site by site: within the polygons found so far, what a site is given is affine, so it cuts each along straight
    lines.

    Args:
        model: a callable tree, batch first, whose units are straight between their corners.
        origin: one observation; zeros of shape (2,) without, for a model of points in the plane.
        u: the direction of the first coordinate; with `origin`.
        v: the direction of the second.
        bounds: the coordinates (s from, s to, t from, t to) between which to look.

    Returns:
        A `PlaneRegions`; its length is the number of regions. `argflux.plots.linear_regions` draws it.

    Raises:
        ShapeError: for an origin and directions of different shapes.
        ArgumentError: for empty bounds, a model that is not affine on its regions, or one without ReLU-like units.

    Example:
        >>> import jax.numpy as jnp
        >>> import argflux as af
        >>> m = af.Chain(af.Dense(jnp.eye(2), af.relu), af.Dense(2, 1))
        >>> len(af.plane_regions(m))
        4
    """
    origin, u, v = _frame(origin, u, v)
    low, high, bottom, top = _checked_bounds(bounds)
    sites = find_sites(model, origin[None])
    check_affine(sites, WHERE)
    require_sites(sites, WHERE)
    polygons = [np.array([(low, bottom), (high, bottom), (high, top), (low, top)])]
    per_site, slack = {}, _ROUNDINGS * float(jnp.finfo(origin.dtype).eps)
    place = lambda centres: origin[None] + jnp.tensordot(jnp.asarray(centres, origin.dtype), jnp.stack([u, v]), 1)
    for position, site in enumerate(sites.found):
        centres = np.stack([polygon.mean(axis=0) for polygon in polygons])
        points = place(centres)
        value, ds = germs(model, points, jnp.broadcast_to(u, points.shape), position)
        _, dt = germs(model, points, jnp.broadcast_to(v, points.shape), position)
        planes = np.stack([a.reshape(len(centres), -1, a.shape[-1]) for a in (value, ds, dt)], axis=-1)
        cut = [_cut(site, slack, *parts) for parts in zip(polygons, centres, planes, strict=True)]
        polygons = list(itertools.chain.from_iterable(cut))
        per_site[site.name] = len(polygons)
    centres = np.stack([polygon.mean(axis=0) for polygon in polygons])
    return PlaneRegions(polygons, (low, high, bottom, top), np.asarray(model(place(centres))), per_site)


def _frame(origin: Any, u: Any, v: Any) -> tuple:
    given = [part is not None for part in (origin, u, v)]
    if any(given) and not all(given):
        todo = "pass all three, or none for a model of points in the plane"
        raise ArgumentError(f"{sum(given)} of origin, u and v", "origin, u and v", todo, where=WHERE)
    if not any(given):
        origin, u, v = jnp.zeros(2), jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
    frame = tuple(jnp.asarray(observations(part, 0, WHERE)[0]) for part in (origin, u, v))
    if len({part.shape for part in frame}) > 1:
        shapes = ", ".join(str(part.shape) for part in frame)
        raise ShapeError(f"shapes {shapes}", "three equal shapes", "pass observations alike", where=WHERE)
    return frame


def _checked_bounds(bounds: Any) -> tuple[float, float, float, float]:
    low, high, bottom, top = map(float, bounds)
    if not (low < high and bottom < top and np.isfinite(bounds).all()):
        expected, todo = "(s from, s to, t from, t to), ascending", "pass bounds=(-1, 1, -1, 1)"
        raise ArgumentError(f"bounds={bounds}", expected, todo, where=WHERE)
    return low, high, bottom, top


def _cut(site: Site, slack: float, polygon: np.ndarray, centre: np.ndarray, planes: np.ndarray) -> list[np.ndarray]:
    """Cut a polygon by the units of a site.

    Args:
        site: of ReLU-like units, or of maxima.
        slack: the part of a polygon's diameter that counts as rounding.
        polygon: shape (corners, 2).
        centre: where the planes were taken, shape (2,).
        planes: value and the two derivatives of every entry, shape (groups, entries, 3).
    """
    parts = [polygon]
    if site.is_unit:
        lines = np.concatenate([planes.reshape(-1, 3) - [corner, 0, 0] for corner in site.corners])
        heights = _heights(polygon, centre, lines, slack)
        for line in lines[(heights.min(axis=1) < 0) & (heights.max(axis=1) > 0)]:
            parts = [half for part in parts for half in _halves(part, _heights(part, centre, line[None], slack)[0])]
        return parts
    for group in planes:
        finite = group[np.isfinite(group[:, 0])]
        parts = [piece for part in parts for piece in _by_winner(part, centre, finite, slack)]
    return parts


def _heights(polygon: np.ndarray, centre: np.ndarray, lines: np.ndarray, slack: float) -> np.ndarray:
    """Return the values of affine functions at the corners of a polygon, shape (lines, corners).

    A corner that rounding may have moved off a line is on it: lines that meet in a corner, as those of units without
    biases do, cut off no slivers there.

    Args:
        polygon: shape (corners, 2).
        centre: where the functions were taken.
        lines: value and derivatives, shape (lines, 3).
        slack: the part of the polygon's diameter, times the slope, that counts as rounding.
    """
    heights = lines[:, :1] + lines[:, 1:] @ (polygon - centre).T
    reach = slack * np.linalg.norm(np.ptp(polygon, axis=0))
    rounding = reach * np.linalg.norm(lines[:, 1:], axis=1) + slack * np.abs(lines[:, 0])
    return np.where(np.abs(heights) <= rounding[:, None], 0.0, heights)


def _halves(polygon: np.ndarray, heights: np.ndarray) -> list[np.ndarray]:
    if not heights.min() < 0 < heights.max():
        return [polygon]
    return [_clip(polygon, sign * heights) for sign in (1, -1)]


def _clip(polygon: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Return the part of a convex polygon where an affine function, given at its corners, is not negative."""
    kept = []
    for k in range(len(polygon)):
        here, there = heights[k], heights[(k + 1) % len(polygon)]
        if here >= 0:
            kept.append(polygon[k])
        if min(here, there) < 0 < max(here, there):
            kept.append(polygon[k] + (polygon[(k + 1) % len(polygon)] - polygon[k]) * here / (here - there))
    return np.array(kept).reshape(-1, 2)


def _by_winner(polygon: np.ndarray, centre: np.ndarray, group: np.ndarray, slack: float) -> list[np.ndarray]:
    """Cut a polygon into the parts where each of several affine functions is the largest; of equal ones the first."""
    parts = []
    for i, winner in enumerate(group):
        part = polygon
        for j, other in enumerate(group):
            if i != j and len(part) > 2:
                ahead = _heights(part, centre, (winner - other)[None], slack)[0]
                if ahead.max() > 0 > ahead.min():
                    part = _clip(part, ahead)
                elif ahead.max() <= 0 and (ahead.min() < 0 or j < i):
                    part = part[:0]
        if len(part) > 2:
            parts.append(part)
    return parts
