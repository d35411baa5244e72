import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, ShapeError
from argflux.patterns import count_patterns, line_regions, plane_regions
from tests.patterns.networks import NETWORKS, data, dense, network, normal

FINE = 4001


def codes(model, x):
    return count_patterns(model, x).codes


@pytest.mark.parametrize("name", ["dense", "relu6", "softshrink", "trelu", "skips", "scan", "maxout", "conv and pool"])
def test_every_change_on_a_fine_walk_is_a_breakpoint(name):
    model, x = data(name, count=2)
    found = line_regions(model, 3 * x[0], 3 * x[1])
    t = np.linspace(0, 1, FINE)
    pattern = codes(model, between(3 * x[0], 3 * x[1], t))
    steps = np.flatnonzero(np.diff(pattern))
    assert len(steps) > 1
    for step in steps:
        assert np.any((found.t >= t[step] - 1e-5) & (found.t <= t[step + 1] + 1e-5))
    regions = np.unique(codes(model, between(3 * x[0], 3 * x[1], middles(found.t))))
    assert len(np.unique(pattern)) <= len(found)
    assert len(regions) >= 0.95 * len(found)  # very short ones may be missed in float32
    assert set(found.sites) <= set(NETWORKS[name][2]) | {"max of layers[0]", "max of layers[0].second"}


def middles(t):
    return (t[1:] + t[:-1]) / 2


def between(start, end, t):
    t = np.float32(t).reshape(-1, *[1] * start.ndim)
    return (1 - t) * np.asarray(start) + t * np.asarray(end)


@pytest.mark.parametrize("name", ["dense", "conv and pool"])
def test_the_model_is_straight_between_breakpoints(name):
    model, x = data(name, count=2)
    found = line_regions(model, x[0], x[1])
    points = between(x[0], x[1], middles(found.t))
    np.testing.assert_allclose(model(points), (found.outputs[1:] + found.outputs[:-1]) / 2, rtol=1e-4, atol=1e-5)


def test_line_by_hand():
    model = nn.Chain(nn.Dense(jnp.array([[1.0], [1.0]]), nn.relu, bias=jnp.array([0.0, -1.0])), dense(0, 2, 1))
    found = line_regions(model, jnp.array([-1.0]), jnp.array([3.0]))
    assert found.t.tolist() == [0.0, 0.25, 0.5, 1.0]
    assert found.sites == ("layers[0]", "layers[0]")
    assert str(line_regions(model, jnp.array([2.0]), jnp.array([3.0]))) == "1 region"


@pytest.mark.parametrize("name", ["dense", "hardtanh", "maxout", "trelu"])
def test_plane_agrees_with_a_raster(name):
    """Every polygon has one pattern, no two that touch in the raster share one, and together they fill the part."""
    model, _ = data(name)
    origin, u, v = normal(7, 3), normal(8, 3), normal(9, 3)
    found = plane_regions(model, origin, u, v, bounds=(-2, 2, -1, 1))
    areas = np.array([area(polygon) for polygon in found.polygons])
    assert areas.sum() == pytest.approx(8.0, rel=1e-6)
    assert (areas > 0).all()
    place = lambda st: origin + jnp.asarray(st, jnp.float32) @ jnp.stack([u, v])
    rng = np.random.default_rng(0)
    inside = [polygon.T @ rng.dirichlet(np.full(len(polygon), 3.0), 5).T for polygon in found.polygons]
    patterns = codes(model, place(np.concatenate([points.T for points in inside]))).reshape(len(found), 5)
    large = areas > 1e-4
    assert (patterns[large] == patterns[large][:, :1]).all()
    raster = rng.uniform((-2, -1), (2, 1), (20_000, 2))
    assert len(np.unique(codes(model, place(raster)))) <= len(np.unique(patterns))
    assert len(np.unique(patterns[:, 0])) >= 0.95 * len(found)


def area(polygon):
    s, t = polygon.T
    return 0.5 * (s @ np.roll(t, -1) - t @ np.roll(s, -1))


