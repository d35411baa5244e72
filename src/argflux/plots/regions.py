"""The linear regions of a model: on a part of a plane, and along a line."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from argflux.errors import DataError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Reals, Row, having
from argflux.plots.checks import class_numbers, in_the_plane, same_length
from argflux.plots.style import INK, PALETTE, colour, label_ends, styled, tint

TODO = "pass coordinates (s, t)"
PlaneRegions = Annotated[Any, having("polygons", "what plane_regions returns")]


@explained
@styled
def linear_regions(
    polygons: PlaneRegions | Iterable[Reals], points: Reals = None, labels: Row = None, *, title: str = ""
) -> Figure:
    """Draw the linear regions that a plane is cut into, and data on top.

    The colours of regions tell neighbours apart and mean nothing.

    Args:
        polygons: the corners of each region in order, a list of arrays of shape (corners, 2); or the result of
            `argflux.plane_regions`, which has them as `polygons`.
        points: data in the plane, shape (n, 2).
        labels: the class number of each point, which gives its colour.
        title: above the axes; the number of regions by default.

    Returns:
        A matplotlib Figure with equal scales on both axes.

    Raises:
        DataError: for no polygons.
        ShapeError: for polygons or points that are not in the plane.

    Example:
        >>> from argflux.plots import linear_regions
        >>> figure = linear_regions([[(0, 0), (1, 0), (0, 1)], [(1, 0), (1, 1), (0, 1)]])
        >>> figure.axes[0].get_title("left")
        '2 linear regions'
    """
    found = [
        in_the_plane(polygon, "polygon", TODO, "linear_regions") for polygon in getattr(polygons, "polygons", polygons)
    ]
    if not found:
        raise DataError("no polygons", "at least one", "pass what plane_regions returned", where="linear_regions")
    corners = np.concatenate(found)
    (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
    figure = Figure(figsize=(6.4, min(max(6.4 * (top - bottom) / (right - left), 3.0), 9.0) + 0.5))
    axes = figure.add_subplot(title=title or f"{len(found):,} linear regions", aspect="equal", xlabel="s", ylabel="t")
    axes.grid(False)
    width = 0.6 if len(found) < 2_000 else 0.2
    axes.add_collection(PolyCollection(found, facecolors=_pale(len(found)), edgecolors=INK, linewidths=width))
    axes.set(xlim=(left, right), ylim=(bottom, top))
    if points is not None and np.size(points):
        points = in_the_plane(points, "points", TODO, "linear_regions")
        given = np.zeros(len(points), int) if labels is None else labels
        classes = class_numbers(given, None, "label", "linear_regions")
        same_length(points, classes, "points and labels", "linear_regions")
        colours = [colour(int(k)) for k in classes]
        axes.scatter(*points.T, s=22, c=colours, edgecolors="white", linewidths=0.7, zorder=3)
    return figure


def _pale(count: int) -> np.ndarray:
    """Return a pale colour for each region, in an order that seldom gives neighbours the same."""
    shades = np.concatenate([tint(base, np.array([0.12, 0.28, 0.45])) for base in PALETTE])
    return shades[np.random.default_rng(0).permutation(np.resize(np.arange(len(shades)), count))]


@explained
@styled
def line_pieces(t: Reals, outputs: Reals, sites: Sequence[str] = (), *, title: str = "") -> Figure:
    """Draw a model's outputs along a line, which are straight between breakpoints, and the breakpoints by layer.

    Args:
        t: the breakpoints with both ends, shape (n,), ascending.
        outputs: the outputs there, shape (n,) or (n, k).
        sites: the name of the layer that changes at each of the n - 2 breakpoints inside.
        title: above the axes; the number of regions by default.

    Returns:
        A matplotlib Figure.

    Raises:
        ShapeError: for lengths that do not fit.

    Example:
        >>> from argflux.plots import line_pieces
        >>> figure = line_pieces([0.0, 0.5, 1.0], [0.0, 0.0, 1.0], ["layers[0]"])
        >>> figure.axes[0].get_title("left")
        '2 linear regions on the line'
    """
    t, outputs = np.asarray(t, float), np.asarray(outputs, float)
    if t.ndim != 1 or outputs.ndim not in (1, 2) or len(outputs) != len(t) or len(sites) not in (0, len(t) - 2):
        got = f"t of shape {t.shape}, outputs of shape {outputs.shape} and {len(sites)} sites"
        todo = "pass the fields of what line_regions returned"
        raise ShapeError(got, "n places, n outputs and n - 2 sites", todo, where="line_pieces")
    names = sorted(set(sites), key=lambda name: (len(name), name))
    figure = Figure(figsize=(7.6, 3.6 + 0.28 * len(names)))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[8, 0.4 + 0.8 * max(len(names), 1)])
    upper.set_title(title or f"{len(t) - 1:,} linear regions on the line")
    columns = outputs.reshape(len(t), -1)
    for k, column in enumerate(columns.T):
        upper.plot(t, column, color=colour(k), lw=1.6)
    upper.set(xlim=(0, 1), ylabel="output")
    if columns.shape[1] > 1:
        label_ends(upper, columns[-1], [str(k) for k in range(columns.shape[1])])
    for row, name in enumerate(names):
        places = [place for place, site in zip(t[1:-1], sites, strict=True) if site == name]
        lower.plot(places, np.full(len(places), row), "|", color=INK, ms=9, mew=0.8)
    counts = [f"{name}  {sum(site == name for site in sites)}" for name in names]
    lower.set(xlabel="from the first input (0) to the second (1)", ylim=(len(names) - 0.4, -0.6))
    lower.set_yticks(range(len(names)), counts)
    lower.grid(False)
    return figure
