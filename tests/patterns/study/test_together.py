import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux import training
from argflux.patterns.study.families import FAMILIES
from argflux.patterns.study.together import Together

BATCHES, SIZE, STARTS = 5, 8, 3


class Scaled(eqx.Module):
    """A user's own layer, with an array that is not trained."""

    factor: jax.Array
    shift: jax.Array

    def __call__(self, x):
        return self.factor * x + self.shift.astype(x.dtype)


NETWORKS = {
    "dense": lambda: af.Chain(af.Dense(4, 6, af.relu), af.Dense(6, 3)),
    "named": lambda: af.Chain(one=af.Dense(4, 6, af.relu), two=af.Dense(6, 3)),
    "no bias": lambda: af.Chain(af.Dense(4, 6, bias=False), af.relu, af.Dense(6, 3, af.relu)),
    "skip": lambda: af.Chain(af.SkipConnection(af.Dense(4, 5, af.relu), af.cat), af.Dense(9, 3)),
    "own layer": lambda: af.Chain(af.Dense(4, 3, af.relu), Scaled(jnp.ones(3), jnp.arange(3))),
    "one layer": lambda: af.Chain(af.Dense(4, 3, af.relu)),
    "functions": lambda: af.Chain(af.Dense(4, 6), af.relu, af.Dense(6, 5), af.tanh, af.Dense(5, 3)),
    "a function of the rows' width": lambda: af.Chain(af.Dense(4, 6, lambda x: x / x.shape[-1]), af.Dense(6, 3)),
    "mixed": lambda: af.Chain(af.Dense(4, 6, af.relu), af.LayerNorm(6), af.Dense(6, 3)),
    "softmax": lambda: af.Chain(af.Dense(4, 5, af.softmax), af.Dense(5, 3)),
    "not a chain": lambda: af.Dense(4, 3, af.leakyrelu),
}
RULES = {
    "Descent": training.Descent(0.3),
    "Momentum": training.Momentum(0.1),
    "Adam": training.Adam(0.05),
    "clipped": training.OptimiserChain(training.ClipNorm(0.05), training.Descent(1.0)),
}


def batches():
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(BATCHES, SIZE, 4)), jnp.float32)
    return x, jax.nn.one_hot(jnp.asarray(rng.integers(3, size=(BATCHES, SIZE))), 3)


def prepared(network, rule):
    together = Together(network, af.logitcrossentropy, rule)
    starts = [FAMILIES["uniform"].draw(jax.random.key(i), network, None) for i in range(STARTS)]
    return together, starts, together.stack(starts)


def alone(start, rule, steps):
    x, y = batches()
    data = [(x[i % BATCHES], y[i % BATCHES]) for i in range(steps)]
    loss = lambda m, x, y: af.logitcrossentropy(m(x), y)
    return af.train(loss, start, data, rule, progress=False)