def test_plane_cut_by_a_pool():
    lead = lambda x: jnp.max(x, axis=-1, keepdims=True)
    angles = jnp.arange(3.0) * (2 * jnp.pi / 3)
    model = nn.Chain(nn.Dense(jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)), lead, nn.relu)
    found = plane_regions(model)
    assert len(found) == 3
    assert sum(map(area, found.polygons)) == pytest.approx(4.0)
    assert found.per_site == {"max of layers[0]": 3, "layers[0]": 3}


def test_arrangement_of_lines_in_general_position():
    """A layer of n lines that all meet each other inside the square cuts it into 1 + n + n (n - 1) / 2 regions."""
    angles = jnp.linspace(0.1, 3.0, 7)
    weight = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
    model = nn.Chain(nn.Dense(weight, nn.relu, bias=0.02 * jnp.arange(7.0) ** 1.5), dense(0, 7, 2))
    assert len(plane_regions(model, bounds=(-9, 9, -9, 9))) == 1 + 7 + 21


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: line_regions(m, jnp.ones(2), jnp.ones(2)), ArgumentError, "got two equal inputs"),
        (lambda m: line_regions(m, jnp.ones(2), jnp.ones(3)), ShapeError, r"got shapes \(2,\) and \(3,\)"),
        (lambda m: line_regions(m, jnp.ones(3), jnp.zeros(3)), ShapeError, "a last dimension of 2"),
        (lambda m: line_regions(m[1:], jnp.ones(4), jnp.zeros(4)), ArgumentError, "without ReLU-like units"),
        (lambda m: plane_regions(m, jnp.ones(2)), ArgumentError, "got 1 of origin, u and v"),
        (lambda m: plane_regions(m, bounds=(1, -1, 0, 1)), ArgumentError, r"got bounds=\(1, -1, 0, 1\)"),
        (lambda m: plane_regions(m, jnp.ones(2), jnp.ones(2), jnp.ones(3)), ShapeError, "expected three equal shapes"),
        (lambda m: plane_regions(nn.Chain(m, nn.tanh)), ArgumentError, "plane_regions: got .*`tanh`"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call(network(2, 4, 2))


def test_not_finite():
    from argflux.errors import DataError

    with pytest.raises(DataError, match="got nan at"):
        line_regions(network(2, 4, 2), jnp.ones(2), jnp.array([jnp.nan, 0.0]))


def cones(weights):
    """Count the regions of units without biases on the plane, in float64: they are the cones between rays."""
    rays, count = np.arange(4) * np.pi / 2, 0
    for depth, weight in enumerate(weights):
        rays, found = np.sort(rays), []
        for start, end in zip(rays, np.append(rays[1:], rays[0] + 2 * np.pi), strict=True):
            middle, matrix = np.array([np.cos((start + end) / 2), np.sin((start + end) / 2)]), np.eye(2)
            for before in weights[:depth]:
                matrix = before @ matrix
                matrix = matrix * (matrix @ middle > 0)[:, None]
            a, b = (weight @ matrix).T
            angles = (np.arctan2(-a, b)[:, None] + np.pi * np.arange(-3, 6))[np.hypot(a, b) > 0]
            found += angles[(angles > start + 1e-12) & (angles < end - 1e-12)].tolist()
        rays, count = np.concatenate([rays, found]), count + len(found)
    return count


@pytest.mark.parametrize(
    ("hidden", "number", "regions"),
    [((16, 16), 0, 66), ((16, 16), 1, 64), ((16, 16), 2, 62), ((8, 8, 8), 0, 68), ((24, 24), 6, 98)],
)
def test_units_without_biases_make_cones_and_no_slivers(hidden, number, regions):
    keys = jax.random.split(jax.random.key(number), 9)
    pairs = zip((2, *hidden), (*hidden, 2), (*keys[: len(hidden)], keys[8]), strict=False)
    layers = [nn.Dense(i, o, nn.relu, key=k) for i, o, k in pairs][: len(hidden)]
    model = nn.Chain(*layers, nn.Dense(hidden[-1], 2, key=keys[8]))
    found = plane_regions(model)
    assert cones([np.asarray(layer.weight, np.float64) for layer in layers]) == regions
    assert len(found) == regions
    assert sum(map(area, found.polygons)) == pytest.approx(4.0)
    assert repr(found).startswith(f"PlaneRegions({regions} regions: ")
    assert len(repr(found)) < 100
