import math
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError
from argflux.patterns.design.meter import Meter
from tests.patterns.design.test_rows import conv


def key(number):
    return jax.random.key(number)


def network(seed=0, sizes=(64, 32, 16, 10)):
    keys = jax.random.split(key(seed), len(sizes) - 1)
    layers = [af.Dense(a, b, af.relu, key=k) for a, b, k in zip(sizes[:-2], sizes[1:-1], keys, strict=False)]
    return af.Chain(*layers, af.Dense(sizes[-2], sizes[-1], key=keys[-1]))


@pytest.fixture(scope="module")
def digits():
    return af.load_digits()


def design(model, x, **options):
    return af.design_weights(model, x, **{"key": key(1), "samples": 200, **options})


def same(left, right):
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_defaults_halve_the_zeros_and_keep_units_distinct(digits, seed):
    train, test = digits
    before = network(seed)
    after, report = design(before, train.x, key=key(seed), samples=500)
    for name, layer in zip(("layers[0]", "layers[1]"), report.layers, strict=True):
        assert (layer.name, layer.dead, layer.status) == (name, 0, {"optimal": layer.units})
        assert layer.zeros_after < layer.zeros_before / 2
        assert layer.distinct == layer.units
    counted = [af.count_zeros(model, train.x[:500]).total for model in (before, after)]
    unseen = [af.count_zeros(model, test.x).total for model in (before, after)]
    assert counted[1] < counted[0] / 2
    assert unseen[1] < unseen[0] / 2


def test_the_report_agrees_with_the_counts(digits):
    x = digits[0].x[:200]
    before = network()
    after, report = design(before, x)
    for model, zeros in ((before, report.zeros_before), (after, report.zeros_after)):
        counts = af.count_zeros(model, x)
        assert zeros == pytest.approx(counts.total / counts.size)
    assert report.observations == 200
    assert report.patterns_after <= report.patterns_before <= 200
    assert [layer.units for layer in report.layers] == [32, 16]
    assert [(layer.rows, layer.columns) for layer in report.layers] == [(200, 64), (200, 32)]
    text = str(report)
    assert "layers[1]" in text
    assert "32 optimal (simplex)" in text
    assert f"{report.zeros_before:.1%} → {report.zeros_after:.1%} zeros" in text


def test_the_model_given_and_its_last_layer_stay(digits):
    before = network()
    copy = jax.tree.map(jnp.array, before)
    after, _ = design(before, digits[0].x)
    assert same(before, copy)
    assert same(after[2], before[2])
    assert jax.tree.structure(after) == jax.tree.structure(before)
    assert [leaf.dtype for leaf in jax.tree.leaves(after)] == [leaf.dtype for leaf in jax.tree.leaves(before)]


def test_what_the_layers_pass_on_has_the_usual_size(digits):
    x = digits[0].x[:200]
    before = network()
    before_each, after_each = (af.preactivations(model, x).values() for model in (before, design(before, x)[0]))
    usual = [float((z * z).mean()) / 2 for z in before_each]
    passed = [float((af.relu(z) ** 2).mean()) for z in after_each]
    np.testing.assert_allclose(passed, usual, rtol=1e-3)


def test_the_variance_is_kept(digits):
    x = digits[0].x[:200]
    before = network()
    variances = lambda model: [float(z.var(axis=0).mean()) for z in af.preactivations(model, x).values()]
    np.testing.assert_allclose(variances(design(before, x, scale="variance")[0]), variances(before), rtol=1e-3)
    raw, report = design(before, x, scale=None)
    assert not np.allclose(variances(raw), variances(before), rtol=0.1)
    assert [layer.scale for layer in report.layers] == [1.0, 1.0]


def test_weights_stay_within_the_bound_of_their_initialiser(digits):
    before = network()
    after, _ = design(before, digits[0].x, scale=None)
    for old, new in zip(before[:2], after[:2], strict=True):
        bound = 3**0.5 * old.weight.std()
        assert abs(new.weight).max() <= bound * (1 + 1e-5)
        assert abs(new.bias).max() <= bound * (1 + 1e-5)
        assert (abs(new.weight) > bound * (1 - 1e-5)).mean() > 0.5


def test_trust_keeps_weights_near(digits):
    before = network()
    after, _ = design(before, digits[0].x, scale=None, trust=0.3, biases=False)
    for old, new in zip(before[:2], after[:2], strict=True):
        assert abs(new.weight - old.weight).max() <= 0.3 * 3**0.5 * old.weight.std() * (1 + 1e-5)


def test_balanced_weights_sum_to_zero(digits):
    after, report = design(network(), digits[0].x, balanced=True)
    np.testing.assert_allclose(after[0].weight.sum(1), 0, atol=1e-5)
    assert report.layers[0].zeros_after < report.layers[0].zeros_before / 2