@pytest.mark.parametrize("name", NETWORKS)
def test_starts_train_as_each_would_alone(name):
    together, starts, stacked = prepared(NETWORKS[name](), RULES["Descent"])
    underway, losses = together.steps(together.begin(stacked), *batches(), 7)
    for i, start in enumerate(starts):
        trained, history = alone(start, RULES["Descent"], 7)
        for one, many in zip(together.split.take(trained)[0], underway.starts, strict=True):
            np.testing.assert_allclose(many[i], one, rtol=2e-5, atol=2e-6)
        assert float(losses[i]) == pytest.approx(float(np.sum(history.losses)), rel=1e-4)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_keeps_starts_apart(rule):
    together, starts, stacked = prepared(NETWORKS["dense"](), RULES[rule])
    underway, _ = together.steps(together.begin(stacked), *batches(), 6)
    for i, start in enumerate(starts):
        trained, _ = alone(start, RULES[rule], 6)
        for one, many in zip(together.split.take(trained)[0], underway.starts, strict=True):
            np.testing.assert_allclose(many[i], one, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("loss", [af.crossentropy, af.mse, lambda z, y: af.logitcrossentropy(z, y) + 0.1 * z[0, 0]])
def test_every_loss_sees_rows_and_classes(loss):
    network = af.Chain(af.Dense(4, 6, af.relu), af.Dense(6, 3, af.sigmoid))
    together = Together(network, loss, RULES["Descent"])
    starts = [FAMILIES["uniform"].draw(jax.random.key(i), network, None) for i in range(STARTS)]
    x, y = batches()
    underway, _ = together.steps(together.begin(together.stack(starts)), x, y, 4)
    for i, start in enumerate(starts):
        data = [(x[j], y[j]) for j in range(4)]
        trained, _ = af.train(lambda m, x, y: loss(m(x), y), start, data, RULES["Descent"], progress=False)
        for one, many in zip(together.split.take(trained)[0], underway.starts, strict=True):
            np.testing.assert_allclose(many[i], one, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("size", [1, 2, 8])
def test_groups_do_not_change_what_starts_learn(monkeypatch, size):
    together, _, stacked = prepared(NETWORKS["dense"](), RULES["Momentum"])
    whole, losses = together.steps(together.begin(stacked), *batches(), 4)
    monkeypatch.setattr("argflux.patterns.study.together.GROUP", size)
    again, same = Together(NETWORKS["dense"](), af.logitcrossentropy, RULES["Momentum"]).steps(
        together.begin(stacked), *batches(), 4
    )
    np.testing.assert_allclose(same, losses, rtol=1e-5)
    for one, two in zip(whole.starts, again.starts, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_steps_in_pieces_are_the_same_steps():
    together, _, stacked = prepared(NETWORKS["dense"](), RULES["Adam"])
    x, y = batches()
    whole, _ = together.steps(together.begin(stacked), x, y, 5)
    underway, _ = together.steps(together.begin(stacked), x, y, 2)
    underway, _ = together.steps(underway, x[2:], y[2:], 3)
    for one, two in zip(whole.starts, underway.starts, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_each_start(name):
    together, starts, stacked = prepared(NETWORKS[name](), RULES["Descent"])
    x = batches()[0][0]
    found = together.outputs(stacked, x)
    assert found.shape == (STARTS, SIZE, 3)
    for i, start in enumerate(starts):
        np.testing.assert_allclose(found[i], start(x), rtol=1e-5, atol=1e-6)


def test_scores_are_exact_over_rows_that_do_not_divide(monkeypatch):
    monkeypatch.setattr("argflux.patterns.study.together.ROWS_AT_ONCE", 7)
    together, starts, stacked = prepared(NETWORKS["dense"](), RULES["Descent"])
    x, y = (part.reshape(BATCHES * SIZE, -1) for part in batches())
    losses, right = together.score(stacked, x, y)
    for i, start in enumerate(starts):
        assert losses[i] == pytest.approx(float(af.logitcrossentropy(start(x), y)), rel=1e-5)
        assert right[i] == pytest.approx(float(af.accuracy(start(x), y)), abs=1e-6)


def test_outputs_that_are_no_numbers_are_wrong_answers():
    together, _, stacked = prepared(NETWORKS["dense"](), RULES["Descent"])
    x, y = (part[0] for part in batches())
    stacked[-1] = stacked[-1].at[1].set(jnp.nan)
    losses, right = together.score(stacked, x, y)
    assert right[1] == 0.0
    assert np.isnan(losses[1])
    assert np.isfinite(losses[[0, 2]]).all()


def test_the_starts_given_are_not_overwritten():
    together, _, stacked = prepared(NETWORKS["dense"](), RULES["Descent"])
    before = [np.array(array) for array in stacked]
    together.steps(together.begin(stacked), *batches(), 3)
    for array, kept in zip(stacked, before, strict=True):
        np.testing.assert_array_equal(array, kept)
