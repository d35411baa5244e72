import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from argflux import nn
from argflux.errors import ArgumentError, ShapeError
from argflux.patterns import activation_pattern, local_affine_map, region_radius
from tests.patterns.networks import NETWORKS, data, dense, network, normal


def same_pattern(model, x, other):
    first, second = activation_pattern(model, x[None]), activation_pattern(model, other[None])
    return all(bool((first[name] == second[name]).all()) for name in first)


def directions(shape, count, norm):
    d = np.random.default_rng(0).normal(size=(count, *shape))
    if norm == 2:
        return d / np.sqrt((d**2).reshape(count, -1).sum(1)).reshape(count, *[1] * len(shape))
    return np.sign(d)


@pytest.mark.parametrize("name", NETWORKS)
def test_affine_map_holds_within_the_radius_and_the_pattern_changes_beyond_it(name):
    """A check by sampling: inside the radius all is one affine map; a little beyond it, somewhere, a unit flips."""
    model, x = data(name, count=1)
    x = x[0]
    A, c = local_affine_map(model, x)
    radius = float(region_radius(model, x))
    assert 0 < radius < 100
    for direction in directions(x.shape, 10, 2):
        other = x + jnp.asarray(0.99 * radius * direction, jnp.float32)
        assert same_pattern(model, x, other)
        expected = np.tensordot(A, other, x.ndim) + c
        np.testing.assert_allclose(model(other[None])[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", [2, math.inf])
@pytest.mark.parametrize("name", ["dense", "hardtanh", "maxout", "conv and pool"])
def test_the_radius_is_reached(name, norm):
    """Move against the corner that is nearest: at 0.999 of the radius nothing has changed, at 1.001 something has."""
    model, x = data(name, count=1)
    x = x[0]
    radius = float(region_radius(model, x, norm=norm))
    changed = False
    for site_direction in nearest_directions(model, x, norm, radius):
        inside, outside = (x + jnp.asarray(k * radius * site_direction, jnp.float32) for k in (0.999, 1.001))
        assert same_pattern(model, x, inside)
        changed = changed or not same_pattern(model, x, outside)
    assert changed


def nearest_directions(model, x, norm, radius):
    """Yield the steps of length 1 towards the corners that lie at the radius, by JAX's own derivatives."""
    from argflux.patterns.regions.affine import slacks
    from argflux.patterns.sites.sites import find_sites

    sites = find_sites(model, x[None])
    value, slopes = slacks(sites, model, x[None]), jax.jacobian(lambda x: slacks(sites, model, x[None]))(x)
    slopes = np.asarray(slopes).reshape(len(value), -1)
    for z, w in zip(np.asarray(value), slopes, strict=True):
        length = np.linalg.norm(w) if norm == 2 else np.abs(w).sum()
        if length > 0 and math.isfinite(z) and abs(z) / length <= radius * 1.0001:
            step = w / length if norm == 2 else np.sign(w)
            yield (-np.sign(z) * step).reshape(x.shape)


def test_radius_in_the_larger_norm_is_smaller():
    model, x = data("dense")
    ball, cube = (region_radius(model, x, norm=norm, batch_axes=1) for norm in (2, math.inf))
    assert ball.shape == (7,)
    assert (cube <= ball + 1e-6).all()
    assert (cube >= ball / 3**0.5 - 1e-6).all()


def test_radius_of_a_batch_of_any_shape():
    model, x = network(3, 8, 2), normal(0, 2, 5, 3)
    radii = region_radius(model, x, batch_axes=2)
    assert radii.shape == (2, 5)
    assert float(radii[1, 2]) == pytest.approx(float(region_radius(model, x[1, 2])), rel=1e-5)


def test_maps_of_many_by_vmap():
    model, x = data("skips")
    A, c = jax.vmap(lambda x: local_affine_map(model, x))(x)
    np.testing.assert_allclose(jnp.einsum("noi,ni->no", A, x) + c, model(x), rtol=1e-4, atol=1e-5)


def test_units_that_nothing_moves_do_not_count():
    model = nn.Chain(
        nn.Dense(jnp.array([[1.0, 0.0], [0.0, 0.0]]), nn.relu, bias=jnp.array([5.0, 0.0])), dense(0, 2, 2, nn.relu)
    )
    assert math.isfinite(float(region_radius(model, jnp.array([1.0, 1.0]))))
    constant = nn.Chain(nn.Dense(jnp.zeros((2, 2)), nn.relu))
    assert float(region_radius(constant, jnp.ones(2))) == math.inf


def test_ties_of_dead_candidates_do_not_count():
    pool = lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2), (1, 2), "VALID")
    weight = jnp.array([[1.0], [1.0], [1.0], [1.0]])
    model = nn.Chain(nn.Dense(weight, nn.relu, bias=jnp.array([-5.0, -7.0, 1.0, 3.0])), pool)
    assert float(region_radius(model, jnp.array([0.0]))) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (nn.Chain(dense(0, 3, 4, nn.relu), nn.softmax), "`exp`|`div`"),
        (nn.Chain(dense(0, 3, 4, nn.tanh), dense(1, 4, 2, nn.relu)), "`tanh`"),
        (nn.Chain(dense(0, 3, 4, nn.relu), lambda x: x * x[..., ::-1]), "`mul`"),
        (nn.Chain(dense(0, 3, 4, nn.relu), jnp.square), "not straight"),
        (nn.Chain(dense(0, 3, 4, nn.selu)), "not straight"),
        (nn.Chain(dense(0, 3, 4, nn.hardswish)), "not straight"),
        (nn.Chain(dense(0, 3, 4, nn.relu), lambda x: jnp.sort(x, -1)), "`sort`"),
        (nn.Chain(dense(0, 3, 4, nn.relu), lambda x: jnp.floor(x)), "not straight"),
        (nn.Chain(dense(0, 3, 4, nn.relu), lax.stop_gradient), "`stop_gradient`"),
        (nn.Chain(dense(0, 3, 4, nn.relu), lambda x: x / jnp.sum(x, -1, keepdims=True)), "`div`"),
    ],
)
def test_what_is_not_affine_is_named(model, named):
    for function in (local_affine_map, region_radius):
        with pytest.raises(ArgumentError, match=f"{function.__name__}: got .*({named})"):
            function(model, jnp.ones(3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: region_radius(m, jnp.ones(3), norm=1), ArgumentError, "got norm=1; expected 2 or infinity"),
        (lambda m: region_radius(m, jnp.ones(4)), ShapeError, "expected .* a last dimension of 3"),
        (lambda m: local_affine_map(m, jnp.ones(4)), ShapeError, "expected .* a last dimension of 3"),
        (lambda m: region_radius(m, jnp.ones(3), batch_axes=1), ShapeError, "at least 2 axes"),
        (lambda m: region_radius(m[1:], jnp.ones(8)), ArgumentError, "without ReLU-like units"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call(network(3, 8, 2))
