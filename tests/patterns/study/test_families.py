import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError
from argflux.patterns.study.families import FAMILIES, Family, designed_family, families_of, redraw
from tests.patterns.studies import network


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_draws_new_weights_of_the_same_shapes(name):
    before = network()
    one, same, other = (FAMILIES[name].draw(jax.random.key(i), before, None) for i in (1, 1, 2))
    assert jax.tree.map(jnp.shape, one) == jax.tree.map(jnp.shape, before)
    assert all(bool((a == b).all()) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(same), strict=True))
    for layer in range(3):
        assert not bool((one[layer].weight == other[layer].weight).any())
        assert one[layer].activation is before[layer].activation


SCALES = {
    "uniform": 1 / (3 * 400),
    "kaiming_uniform": 2 / 400,
    "kaiming_normal": 2 / 400,
    "glorot_uniform": 2 / 500,
    "glorot_normal": 2 / 500,
    "lecun_normal": 1 / 400,
    "orthogonal": 2 / 400,
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_the_variance_of_its_name(name):
    drawn = FAMILIES[name].draw(jax.random.key(0), nn.Dense(400, 100), None)
    assert float(jnp.var(drawn.weight)) == pytest.approx(SCALES[name], rel=0.05)


def test_only_uniform_draws_biases_and_from_their_own_layer():
    drawn = FAMILIES["uniform"].draw(jax.random.key(0), nn.Chain(nn.Dense(4, 500), nn.Dense(500, 500)), None)
    for layer, fan_in in ((drawn[0], 4), (drawn[1], 500)):
        bound = 1 / np.sqrt(fan_in)
        assert 0.95 * bound < float(jnp.abs(layer.bias).max()) <= bound
    assert not FAMILIES["orthogonal"].draw(jax.random.key(0), nn.Dense(4, 5, bias=jnp.ones(5)), None).bias.any()


def test_what_is_no_weight_stays():
    tree = {"scale": jnp.ones(3), "count": jnp.arange(2), "weight": jnp.ones((2, 3))}
    drawn = redraw(tree, jax.random.key(0), nn.initialisers.zeros)
    assert drawn["scale"].tolist() == [1, 1, 1]
    assert drawn["count"].tolist() == [0, 1]
    assert not drawn["weight"].any()


def test_names_objects_and_functions_are_families():
    own = Family("own", lambda key, m, x: m)
    assert [f.name for f in families_of(["orthogonal", "designed:0.5", own])] == ["orthogonal", "designed:0.5", "own"]
    assert families_of("uniform") == (FAMILIES["uniform"],)
    assert families_of({"mine": own.draw})[0].name == "mine"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["kaiming"], "families: got 'kaiming'; expected one of uniform, .*, or designed:KAPPA"),
        (["designed:x"], "families: got 'designed:x'; expected designed:KAPPA"),
        (["designed:-1"], "designed: got kappa=-1.0; expected a finite number, at least 0"),
        ([], "got no families; expected one or more"),
        (["uniform", "uniform"], "got families uniform, uniform; expected one or more, each once"),
    ],
)
def test_bad_families(given, message):
    with pytest.raises(ArgumentError, match=message):
        families_of(given)


def test_designed_starts_have_fewer_zeros():
    from argflux.patterns import count_zeros

    x = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    family = designed_family(1.0)
    assert not family.batched
    key = jax.random.key(3)
    after = family.draw(key, network(), x)
    before = redraw(network(), jax.random.split(key)[0], nn.initialisers.kaiming_normal)
    assert count_zeros(after, x).total < count_zeros(before, x).total
