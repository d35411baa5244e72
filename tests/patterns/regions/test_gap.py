import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, ShapeError
from argflux.patterns import activation_pattern, gap_identity, generalisation_gap, local_affine_map
from tests.patterns.networks import data, dense, network, normal


def change(model, scale, seed=0):
    leaves, treedef = jax.tree.flatten(model)
    rng = np.random.default_rng(seed)
    return treedef.unflatten([jnp.asarray(scale * rng.normal(size=w.shape), w.dtype) for w in leaves])


def test_gap_by_hand():
    model, x = network(3, 5, 2), normal(0, 6, 3)
    dx, dm = normal(1, 6, 3, scale=0.1), change(network(3, 5, 2), 0.1)
    other = jax.tree.map(jnp.add, model, dm)
    expected = (model(x) - other(x)) - (model(x + dx) - other(x + dx))
    np.testing.assert_allclose(generalisation_gap(model, x, dx, dm), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["dense", "relu last", "skips", "scan", "maxout", "conv and pool"])
def test_identity_where_no_unit_flips(name, x64):
    model, x = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), data(name, count=12))
    found = gap_identity(model, x, 1e-3, change(model, 1e-3))
    same = np.asarray(found.same_pattern)
    assert same.sum() >= 3
    np.testing.assert_allclose(found.gap[same], found.predicted[same], rtol=1e-6, atol=1e-13)
    assert np.abs(found.gap[same]).max() > 1e-7


def test_identity_fails_where_units_flip():
    model, x = network(3, 8, 6, 2), normal(0, 40, 3)
    found = gap_identity(model, x, normal(1, 40, 3), change(model, 0.3))
    flipped = ~np.asarray(found.same_pattern)
    assert flipped.sum() > 20
    assert (np.abs(found.gap - found.predicted)[flipped].max(axis=1) > 1e-3).mean() > 0.9


def test_predicted_is_the_change_of_the_affine_map():
    model, x = network(3, 8, 2), normal(0, 1, 3)
    dx, dm = normal(1, 1, 3, scale=1e-3), change(network(3, 8, 2), 1e-3)
    found = gap_identity(model, x, dx, dm)
    before, after = (local_affine_map(m, x[0])[0] for m in (model, jax.tree.map(jnp.add, model, dm)))
    np.testing.assert_allclose(found.predicted[0], (after - before) @ dx[0], rtol=1e-2, atol=1e-8)


def test_same_pattern_says_what_the_patterns_say():
    model, x = network(3, 8, 6, 2), normal(0, 40, 3)
    dx, dm = normal(1, 40, 3, scale=0.05), change(model, 0.02)
    places = [(m, p) for m in (model, jax.tree.map(jnp.add, model, dm)) for p in (x, x + dx)]
    patterns = [jnp.concatenate(list(activation_pattern(*place).values()), axis=1) for place in places]
    expected = np.all([(p == patterns[0]).all(axis=1) for p in patterns], axis=0)
    np.testing.assert_array_equal(gap_identity(model, x, dx, dm).same_pattern, expected)
    assert 0 < expected.sum() < 40


def test_none_changes_nothing_as_in_a_gradient():
    model, x = network(3, 5, 2), normal(0, 6, 3)
    dm = jax.tree.map(lambda w: None, model)
    assert not generalisation_gap(model, x, 0.1, dm).any()


@pytest.mark.parametrize(
    ("dx", "dm", "error", "message"),
    [
        (jnp.ones((6, 4)), None, ShapeError, r"got dx of shape \(6, 4\) for x of \(6, 3\); expected \(6, 3\)"),
        (jnp.ones((2, 3)), None, ShapeError, r"got dx of shape \(2, 3\) for x of \(6, 3\)"),
        (jnp.ones((2, 6, 3)), None, ShapeError, r"got dx of shape \(2, 6, 3\) for x of \(6, 3\)"),
        (0.1, [1.0], ArgumentError, "got dm of type list; expected a tree like the model"),
        (0.1, network(3, 4, 2), ShapeError, r"a change of shape \(4, 3\) at layers\[0\].weight; expected \(5, 3\)"),
    ],
)
def test_bad_input(dx, dm, error, message):
    model = network(3, 5, 2)
    with pytest.raises(error, match=message):
        generalisation_gap(model, jnp.ones((6, 3)), dx, change(model, 0.1) if dm is None else dm)


def test_a_smooth_model_has_a_gap_but_no_identity():
    model = nn.Chain(dense(0, 3, 4, nn.tanh), dense(1, 4, 2, nn.relu))
    dm = change(model, 0.1)
    assert generalisation_gap(model, normal(0, 6, 3), 0.1, dm).shape == (6, 2)
    with pytest.raises(ArgumentError, match=r"gap_identity: got .*`tanh` at"):
        gap_identity(model, normal(0, 6, 3), 0.1, dm)
