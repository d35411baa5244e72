import importlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError
from argflux.patterns import find_sites, preactivations
from tests.patterns.networks import NETWORKS, conv_network, data, dense, flat, network, normal

# every activation of the library, and what users write instead: the corners, and whether straight between them
CORNERS = {
    nn.relu: ((0.0,), True),
    nn.leakyrelu: ((0.0,), True),
    nn.relu6: ((0.0, 6.0), True),
    nn.trelu: ((1.0,), True),
    nn.hardtanh: ((-1.0, 1.0), True),
    nn.hardsigmoid: ((-3.0, 3.0), True),
    nn.softshrink: ((-0.5, 0.5), True),
    nn.hardswish: ((-3.0, 3.0), False),
    nn.selu: ((0.0,), False),
    jax.nn.relu: ((0.0,), True),
    jax.nn.relu6: ((0.0, 6.0), True),
    jax.nn.leaky_relu: ((0.0,), True),
    jax.nn.hard_tanh: ((-1.0, 1.0), True),
    jnp.abs: ((0.0,), True),
    jnp.sign: ((0.0,), True),
}
WRITTEN = {
    "maximum": (lambda x: jnp.maximum(x, 0), (0.0,)),
    "of two lines": (lambda x: jnp.maximum(x, 0.2 * x), (0.0,)),
    "clip": (lambda x: jnp.clip(x, -0.25, 2), (-0.25, 2.0)),
    "mask": (lambda x: x * (x > 0).astype(x.dtype), (0.0,)),
    "not below": (lambda x: jnp.where(x >= 0.5, x, 0.0), (0.5,)),
    "shifted": (lambda x: nn.relu(2 * x - 3), (1.5,)),
    "trelu": (lambda x: nn.trelu(x, theta=-0.75), (-0.75,)),
    "nested": (lambda x: nn.relu(1 - nn.relu(x)), (0.0, 1.0)),
    "checkpointed": (jax.checkpoint(nn.relu), (0.0,)),
    "jitted": (jax.jit(nn.relu), (0.0,)),
}
SMOOTH = [
    nn.celu, nn.elu, nn.gelu, nn.gelu_erf, nn.gelu_sigmoid, nn.gelu_tanh, nn.glu, nn.identity, nn.lisht, nn.logcosh,
    nn.logsigmoid, nn.logsoftmax, nn.mish, nn.sigmoid, nn.softmax, nn.softplus, nn.softsign, nn.swish, nn.tanh,
    nn.tanhshrink,
    lambda x: nn.logsumexp(x, keepdims=True),
]  # fmt: skip


def test_every_activation_has_a_row():
    activations = importlib.import_module("argflux.nn.activation")
    listed = {function.__name__ for function in [*CORNERS, *SMOOTH]} | {"logsumexp"}
    assert set(activations.__all__) <= listed


@pytest.mark.parametrize("activation", CORNERS, ids=lambda f: f"{f.__module__}.{f.__name__}")
def test_corners_of_activations(activation):
    (site,) = find_sites(nn.Chain(dense(0, 3, 4), activation), jnp.ones((5, 3))).found
    assert (site.corners, site.straight) == CORNERS[activation]
    assert (site.name, site.shape) == ("layers[0]", (5, 4))


@pytest.mark.parametrize("name", WRITTEN)
def test_corners_of_what_users_write(name):
    activation, corners = WRITTEN[name]
    (site,) = find_sites(nn.Chain(dense(0, 3, 4), activation, dense(1, 4, 2)), jnp.ones((5, 3))).found
    assert site.corners == corners
    assert site.straight


@pytest.mark.parametrize("activation", SMOOTH, ids=lambda f: f.__name__)
def test_smooth_activations_have_no_site(activation):
    assert not find_sites(nn.Chain(dense(0, 3, 4), activation), jnp.ones((5, 3))).found


@pytest.mark.parametrize("name", NETWORKS)
def test_names(name):
    model, x = data(name)
    found = preactivations(model, x)
    assert list(found) == NETWORKS[name][2]
    assert all(z.shape[0] == len(x) for z in found.values())


def test_values_are_what_the_units_are_given():
    model, x = data("dense")
    found = preactivations(model, x)
    first = x @ model[0].weight.T + model[0].bias
    second = jnp.maximum(first, 0) @ model[1].weight.T + model[1].bias
    np.testing.assert_allclose(found["layers[0]"], first, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["layers[1]"], second, rtol=1e-5, atol=1e-6)


def test_values_of_a_user_convolution():
    model, x = data("conv and pool")
    found = preactivations(model, x)
    np.testing.assert_allclose(found["layers[0]"], model[0](x), rtol=1e-5, atol=1e-6)
    pooled = flat(model[2](nn.relu(model[0](x))))
    np.testing.assert_allclose(found["layers[4]"], pooled @ model[4].weight.T + model[4].bias, rtol=1e-5, atol=1e-5)


