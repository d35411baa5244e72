import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, ShapeError
from argflux.patterns import preactivations
from argflux.patterns.design.rows import by_unit, designable, redrawn, replaced, threshold, unit_rows


def key(number):
    return jax.random.key(number)


@dataclasses.dataclass
class Conv:
    """A convolution whose channels come first, as a user would write it."""

    weight: jax.Array
    bias: jax.Array
    stride: int = 1

    def __call__(self, x):
        y = jax.lax.conv_general_dilated(x, self.weight, (self.stride, self.stride), "SAME")
        return nn.relu(y + self.bias[:, None, None])


@dataclasses.dataclass
class Grouped:
    """Two groups of channels, which cannot be called with other numbers of outputs than a multiple of two."""

    weight: jax.Array

    def __call__(self, x):
        y = jax.lax.conv_general_dilated(x, self.weight, (1, 1), "VALID", feature_group_count=2)
        return nn.relu(y)


@dataclasses.dataclass
class Locally:
    """Multiplies a fixed projection of the input, and says so."""

    weight: jax.Array
    projection: jax.Array = dataclasses.field(metadata={"static": True})

    def patches(self, x):
        return x @ np.asarray(self.projection)

    def __call__(self, x):
        if len(self.weight) != 4:
            raise ValueError("four outputs only")
        return nn.relu(self.patches(x) @ self.weight.T)


@dataclasses.dataclass
class Normed:
    """Not linear in its weight."""

    weight: jax.Array

    def __call__(self, x):
        return nn.relu(x @ (self.weight / jnp.linalg.norm(self.weight)).T)


class Twice(eqx.Module):
    inner: nn.Dense

    def __call__(self, x):
        return jax.vmap(self.inner)(x)


def conv(number=0, shape=(5, 2, 3, 3), stride=1):
    weight, bias = jax.random.normal(key(number), shape), jax.random.normal(key(number + 1), shape[:1])
    return Conv(weight, bias, stride)


def dense(inputs, outputs, *rest, number=3):
    return nn.Dense(inputs, outputs, *rest, key=key(number), bias=jax.random.normal(key(number + 9), (outputs,)))