def test_biases_are_left_out(digits):
    start = jnp.linspace(-0.1, 0.1, 32)
    before = af.Chain(af.Dense(64, 32, af.relu, key=key(0), bias=start), af.Dense(32, 2, key=key(1)))
    after, report = design(before, digits[0].x, biases=False)
    np.testing.assert_allclose(after[0].bias, start * report.layers[0].scale, rtol=1e-5)
    bare = af.Chain(af.Dense(64, 32, af.relu, key=key(0), bias=False), af.Dense(32, 2, key=key(1)))
    assert design(bare, digits[0].x)[0][0].bias is None


def test_patterns_are_minimised(digits):
    before = network()
    _, zeros = design(before, digits[0].x)
    after, patterns = design(before, digits[0].x, minimise="patterns", kappa=1.0)
    assert patterns.patterns_after < patterns.patterns_before / 2
    assert patterns.zeros_after > zeros.zeros_after
    mostly_on = (np.asarray(af.preactivations(before, digits[0].x)["layers[0]"]) > 0).mean(0) > 0.55
    now_on = (np.asarray(af.preactivations(after, digits[0].x)["layers[0]"]) > 0).mean(0)
    assert (now_on[mostly_on] > 0.8).all()
    assert (now_on < 0.2).sum() >= 8


def test_kappa_trades_zeros_for_distance(digits):
    shares = [design(network(), digits[0].x, kappa=kappa)[1].zeros_after for kappa in (0, 0.03, 0.3, 3.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.3
    assert shares[-1] < 0.02


def test_an_infinite_kappa_reaches_the_margin_on_every_sample(digits):
    x = digits[0].x[:200]
    before = network()
    _, report = design(before, x, kappa=math.inf, margin=0.5)
    assert report.zeros_after == 0
    assert report.patterns_after == 1
    assert all(layer.distinct == layer.units for layer in report.layers)
    with pytest.raises(ArgumentError) as caught:
        design(before, x, kappa=math.inf, margin=1e3)
    assert "design_weights layers[0]: got margin=1000, which 32 of 32 units cannot reach (0, 1, " in str(caught.value)
    largest = float(caught.value.expected.split()[2].rstrip(","))
    assert design(before[:1], x, kappa=math.inf, margin=largest)[1].zeros_after == 0
    with pytest.raises(ArgumentError, match="cannot reach"):
        design(before[:1], x, kappa=math.inf, margin=largest + 2e-4)


def test_a_margin_that_nothing_reaches():
    x = np.random.default_rng(0).standard_normal((200, 8)).astype("float32")
    for margin in (0.0, 0.1):
        with pytest.raises(ArgumentError, match="expected a reachable margin; pass a finite kappa, or biases=True"):
            design(network(sizes=(8, 6, 2)), x, kappa=math.inf, margin=margin, biases=False)


def test_the_first_order_method_is_near_the_vertices(digits):
    _, exact = design(network(), digits[0].x)
    _, near = design(network(), digits[0].x, solver="first-order")
    assert near.layers[0].method == "first-order"
    assert near.zeros_after == pytest.approx(exact.zeros_after, abs=0.03)


def test_the_key_decides_and_the_threads_do_not(digits):
    designs = [design(network(), digits[0].x, threads=threads)[0] for threads in (1, 2, 5)]
    assert same(designs[0], designs[1])
    assert same(designs[0], designs[2])
    assert not same(designs[0], design(network(), digits[0].x, key=key(7))[0])
    af.seed(3)
    first = af.design_weights(network(), digits[0].x, samples=100)[0]
    af.seed(3)
    assert same(first, af.design_weights(network(), digits[0].x, samples=100)[0])


def test_any_initialiser_is_a_start(digits):
    before = network()
    for init in (af.init.orthogonal, af.init.kaiming_normal, af.init.uniform, af.init.identity_init):
        _, report = design(before, digits[0].x, init=init)
        assert report.zeros_after < report.zeros_before / 2
        assert all(layer.distinct == layer.units for layer in report.layers)


def test_few_inputs_and_many_units():
    x, _ = af.make_moons(200, seed=0)
    _, report = design(network(sizes=(2, 16, 16, 1)), np.asarray(x))
    assert report.zeros_after < report.zeros_before / 2
    assert [layer.distinct for layer in report.layers] == [16, 16]


def test_convolutions(digits):
    images = digits[0].x.reshape(-1, 1, 8, 8)
    flat = lambda x: x.reshape(len(x), -1)
    m = af.Chain(conv(0, (6, 1, 3, 3)), conv(2, (4, 6, 3, 3), stride=2), flat, af.Dense(64, 10, key=key(0)))
    _, report = design(m, images)
    first, second = report.layers
    assert (first.rows, first.programmed, first.columns) == (200 * 64, 200, 9)
    assert (second.rows, second.columns) == (200 * 16, 54)
    assert report.zeros_after < report.zeros_before / 2
    assert (first.distinct, second.distinct) == (6, 4)


def test_skip_connections(digits):
    skip = af.SkipConnection(af.Dense(32, 32, key=key(2)), jnp.add)
    m = af.Chain(af.Dense(64, 32, af.relu, key=key(1)), skip, af.relu, af.Dense(32, 10, key=key(3)))
    after, report = design(m, digits[0].x)
    assert report.layers[1].name == "layers[1].layer"
    assert report.layers[1].zeros_after < report.layers[1].zeros_before / 2
    assert report.layers[1].scale == 1
    zeros = (after[:3](digits[0].x[:200]) == 0).mean()
    assert float(zeros) == pytest.approx(report.layers[1].zeros_after, abs=0.03)


def test_a_network_that_ends_in_a_relu_keeps_its_outputs_alive(digits):
    m = af.Chain(network()[0], af.Dense(32, 10, af.relu, key=key(4)))
    assert design(m, digits[0].x)[1].layers[1].dead == 0


@pytest.mark.slow
def test_designed_starts_train_at_least_as_well(digits):
    """Loss after two epochs of gradient descent, and accuracy in the end, over six starts."""
    train, test = digits
    loss = lambda model, x, y: af.logitcrossentropy(model(x), y)
    early, late = [], []
    for seed in range(6):
        usual = network(seed)
        models = [usual, design(usual, train.x, key=key(seed), samples=500)[0]]
        labels = af.onehotbatch(train.y, train.classes)
        for kept, epochs in ((early, 3), (late, 30)):
            data = af.DataLoader((train.x, labels), batchsize=64, shuffle=True)
            fitted = [af.train(loss, m, data, af.Descent(0.1), epochs=epochs, progress=False)[0] for m in models]
            kept.append([float(af.accuracy(m(test.x), test.y)) for m in fitted])
    early, late = np.mean(early, axis=0), np.mean(late, axis=0)
    assert early[1] > early[0] + 0.02
    assert late[1] > late[0] - 0.005


def test_ctrl_c_leaves_nothing_half_done(digits, monkeypatch):
    counted = []

    def interrupt(self, units):
        counted.append(units)
        if len(counted) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Meter, "advance", interrupt)
    before = network(sizes=(64, 2000, 10))
    copy = jax.tree.map(jnp.array, before)
    with pytest.raises(KeyboardInterrupt):
        design(before, digits[0].x)
    assert len(counted) < 1000
    assert same(before, copy)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kappa": -1}, "got kappa=-1; expected a number from 0 to infinity"),
        ({"kappa": math.nan}, "got kappa=nan; expected a number from 0 to infinity"),
        ({"kappa": "big"}, "got kappa='big'"),
        ({"margin": -0.1}, "got margin=-0.1; expected a finite number of at least 0"),
        ({"margin": math.inf}, "got margin=inf"),
        ({"minimise": "dead"}, "got minimise='dead'; expected 'zeros' or 'patterns'"),
        ({"trust": 0}, "got trust=0; expected None or a positive number"),
        ({"biases": "no"}, "got biases='no'; expected True or False"),
        ({"balanced": 2}, "got balanced=2"),
        ({"scale": "weights"}, "got scale='weights'; expected 'signal', 'variance' or None"),
        ({"samples": 0}, "got samples=0; expected a whole number of at least 1"),
        ({"solver": "ipm"}, "got solver='ipm'; expected 'auto', 'simplex' or 'first-order'"),
        ({"threads": 0}, "got threads=0"),
        ({"kappa": math.inf, "solver": "first-order"}, "got kappa=inf with solver='first-order'"),
    ],
)
def test_options_out_of_range(digits, options, message):
    with pytest.raises(ArgumentError, match=r"^design_weights: ") as caught:
        design(network(), digits[0].x, **options)
    assert message in str(caught.value)


