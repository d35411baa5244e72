import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.patterns import count_zeros
from argflux.patterns.study.measures import DM, DX, Measured, output_layer
from argflux.patterns.study.together import Together


def measured(model, x, seed=0):
    together = Together(model, af.logitcrossentropy, af.Descent(0.1))
    return Measured(together, x, seed).of(together.stack([model]))[0]


def model(last=af.identity):
    keys = jax.random.split(jax.random.key(1), 3)
    widths = [(4, 9, af.relu), (9, 5, af.relu), (5, 3, last)]
    return af.Chain(*(af.Dense(i, o, f, key=key) for (i, o, f), key in zip(widths, keys, strict=True)))


X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)


def test_zeros_are_those_counted_layer_by_layer():
    found, counts = measured(model(), X), count_zeros(model(), X)
    for name, share in counts.fractions.items():
        assert found[f"zeros in {name}"] == pytest.approx(share, abs=1e-6)
    assert found["zeros in hidden layers"] == pytest.approx(counts.total / counts.size, abs=1e-6)
    assert "zeros in the output" not in found


def test_the_output_is_kept_apart():
    found, counts = measured(model(af.relu), X), count_zeros(model(af.relu), X)
    assert found["zeros in the output"] == pytest.approx(counts.fractions["layers[2]"], abs=1e-6)
    hidden = [counts.per_layer[f"layers[{i}]"] for i in range(2)]
    assert found["zeros in hidden layers"] == pytest.approx(sum(hidden) / (50 * 14), abs=1e-6)
    assert "zeros in layers[2]" not in found


def test_dead_units_and_dead_outputs_are_counted():
    weight = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    dead = af.Dense(weight, af.relu, bias=jnp.array([0.0, 0.0, -1.0]))
    last = af.Dense(jnp.zeros((2, 3)), af.relu, bias=jnp.array([1.0, -1.0]))
    found = measured(af.Chain(dead, last), np.abs(X[:, :2]))
    assert found["dead hidden units"] == 1
    assert found["dead outputs"] == 1
    assert found["zeros in the output"] == 0.5


def test_distinct_patterns_are_counted():
    one = af.Chain(af.Dense(jnp.eye(2), af.relu), af.Dense(jnp.ones((2, 2))))
    x = np.array([[1, 1], [2, 3], [-1, 1], [-2, -3], [-1, -1], [5, 5], [1, -1], [1, 2]], np.float32)
    assert measured(one, x)["distinct patterns"] == 4 / 8


def test_l_gen_is_what_the_document_defines():
    together = Together(model(), af.logitcrossentropy, af.Descent(0.1))
    key, *keys = jax.random.split(jax.random.key(7), 1 + len(together.template))
    rms = lambda a: jnp.sqrt(jnp.mean(a * a))
    dx = DX * rms(X) * jax.random.normal(key, X.shape)
    noise = [a + DM * rms(a) * jax.random.normal(k, a.shape) for a, k in zip(together.template, keys, strict=True)]
    f, g = model(), together.network(noise)
    l_gen = (f(X) - g(X)) - (f(X + dx) - g(X + dx))
    expected = float(jnp.linalg.norm(l_gen, axis=1).mean())
    assert measured(model(), X, seed=7)["L_gen"] == pytest.approx(expected, abs=2e-6)


def test_many_starts_in_parts_are_measured_as_one_by_one(monkeypatch):
    together = Together(model(), af.logitcrossentropy, af.Descent(0.1))
    starts = together.stack([model(), jax.tree.map(lambda a: 2 * a, model()), jax.tree.map(jnp.negative, model())])
    whole = Measured(together, X).of(starts)
    monkeypatch.setattr("argflux.patterns.study.measures.HELD_AT_ONCE", 1)
    assert Measured(together, X).of(starts) == whole
    assert len({str(each) for each in whole}) == 3


def test_layers_in_a_skip_are_named():
    m = af.Chain(af.SkipConnection(af.Dense(4, 3, af.relu), af.cat), af.relu)
    assert output_layer(m) == "layers[0].layer"
