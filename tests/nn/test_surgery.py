"""replace_at, activations and tied arrays."""

import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.tree import tied_names


def chain():
    return nn.Chain(nn.Dense(3, 2, nn.relu), nn.SkipConnection(nn.Dense(2, 2), jnp.add), nn.Dense(2, 1, bias=False))


def test_an_array_changes_and_nothing_else():
    m = chain()
    new = nn.replace_at(m, "layers[1].layer.weight", np.eye(2, dtype=np.float32))
    np.testing.assert_array_equal(new[1].layer.weight, np.eye(2))
    assert new[0].weight is m[0].weight
    assert float(m[1].layer.weight[0, 1]) != 0


def test_a_layer_changes():
    new = nn.replace_at(chain(), "layers[1]", nn.Dense(2, 2, nn.tanh))
    assert nn.label(new[1]) == "Dense(2 => 2, tanh)"
    named = nn.replace_at(nn.Chain(enc=nn.Dense(3, 2)), "layers['enc'].bias", jnp.ones(2))
    assert named["enc"].bias.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("path", "value", "error", "message"),
    [
        ("layers[0].weigth", jnp.ones(2), ArgumentError, r"path 'layers\[0\]\.weigth'; expected.*layers\[0\]\.weight"),
        ("layers[0].weight", jnp.ones((3, 2)), ShapeError, r"layers\[0\]\.weight: got shape \(3, 2\); .*\(2, 3\)"),
        ("layers[0].bias", jnp.ones(2, int), DtypeError, "got dtype int32; expected dtype float32"),
        ("layers[0].bias", 1.0, DtypeError, r"got float 1\.0; expected an array"),
    ],
)
def test_misuse(path, value, error, message):
    with pytest.raises(error, match=message):
        nn.replace_at(chain(), path, value)


def test_activations_are_the_outputs_of_the_layers():
    m, x = chain(), jnp.ones((4, 3))
    outputs = nn.activations(m, x)
    assert len(outputs) == 3
    np.testing.assert_array_equal(outputs[1], m[1](m[0](x)))
    np.testing.assert_array_equal(outputs[2], m(x))
    with pytest.raises(DtypeError, match=r"activations: got Dense\(3 => 2\); expected a Chain"):
        nn.activations(nn.Dense(3, 2), x)


def test_tied_arrays_are_said():
    m = nn.Chain(nn.Dense(2, 2), nn.Dense(2, 2))
    tied = nn.replace_at(m, "layers[1].weight", m[0].weight)
    assert tied_names(tied) == [("layers[0].weight", "layers[1].weight")]
    assert nn.summary(tied).endswith("48 bytes. layers[0].weight and layers[1].weight are one array.")
    assert tied_names(m) == []
