"""Widths that are inferred: the layers that can wait, in models of every kind, and what is said when they still do."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.training import Adam, save, setup
from tests.nn.layers import IdentitySkip

KEY = jax.random.key(3)
# name: (layer of a width, width, input)
ROWS = {
    "Dense": (lambda w: nn.Dense(w, 2, key=KEY), 3, (5, 3)),
    "Conv": (lambda w: nn.Conv((2, 2), w, 6, groups=2, key=KEY), 4, (5, 3, 3, 4)),
    "ConvTranspose": (lambda w: nn.ConvTranspose((2,), w, 6, groups=2, key=KEY), 4, (5, 3, 4)),
    "LayerNorm": (nn.LayerNorm, 3, (5, 3)),
    "BatchNorm": (nn.BatchNorm, 3, (5, 3)),
    "BatchNorm, statistics alone": (lambda w: nn.BatchNorm(w, affine=False), 3, (5, 3)),
    "BatchNorm in training": (lambda w: nn.trainmode(nn.BatchNorm(w)), 3, (5, 3)),
    "GroupNorm": (lambda w: nn.GroupNorm(w, 2), 4, (5, 3, 4)),
    "InstanceNorm": (lambda w: nn.InstanceNorm(w, affine=True, track=True), 3, (5, 4, 3)),
    "RNN": (lambda w: nn.RNN(w, 2, key=KEY), 3, (5, 4, 3)),
    "LSTM": (lambda w: nn.LSTM(w, 2, key=KEY), 3, (5, 4, 3)),
    "GRU": (lambda w: nn.GRU(w, 2, key=KEY), 3, (5, 4, 3)),
}


@pytest.mark.parametrize("name", ROWS)
def test_filled_it_is_the_layer_made_with_its_width(name):
    make, width, shape = ROWS[name]
    waiting = make(None)
    assert "?" in nn.label(waiting)
    filled = nn.infer(nn.Chain(waiting), (None, *shape[1:]))[0]
    expected = make(width)
    assert nn.label(filled) == nn.label(expected)
    for got, wanted in zip(jax.tree.leaves(filled), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", ROWS)
def test_unfilled_it_says_so(name):
    make, _, shape = ROWS[name]
    with pytest.raises(ArgumentError, match=r"got a width that is not known yet.*model = af\.infer\(model, x\)"):
        make(None)(jnp.ones(shape))


def test_through_other_peoples_layers():
    inner = nn.SkipConnection(nn.Chain(nn.Dense(None, 4), nn.Dense(None, 3)), jnp.add)
    m = nn.infer(nn.Chain(nn.Flatten(), IdentitySkip(inner), nn.Dense(None, 2)), jnp.ones((2, 3, 1)))
    assert [a.shape for _, a in nn.trainables(m)] == [(4, 3), (4,), (3, 4), (3,), (2, 3), (2,)]


def test_a_net_for_pictures():
    m = nn.Chain(nn.Conv((3, 3), None, 8, nn.relu), nn.MaxPool((2, 2)), nn.Flatten(), nn.Dense(None, 10))
    assert nn.infer(m, (None, 28, 28, 1))[3].weight.shape == (10, 13 * 13 * 8)
    assert m[3].weight.shape == (10, None)


def test_a_model_without_open_widths_is_returned():
    m = nn.Dense(3, 2)
    assert nn.infer(m, (None, 3)) is m


def test_misuse(tmp_path):
    m = nn.Chain(nn.Dense(None, 2))
    shared = nn.Dense(None, 3)
    with pytest.raises(ArgumentError, match=r"setup: got open widths at layers\[0\].weight; expected a model with all"):
        setup(Adam(), m)
    with pytest.raises(ArgumentError, match=r"got open widths at layers\[0\].weight"):
        save(tmp_path / "m.npz", m)
    with pytest.raises(ShapeError, match=r"Dense\(\? => 3\): got inputs of widths 2 and 3; expected one width"):
        nn.infer(nn.Chain(shared, shared), (None, 2))
    with pytest.raises(ArgumentError, match=r"infer: got spare\.weight not reached"):
        nn.infer(Spare(nn.Dense(2, 2), nn.Dense(None, 2)), (None, 2))
    with pytest.raises(ShapeError, match=r"infer: got str 'x'; expected a shape or an array"):
        nn.infer(m, "x")


class Spare(eqx.Module):
    """A layer that never calls one of its parts."""

    used: nn.Dense
    spare: nn.Dense

    def __call__(self, x):
        return self.used(x)


def test_outputsize_of_trees_and_several_inputs():
    both = nn.Parallel(tuple, nn.Dense(3, 2), nn.Dense(4, 5))
    assert nn.outputsize(both, (None, 3), (None, 4)) == ((None, 2), (None, 5))
    assert nn.outputsize(lambda x: x.reshape(-1, 1), (None, 3)) == (None, 1)
    assert nn.outputsize(nn.Embedding(5, 2), (4,), dtype=int) == (4, 2)
    with pytest.raises(DtypeError, match="dtype float32; expected integers"):
        nn.outputsize(nn.Embedding(5, 2), (4,))