MODELS = {
    "dense": (lambda: nn.Chain(dense(6, 6, nn.relu), dense(6, 2)), "layers[0]", (7, 6)),
    "activation apart": (lambda: nn.Chain(dense(6, 4), nn.relu6, dense(4, 2)), "layers[0]", (7, 6)),
    "second": (lambda: nn.Chain(dense(6, 4, nn.relu), dense(4, 3, nn.leakyrelu)), "layers[1]", (7, 6)),
    "without bias": (lambda: nn.Chain(nn.Dense(6, 4, nn.relu, bias=False, key=key(1))), "layers[0]", (7, 6)),
    "named": (lambda: nn.Chain(first=dense(6, 4, nn.relu)), "layers['first']", (7, 6)),
    "alone": (lambda: dense(6, 4, nn.relu), "model", (7, 6)),
    "more axes": (lambda: nn.Chain(dense(6, 4, nn.relu)), "layers[0]", (7, 3, 6)),
    "skip": (
        lambda: nn.Chain(dense(6, 6, nn.relu), nn.SkipConnection(dense(6, 6, number=4), jnp.add), nn.relu),
        "layers[1].layer",
        (7, 6),
    ),
    "convolution": (lambda: nn.Chain(conv()), "layers[0]", (7, 2, 8, 8)),
    "stride": (lambda: nn.Chain(conv(stride=2), conv(2, (4, 5, 1, 1))), "layers[0]", (7, 2, 8, 8)),
    "after a convolution": (lambda: nn.Chain(conv(), conv(2, (45, 5, 3, 3))), "layers[1]", (3, 2, 8, 8)),
    "patches of its own": (
        lambda: nn.Chain(Locally(jax.random.normal(key(0), (4, 3)), np.eye(6, 3, dtype="float32"))),
        "layers[0]",
        (7, 6),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_rows_give_the_preactivations_for_every_weight(name):
    make, layer, shape = MODELS[name]
    model, x = make(), jax.random.normal(key(5), shape)
    assert layer in designable(model, x)
    found = unit_rows(model, layer, x)
    actual = by_unit(preactivations(model, x)[layer], found.channels)
    np.testing.assert_allclose(found.values, actual, atol=1e-4)
    assert found.offset.any() == (name == "skip")
    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal(found.weight.shape), rng.standard_normal(found.bias.shape) * found.biased
    moved = replaced(model, layer, weight, bias)
    expected = dataclasses.replace(found, weight=weight, bias=bias).values
    np.testing.assert_allclose(by_unit(preactivations(moved, x)[layer], found.channels), expected, atol=1e-4)
    assert jax.tree.structure(moved) == jax.tree.structure(model)


def test_the_rows_of_a_dense_layer_are_its_input():
    m, x = MODELS["second"][0](), jax.random.normal(key(5), (7, 6))
    np.testing.assert_allclose(unit_rows(m, "layers[1]", x).rows, m[0](x), rtol=1e-6)


def test_layers_without_units_are_not_designable():
    m = nn.Chain(dense(6, 6), dense(6, 4, nn.relu), dense(4, 3, nn.tanh), dense(3, 1))
    assert designable(m, jnp.ones((2, 6))) == ["layers[1]"]


@pytest.mark.parametrize(("activation", "corner"), [(nn.relu, 0.0), (nn.trelu, 1.0), (nn.hardtanh, -1.0)])
def test_threshold(activation, corner):
    assert threshold(nn.Chain(dense(6, 4, activation)), jnp.ones((2, 6)), "layers[0]") == corner


def test_networks_without_units():
    with pytest.raises(ArgumentError, match="got a model without ReLU-like units; expected units that are on or off"):
        designable(nn.Chain(dense(6, 4, nn.tanh)), jnp.ones((2, 6)))
    with pytest.raises(ArgumentError, match="got ReLU-like units at input only, where no layer has a weight"):
        designable(nn.Chain(nn.relu, dense(6, 4)), jnp.ones((2, 6)))


def test_layers_that_do_not_fit():
    x = jax.random.normal(key(5), (7, 6))
    with pytest.raises(ArgumentError, match=r"layers\[0\]: got a layer whose pre-activations are not linear"):
        unit_rows(nn.Chain(Normed(jax.random.normal(key(0), (4, 6)))), "layers[0]", x)
    with pytest.raises(ArgumentError, match=r"layers\[0\].inner: got Dense.* called inside vmap or jit"):
        unit_rows(nn.Chain(Twice(dense(6, 4, nn.relu))), "layers[0].inner", x)
    grouped = Grouped(jax.random.normal(key(0), (4, 1, 3, 3)))
    with pytest.raises(ArgumentError, match=r"fails with 9 outputs: .*give it a method patches\(x\)"):
        unit_rows(nn.Chain(grouped), "layers[0]", jax.random.normal(key(1), (3, 2, 6, 6)))
    narrow = Locally(jax.random.normal(key(0), (4, 3)), np.eye(6, 2, dtype="float32"))
    with pytest.raises(ShapeError, match=r"got patches of shape \(7, 2\); expected \(\.\.\., 3\)"):
        unit_rows(nn.Chain(narrow), "layers[0]", x)


def test_weights_are_drawn_anew():
    m = nn.Chain(dense(6, 4, nn.relu), dense(4, 4, nn.relu), dense(4, 1))
    drawn = redrawn(m, ["layers[0]", "layers[1]"], nn.initialisers.orthogonal, key(0))
    np.testing.assert_allclose(drawn[1].weight @ drawn[1].weight.T, np.eye(4), atol=1e-5)
    assert not np.allclose(drawn[0].weight[:, :4], drawn[1].weight)
    assert drawn[2].weight is m[2].weight
    np.testing.assert_array_equal(drawn[0].bias, m[0].bias)
    with pytest.raises(ShapeError, match=r"layers\[0\]: got an array of shape \(2,\) from init"):
        redrawn(m, ["layers[0]"], lambda key, shape, dtype: jnp.ones(2), key(0))