def test_the_larger_of_two_arrays_is_a_maximum_and_no_unit():
    model, x = data("maxout")
    sites = find_sites(model, x)
    assert [site.name for site in sites.found] == ["max of layers[0].second", "layers[1]"]
    (values,) = sites.values(model, x, sites.found[:1])
    np.testing.assert_allclose(values[..., 0], model[0].first(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(values[..., 1], model[0].second(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool", [nn.MaxPool((2, 2)), nn.MaxPool((3, 3), stride=2, padding=1), nn.MaxPool((5, 5))])
def test_pools_of_ours_are_one_maximum(pool):
    model, x = nn.Chain(nn.Conv((3, 3), 2, 4, nn.relu, key=jax.random.key(0)), pool), normal(0, 3, 8, 8, 2)
    sites = find_sites(model, x)
    assert [site.name for site in sites.found] == ["layers[0]", "max of layers[0]"]
    (values,) = sites.values(model, x, sites.found[1:])
    assert values.shape[-1] == pool.window.size[0] ** 2
    np.testing.assert_array_equal(values.max(axis=-1), model(x))


def test_a_maximum_that_is_used_on_its_way_is_a_site_by_itself():
    def layer(x):
        first = jnp.maximum(x[:, :1], x[:, 1:2])
        return first + jnp.maximum(first, x[:, 2:3])

    sites = find_sites(nn.Chain(dense(0, 3, 4), layer), jnp.ones((5, 3)))
    assert [site.shape for site in sites.found] == [(5, 1, 2), (5, 1, 2)]


def test_a_learned_threshold():
    model, x = data("learned threshold")
    z = preactivations(model, x)["layers[0]"]
    np.testing.assert_allclose(z, model[0](x) - model[1].level, rtol=1e-5, atol=1e-6)


def test_a_pool_is_a_site_with_its_candidates_but_no_unit():
    model, x = data("conv and pool")
    sites = find_sites(model, x)
    assert [site.name for site in sites.found] == ["layers[0]", "max of layers[0]", "layers[4]"]
    pool = sites.found[1]
    assert not pool.is_unit
    assert pool.shape == (7, 2, 2, 4, 4)
    (values,) = sites.values(model, x, [pool])
    np.testing.assert_array_equal(values.max(axis=-1), model[2](nn.relu(model[0](x))))


def test_padded_and_overlapping_windows_and_whole_maxima():
    def pool(x):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")

    for act in (pool, lambda x: jnp.max(x, axis=(1, 2))):
        model, x = conv_network(act), normal(0, 3, 6, 6, 2)
        sites = find_sites(model, x)
        (values,) = sites.values(model, x, [sites.found[1]])
        np.testing.assert_array_equal(values.max(axis=-1), act(nn.relu(model[0](x))))


def test_under_vmap_over_models_and_under_jit():
    keys = jax.random.split(jax.random.key(0), 4)
    make = lambda key: nn.Chain(nn.Dense(3, 5, nn.relu, key=key), nn.Dense(5, 2, key=key))
    models, x = jax.vmap(make)(keys), normal(0, 6, 3)
    together = jax.jit(jax.vmap(lambda model: preactivations(model, x)))(models)
    for i, key in enumerate(keys):
        alone = preactivations(make(key), x)
        np.testing.assert_allclose(together["layers[0]"][i], alone["layers[0]"], rtol=1e-5, atol=1e-6)


def test_any_batch_shape_and_equinox_layers():
    model = eqx.nn.MLP(3, 2, 4, 1, key=jax.random.key(0))
    found = preactivations(eqx.filter_vmap(eqx.filter_vmap(model)), normal(0, 2, 6, 3))
    assert [z.shape for z in found.values()] == [(2, 6, 4)]
    assert preactivations(network(3, 4, 2), normal(0, 2, 6, 3))["layers[0]"].shape == (2, 6, 4)


def test_what_does_not_reach_the_output_is_no_site():
    def idle(x):
        nn.relu(x)
        return x

    assert not find_sites(nn.Chain(dense(0, 3, 4), idle), jnp.ones((5, 3))).found


@pytest.mark.parametrize("model", [nn.Chain(dense(0, 3, 4), nn.softmax), dense(0, 3, 4), nn.Chain(nn.elu)])
def test_no_units(model):
    message = r"preactivations: got a model without ReLU-like units; expected .*; put an activation such as relu"
    with pytest.raises(ArgumentError, match=message):
        preactivations(model, jnp.ones((2, 3)))


def test_float64(x64):
    model = nn.Chain(nn.Dense(jnp.ones((2, 3), jnp.float64), nn.leakyrelu))
    assert preactivations(model, jnp.ones((2, 3), jnp.float64))["layers[0]"].dtype == jnp.float64
