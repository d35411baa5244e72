import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, DataError, ShapeError
from argflux.patterns import activation_pattern, count_patterns
from argflux.patterns.regions import chunks
from tests.patterns.networks import data, dense, network, normal


def test_bits_are_where_the_output_is_not_zero():
    model, x = network(3, 8, 6, last=nn.relu), normal(0, 20, 3)
    found = activation_pattern(model, x)
    hidden = model[0](x)
    np.testing.assert_array_equal(found["layers[0]"], hidden > 0)
    np.testing.assert_array_equal(found["layers[1]"], model[1](hidden) > 0)
    assert found["layers[0]"].dtype == bool


def test_pieces_of_units_with_several_corners():
    x = jnp.array([[-9.0, -0.5, 0.0, 0.5, 7.0]])
    pieces = {nn.relu6: [0, 0, 0, 1, 2], nn.hardtanh: [0, 1, 1, 1, 2], nn.softshrink: [0, 0, 1, 1, 2]}
    for activation, expected in pieces.items():
        (found,) = activation_pattern(nn.Chain(activation), x).values()
        assert found.tolist() == [expected]
        assert found.dtype == jnp.uint8


def test_pooling_picks_the_first_of_the_largest():
    model, x = data("conv and pool")
    found = activation_pattern(model, x)["max of layers[0]"]
    before = np.asarray(model[:2](x))
    assert found.dtype == jnp.int32
    for n, i, j, c in itertools.product(range(7), range(2), range(2), range(4)):
        window = before[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        assert window.flat[int(found[n, i, j, c])] == window.max()


@pytest.mark.parametrize("name", ["dense", "skips", "conv and pool"])
def test_compiled_and_mapped(name):
    model, x = data(name)
    alone = activation_pattern(model, x)
    for other in (
        jax.jit(lambda x: activation_pattern(model, x))(x),
        jax.vmap(lambda row: jax.tree.map(lambda bits: bits[0], activation_pattern(model, row[None])))(x),
    ):
        for site, pattern in alone.items():
            np.testing.assert_array_equal(other[site], pattern)


def brute_force(model, x):
    found = {name: np.asarray(bits).reshape(len(x), -1) for name, bits in activation_pattern(model, x).items()}
    rows = [b"".join(bits[i].tobytes() for bits in found.values()) for i in range(len(x))]
    pairs = list(itertools.combinations(range(len(x)), 2))
    hamming = {name: np.mean([(bits[i] != bits[j]).mean() for i, j in pairs]) for name, bits in found.items()}
    per_layer = {name: len({row.tobytes() for row in bits}) for name, bits in found.items()}
    return per_layer, rows, hamming


@pytest.mark.parametrize("name", ["dense", "relu6", "conv and pool"])
def test_counts_by_brute_force(name, monkeypatch):
    model, x = data(name, count=33)
    x = jnp.concatenate([x[:20], x[:13]])
    per_layer, rows, hamming = brute_force(model, x)
    for limit in (chunks.BYTES, 20_000):
        monkeypatch.setattr(chunks, "BYTES", limit)
        counts = count_patterns(model, x)
        assert counts.per_layer == per_layer
        assert counts.total == len(set(rows)) <= 20
        assert counts.largest == max(map(rows.count, rows))
        assert counts.hamming == pytest.approx(hamming, abs=1e-6)
        firsts = list(dict.fromkeys(rows))
        assert counts.codes.tolist() == [firsts.index(row) for row in rows]


def test_one_observation_and_equal_ones():
    model = network(3, 8, 2)
    assert count_patterns(model, jnp.ones((1, 3))).hamming == {"layers[0]": 0.0}
    counts = count_patterns(model, jnp.ones((9, 3)))
    assert (counts.total, counts.largest, counts.hamming) == (1, 9, {"layers[0]": 0.0})
    assert "1 patterns on 9 observations, 9 share the largest" in str(counts)
    assert count_patterns(model, normal(0, 3, 5, 3), batch_axes=2).observations == 15


@pytest.mark.parametrize(
    ("model", "x", "error", "message"),
    [
        (nn.Chain(dense(0, 3, 4)), jnp.ones((2, 3)), ArgumentError, "count_patterns: got a model without ReLU-like"),
        (network(3, 4, 2), jnp.ones((2, 5)), ShapeError, "expected .* a last dimension of 3"),
        (network(3, 4, 2), jnp.ones((0, 3)), DataError, "expected at least one observation"),
        (network(3, 4, 2), jnp.full((2, 3), jnp.inf), DataError, r"got inf at \[0, 0\]"),
    ],
)
def test_bad_input(model, x, error, message):
    with pytest.raises(error, match=message):
        count_patterns(model, x)


def test_bad_model():
    with pytest.raises(ArgumentError, match="activation_pattern: got a model without ReLU-like"):
        activation_pattern(nn.Chain(dense(0, 3, 4, nn.elu)), jnp.ones((2, 3)))
