import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError
from argflux.patterns import count_zeros
from argflux.patterns.regions import chunks
from tests.patterns.networks import NETWORKS, data, dense, network, normal


def outputs(model, x):
    """Return what each layer of a chain gives."""
    found = []
    for layer in model:
        x = layer(x)
        found.append(np.asarray(x))
    return found


def test_counts_as_the_document_does():
    model, x = network(4, 9, 5, 3, last=nn.relu), normal(0, 50, 4)
    counts = count_zeros(model, x)
    expected = [sum(entry.item() == 0 for entry in y.ravel()) for y in outputs(model, x)]
    assert counts.per_layer == {f"layers[{i}]": n for i, n in enumerate(expected)}
    assert counts.total == sum(expected)
    assert counts.size == 50 * 17
    assert all(type(n) is int for n in counts.per_layer.values())


def test_per_unit_dead_and_always_on():
    weight = jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    model = nn.Chain(nn.Dense(weight, nn.relu, bias=jnp.array([0.0, 0.0, 1.0, -1.0])))
    counts = count_zeros(model, jnp.array([[1.0, 0.0], [2.0, 0.0], [-1.0, 5.0], [0.0, 1.0]]))
    assert counts.per_unit["layers[0]"].tolist() == [2, 3, 0, 4]
    assert counts.dead["layers[0]"].tolist() == [False, False, False, True]
    assert counts.always_on["layers[0]"].tolist() == [False, False, True, False]
    assert counts.fractions["layers[0]"] == 9 / 16
    assert "of 4 units 1 dead, 1 always on" in str(counts)


@pytest.mark.parametrize("labels", [np.arange(50) % 3, np.array(["ant", "bee", "cat"])[np.arange(50) % 3]])
def test_per_class(labels):
    model, x = network(4, 9, 3, last=nn.relu), normal(0, 50, 4)
    counts = count_zeros(model, x, labels)
    assert counts.classes == tuple(np.unique(labels).tolist())
    assert counts.class_sizes.tolist() == [17, 17, 16]
    for name, y in zip(counts.per_class, outputs(model, x), strict=True):
        expected = np.stack([(y[labels == k] == 0).sum(axis=0) for k in counts.classes])
        np.testing.assert_array_equal(counts.per_class[name], expected)
        np.testing.assert_array_equal(counts.per_unit[name], expected.sum(axis=0))


@pytest.mark.parametrize("count", [1, 7, 64, 65])
def test_chunks_change_nothing(monkeypatch, count):
    model, x = network(4, 9, 3, last=nn.relu), np.asarray(normal(0, count, 4))
    labels = np.arange(count) % 2
    whole = count_zeros(model, x, labels)
    monkeypatch.setattr(chunks, "BYTES", 4 * 9 * 4 * 16)
    parts = count_zeros(model, x, labels)
    assert chunks.chunk_length(65, 4 * 9 * 4) == 13
    for name in whole.per_class:
        np.testing.assert_array_equal(parts.per_class[name], whole.per_class[name])


def test_any_batch_shape():
    model, x = network(4, 9, 3, last=nn.relu), normal(0, 3, 5, 4)
    counts = count_zeros(model, x, batch_axes=2)
    assert counts.observations == 15
    assert counts.per_layer == count_zeros(model, x.reshape(15, 4)).per_layer
    assert count_zeros(model, x, np.zeros((3, 5), int), batch_axes=2).class_sizes.tolist() == [15]
    assert count_zeros(model, x[0, 0], batch_axes=0).observations == 1


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network(name):
    model, x = data(name)
    counts = count_zeros(model, x)
    assert list(counts.per_unit) == NETWORKS[name][2]


def test_a_convolution_by_unit():
    model, x = data("conv and pool")
    counts = count_zeros(model, x)
    zeros = np.asarray(model[:2](x) == 0)
    np.testing.assert_array_equal(counts.per_unit["layers[0]"], zeros.sum(axis=0))


def test_zeros_of_other_units():
    x = jnp.array([[-7.0, -3.0, -0.2, 0.0, 0.5, 9.0]])
    for activation in (nn.relu6, nn.softshrink, nn.hardsigmoid, nn.leakyrelu, nn.trelu, nn.hardtanh, jnp.abs):
        counts = count_zeros(nn.Chain(activation), x)
        assert counts.total == int((activation(x) == 0).sum())


def test_zeros_of_a_learned_threshold():
    model, x = data("learned threshold")
    assert count_zeros(model, x).total == int((model[:2](x) == 0).sum()) > 0


def test_zeros_chosen_by_a_mask():
    model, x = data("parametric")
    assert count_zeros(model, x).total == 0
    kill = nn.Chain(dense(0, 3, 4), lambda z: jnp.where(z > 0, z + jnp.arange(4.0), 0.0))
    assert count_zeros(kill, x).total == int((kill(x) == 0).sum()) > 0


@pytest.mark.parametrize(
    ("model", "x", "options", "error", "message"),
    [
        (nn.Chain(dense(0, 3, 4)), np.ones((2, 3), "f"), {}, ArgumentError, "count_zeros: got a model without ReLU-"),
        (network(3, 4, 2), np.ones((2, 5), "f"), {}, ShapeError, "expected .* a last dimension of 3"),
        (network(3, 4, 2), np.ones((0, 3), "f"), {}, DataError, r"got data of shape \(0, 3\); expected at least one"),
        (network(3, 4, 2), np.ones((2, 3), int), {}, DtypeError, "got data of dtype int64; expected floating"),
        (network(3, 4, 2), np.ones(3, "f"), {}, ShapeError, "at least 2 axes, the first 1 for the observations"),
        (network(3, 4, 2), np.array([[1, 2, np.nan]], "f"), {}, DataError, r"count_zeros: got nan at \[0, 2\]"),
        (network(3, 4, 2), np.ones((2, 3), "f"), {"labels": [1]}, ShapeError, "labels of shape .* for 2 observations"),
        (network(3, 4, 2), np.ones((2, 3), "f"), {"labels": [1, np.nan]}, DataError, "labels that are not finite"),
        (network(3, 4, 2), np.ones((2, 3), "f"), {"batch_axes": -1}, ArgumentError, "got batch_axes=-1"),
    ],
)
def test_bad_input(model, x, options, error, message):
    with pytest.raises(error, match=message):
        count_zeros(model, x, **options)