def test_data_that_nothing_can_be_designed_for(digits):
    m, x = network(), digits[0].x
    with pytest.raises(DataError, match="at least one observation"):
        design(m, x[:0])
    with pytest.raises(DataError, match="got 50 observations that are all the same; expected data that varies"):
        design(m, np.ones((50, 64), "float32"))
    with pytest.raises(DataError, match="got 1 observations that are all the same"):
        design(m, x[:1])
    with pytest.raises(DataError, match=r"got nan at \[0, 2\]"):
        design(m, np.where(np.eye(9, 64, 2) > 0, np.nan, x[:9]).astype("float32"))
    with pytest.raises(ShapeError, match=r"layers\[0\] Dense\(64 => 32, relu\): got an input of shape"):
        design(m, x[:, :60])
    with pytest.raises(DtypeError, match="got data of dtype int"):
        design(m, np.ones((5, 64), int))


def test_models_that_nothing_can_be_designed_for(digits):
    x = digits[0].x
    with pytest.raises(ArgumentError, match="got a model without ReLU-like units"):
        design(af.Chain(af.Dense(64, 3, af.tanh, key=key(0))), x)
    zero = af.Chain(af.Dense(64, 3, af.relu, init=af.init.zeros))
    with pytest.raises(ArgumentError, match=r"layers\[0\]: got weights that are all equal; .* pass init="):
        design(zero, x)
    dead = af.Chain(af.Dense(64, 8, af.relu, bias=-1e3 * jnp.ones(8), key=key(0)), af.Dense(8, 3, af.relu, key=key(1)))
    with pytest.raises(DataError, match=r"layers\[1\]: got 200 rows on which no unit varies"):
        design(dead, x, biases=False)
