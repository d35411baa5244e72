"""The linear regions that a plane is cut into."""

import itertools
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError, ShapeError
from argflux.patterns.affine import check_affine
from argflux.patterns.chunks import observations
from argflux.patterns.line import germs
from argflux.patterns.sites import Site, find_sites, require_sites

WHERE = "plane_regions"
_THIN = 1e-6


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


def plane_regions(
    model: Any,
    origin: Any = None,
    u: Any = None,
    v: Any = None,
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
    per_site = {}
    place = lambda centres: origin + jnp.tensordot(jnp.asarray(centres, origin.dtype), jnp.stack([u, v]), 1)
    for position, site in enumerate(sites.found):
        centres = np.stack([polygon.mean(axis=0) for polygon in polygons])
        points = place(centres)
        value, ds = germs(model, points, jnp.broadcast_to(u, points.shape), position)
        _, dt = germs(model, points, jnp.broadcast_to(v, points.shape), position)
        planes = np.stack([a.reshape(len(centres), -1, a.shape[-1]) for a in (value, ds, dt)], axis=-1)
        cut = [_cut(site, *parts) for parts in zip(polygons, centres, planes, strict=True)]
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


def _cut(site: Site, polygon: np.ndarray, centre: np.ndarray, planes: np.ndarray) -> list[np.ndarray]:
    """Cut a polygon by the units of a site.

    Args:
        site: of ReLU-like units, or of maxima.
        polygon: shape (corners, 2).
        centre: where the planes were taken, shape (2,).
        planes: value and the two derivatives of every entry, shape (groups, entries, 3).
    """
    if site.is_unit:
        lines = np.concatenate([planes.reshape(-1, 3) - [corner, 0, 0] for corner in site.corners])
        parts = [polygon]
        for line in lines[_crosses(polygon, centre, lines)]:
            parts = [piece for part in parts for piece in _halves(part, centre, line)]
        return parts
    parts = [polygon]
    for group in planes:
        parts = [piece for part in parts for piece in _by_winner(part, centre, group[np.isfinite(group[:, 0])])]
    return parts


def _heights(polygon: np.ndarray, centre: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Return the values of affine functions at the corners of a polygon, shape (lines, corners)."""
    return lines[:, :1] + lines[:, 1:] @ (polygon - centre).T


def _crosses(polygon: np.ndarray, centre: np.ndarray, lines: np.ndarray) -> np.ndarray:
    heights = _heights(polygon, centre, lines)
    slack = _THIN * (np.abs(heights).max(axis=1) + 1e-30)
    return (heights.min(axis=1) < -slack) & (heights.max(axis=1) > slack)


def _halves(polygon: np.ndarray, centre: np.ndarray, line: np.ndarray) -> list[np.ndarray]:
    if not _crosses(polygon, centre, line[None])[0]:
        return [polygon]
    return [_clip(polygon, centre, sign * line) for sign in (1, -1)]


def _clip(polygon: np.ndarray, centre: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Return the part of a convex polygon where an affine function is not negative."""
    heights = _heights(polygon, centre, line[None])[0]
    kept = []
    for k in range(len(polygon)):
        here, there = heights[k], heights[(k + 1) % len(polygon)]
        if here >= 0:
            kept.append(polygon[k])
        if min(here, there) < 0 < max(here, there):
            kept.append(polygon[k] + (polygon[(k + 1) % len(polygon)] - polygon[k]) * here / (here - there))
    return np.array(kept).reshape(-1, 2)


def _by_winner(polygon: np.ndarray, centre: np.ndarray, group: np.ndarray) -> list[np.ndarray]:
    """Cut a polygon into the parts where each of several affine functions is the largest."""
    heights = _heights(polygon, centre, group)
    if (heights == heights.max(axis=0)).all(axis=1).any():
        return [polygon]
    scale = _THIN * (np.abs(heights).max() + 1e-30)
    parts = []
    for i, winner in enumerate(group):
        part = polygon
        for j, other in enumerate(group):
            if i != j and len(part) > 2:
                part = _leading(part, centre, winner - other, scale, first=i < j)
        if len(part) > 2:
            parts.append(part)
    return parts


def _leading(polygon: np.ndarray, centre: np.ndarray, line: np.ndarray, scale: float, *, first: bool) -> np.ndarray:
    """Return the part of a polygon where a difference is positive; of two equal functions the first one leads."""
    ahead = _heights(polygon, centre, line[None])[0]
    if np.abs(ahead).max() <= scale:
        return polygon if first else polygon[:0]
    if ahead.min() >= -scale:
        return polygon
    return _clip(polygon, centre, line) if ahead.max() > scale else polygon[:0]
