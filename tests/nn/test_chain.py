"""Chain: indexing, names, where an error happened."""

import copy

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from argflux import nn
from argflux.errors import ArgumentError, DtypeError, ShapeError
from tests.nn.layers import IdentitySkip


@pytest.fixture
def m():
    return nn.Chain(nn.Dense(3, 4), nn.relu, nn.Dense(4, 2), nn.softmax)


@pytest.fixture
def named():
    return nn.Chain(enc=nn.Dense(3, 4), act=nn.relu, dec=nn.Dense(4, 3))


def test_applies_in_order():
    assert float(nn.Chain(lambda x: x + 1, lambda x: 2 * x)(3.0)) == 8.0


def test_positions(m):
    assert len(m) == 4
    assert m[1] is nn.relu
    assert m[-1] is nn.softmax
    assert list(m)[2] is m[2]
    with pytest.raises(IndexError):
        m[4]


def test_slice_is_a_chain(m, named):
    assert isinstance(m[1:3], nn.Chain)
    assert m[1:3][1] is m[2]
    assert named[1:].layers.names == ("act", "dec")
    assert named[1:]["dec"] is named["dec"]
    assert len(m[9:]) == 0


def test_names(named):
    assert named["enc"] is named[0]
    assert [name for name, _ in nn.trainables(named)] == [
        "layers['enc'].weight",
        "layers['enc'].bias",
        "layers['dec'].weight",
        "layers['dec'].bias",
    ]


def test_functions_are_no_leaves(m):
    assert len(jax.tree.leaves(m)) == 4
    assert jax.tree.map(jnp.zeros_like, m)[1] is nn.relu


def test_masks_keep_the_structure(m):
    mask = jax.tree.map(lambda _: True, m)
    assert jax.tree.structure(mask) == jax.tree.structure(m)
    assert jax.tree.structure(jax.tree.map(lambda a: a, m)) == jax.tree.structure(m)


def test_equal_chains_share_one_compilation(m):
    traces = []
    apply = jax.jit(lambda m, x: (traces.append(1), m(x))[1])
    apply(m, jnp.ones((1, 3)))
    apply(jax.tree.map(lambda a: a + 1, m), jnp.ones((1, 3)))
    apply(nn.Chain(nn.Dense(3, 4), nn.relu, nn.Dense(4, 2), nn.softmax), jnp.ones((1, 3)))
    assert len(traces) == 1
    apply(nn.Chain(nn.Dense(3, 4), nn.tanh, nn.Dense(4, 2), nn.softmax), jnp.ones((1, 3)))
    assert len(traces) == 2


def test_equinox_surgery(m):
    zeroed = eqx.tree_at(lambda m: m.layers[0].weight, m, jnp.zeros((4, 3)))
    assert not zeroed[0].weight.any()
    swapped = eqx.tree_at(lambda m: m.layers[2], m, nn.Dense(4, 7))
    assert swapped(jnp.ones((1, 3))).shape == (1, 7)
    arrays, rest = eqx.partition(m, eqx.is_array)
    assert eqx.combine(arrays, rest)(jnp.ones((1, 3))).shape == (1, 2)


def test_deep_copy_keeps_names(named):
    assert copy.deepcopy(named)["dec"].weight.shape == (3, 4)


@pytest.mark.parametrize(
    ("chain", "x", "where"),
    [
        (lambda: nn.Chain(nn.Dense(3, 4), nn.relu, nn.Dense(5, 2)), jnp.ones((1, 3)), r"layers\[2\] Dense\(5 => 2\)"),
        (lambda: nn.Chain(enc=nn.Dense(5, 2)), jnp.ones((1, 3)), r"layers\['enc'\] Dense\(5 => 2\)"),
        (
            lambda: nn.Chain(nn.tanh, nn.Chain(nn.relu, nn.Dense(5, 2))),
            jnp.ones((1, 3)),
            r"layers\[1\]\.layers\[1\] Dense\(5 => 2\)",
        ),
        (lambda: nn.Chain(IdentitySkip(nn.Dense(5, 5))), jnp.ones((1, 3)), r"layers\[0\] Dense\(5 => 5\)"),
    ],
)
def test_error_says_which_layer(chain, x, where):
    with pytest.raises(ShapeError, match=rf"^{where}: got an input of shape \(1, \d\)"):
        chain()(x)


def test_error_of_another_kind_carries_a_note():
    def broken(x):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError) as caught:
        nn.Chain(nn.relu, broken)(jnp.ones(3))
    assert caught.value.__notes__ == ["in layers[1], broken"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Chain(nn.relu, act=nn.relu), ArgumentError, "1 layers without a name and act; expected names"),
        (lambda: nn.Chain(nn.relu, 3), DtypeError, r"Chain layers\[1\]: got int 3; expected something callable"),
        (lambda: nn.Chain([nn.relu]), DtypeError, r"Chain layers\[0\]: got list"),
        (lambda: nn.Chain(nn.Dense), DtypeError, r"got the class Dense; expected a layer; make one: Dense\("),
        (lambda: nn.Chain(enc=nn.relu)["dec"], ArgumentError, "Chain: got name 'dec'; expected 'enc'; index with"),
        (lambda: nn.Chain(nn.relu)["dec"], ArgumentError, "expected positions only, as no layer has a name"),
    ],
)
def test_misuse(make, error, message):
    with pytest.raises(error, match=message):
        make()
