"""Train and test behaviour: automatic, by hand, and what travels with it."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux import nn
from argflux.errors import ArgumentError, ShapeError


def network(key=0):
    nn.seed(key)
    return nn.Chain(nn.Dense(3, 4), nn.BatchNorm(4, nn.relu), nn.Dropout(0.5), nn.Dense(4, 1))


X = jax.random.normal(jax.random.key(1), (8, 3)) * 2.0 + 1.0


def mean_output(model, x):
    return jnp.mean(model(x) ** 2)


def test_outside_training_every_example_stands_for_itself():
    model = network()
    together = model(X)
    np.testing.assert_allclose(jnp.stack([model(x[None])[0] for x in X]), together, rtol=1e-6)
    np.testing.assert_array_equal(nn.testmode(model)(X), together)


def test_withstate_trains_records_and_draws():
    model = network()
    (first, after), (second, _) = (nn.withstate(mean_output)(model, X, key=jax.random.key(i)) for i in (0, 1))
    again, _ = nn.withstate(mean_output)(model, X, key=jax.random.key(0))
    assert first == again
    assert first != second
    before = model[0](X)
    np.testing.assert_allclose(after[1].mean.value, 0.1 * before.mean(0), rtol=1e-5)
    np.testing.assert_allclose(after[1].variance.value, 0.9 + 0.1 * before.var(0, ddof=1), rtol=1e-5)
    assert float(jnp.abs(model[1].mean.value).max()) == 0.0


def test_withstate_inside_a_gradient_under_jit():
    model = network()

    @jax.jit
    def step(model, key):
        loss = lambda m, x: nn.withstate(mean_output)(m, x, key=key)
        (value, after), (grads,) = af.withgradient(lambda m: loss(m, X), model, has_aux=True)
        return value, after, grads

    value, after, grads = step(model, jax.random.key(0))
    expected, same = nn.withstate(mean_output)(model, X, key=jax.random.key(0))
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(after[1].mean.value, same[1].mean.value, rtol=1e-6, atol=1e-7)
    assert float(jnp.abs(grads[0].weight).max()) > 0
    assert float(jnp.abs(grads[1].mean.value).max()) == 0.0


def test_a_layer_used_twice_records_twice():
    norm = nn.BatchNorm(3)
    _, after = nn.withstate(lambda m, x: m(x) + m(2 * x))(norm, X)
    once = 0.1 * X.mean(0)
    np.testing.assert_allclose(after.mean.value, 0.9 * once + 0.1 * 2 * X.mean(0), rtol=1e-5)


def test_train_uses_training_behaviour_and_returns_the_statistics():
    model = network()
    data = [(X, jnp.zeros((8, 1)))]
    loss = lambda m, x, y: nn.mse(m(x), y)
    trained, history = af.train(loss, model, data, af.Descent(0.0), epochs=200, key=jax.random.key(0))
    assert len(set(history.losses.tolist())) > 20  # another mask at every step
    hidden = model[0](X)
    np.testing.assert_allclose(trained[1].mean.value, hidden.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(trained[1].variance.value, hidden.var(0, ddof=1), rtol=1e-4)
    assert float(model[1].variance.value[0]) == 1.0
    _, same = af.train(loss, model, data, af.Descent(0.0), epochs=200, key=jax.random.key(0))
    np.testing.assert_array_equal(history.losses, same.losses)
    _, other = af.train(loss, model, data, af.Descent(0.0), epochs=200, key=jax.random.key(1))
    assert history.losses[0] != other.losses[0]


def test_seed_repeats_a_run_and_a_second_run_differs():
    model, data = network(), [(X, jnp.zeros((8, 1)))]
    loss = lambda m, x, y: nn.mse(m(x), y)
    run = lambda: af.train(loss, model, data, af.Descent(0.01), epochs=3)[1].losses.tolist()
    nn.seed(5)
    first, second = run(), run()
    nn.seed(5)
    assert run() == first
    assert first != second


def test_chunks_of_steps_do_not_change_masks_or_statistics():
    """A callback after each epoch makes the run stop and be made again at other places."""
    model, data = network(), [(X, jnp.zeros((8, 1)))] * 3
    loss = lambda m, x, y: nn.mse(m(x), y)
    straight, a = af.train(loss, model, data, af.Adam(0.01), epochs=10, key=jax.random.key(3))
    stopped, b = af.train(
        loss, model, data, af.Adam(0.01), epochs=10, key=jax.random.key(3), until=lambda r: r.epoch == 10
    )
    np.testing.assert_array_equal(a.losses, b.losses)
    np.testing.assert_array_equal(straight[1].mean.value, stopped[1].mean.value)


def test_a_resumed_run_is_the_run_that_was_never_stopped(tmp_path):
    model, data = network(), [(X, jnp.zeros((8, 1)))]
    loss = lambda m, x, y: nn.mse(m(x), y)
    whole, straight = af.train(loss, model, data, af.Adam(0.01), epochs=6, key=jax.random.key(3))
    place = tmp_path / "run.safetensors"
    af.train(loss, model, data, af.Adam(0.01), epochs=2, key=jax.random.key(3), checkpoint=place)
    resumed, history = af.train(loss, model, data, af.Adam(0.01), epochs=6, checkpoint=place, resume=True)
    np.testing.assert_array_equal(history.losses, straight.losses)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_validation_is_measured_in_test_behaviour():
    model = network()
    _, history = af.train(
        lambda m, x, y: nn.mse(m(x), y),
        model,
        [(X, jnp.zeros((8, 1)))],
        af.Descent(0.0),
        validation=(X, jnp.zeros((8, 1))),
        metrics={"same": lambda m, x, y: float(jnp.all(m(x) == nn.testmode(m)(x)))},
    )
    assert history[-1].metrics["same"] == 1.0


def test_jax_own_gradient_serves_too():
    model, data = network(), [(X, jnp.zeros((8, 1)))]
    loss = lambda m, x, y: nn.mse(m(x), y)
    ours, a = af.train(loss, model, data, af.Descent(0.1), epochs=3, key=jax.random.key(0))
    theirs, b = af.train(
        loss, model, data, af.Descent(0.1), epochs=3, key=jax.random.key(0), gradient=jax.value_and_grad
    )
    np.testing.assert_allclose(a.losses, b.losses, rtol=1e-5)
    np.testing.assert_allclose(ours[1].variance.value, theirs[1].variance.value, rtol=1e-5)


def test_statistics_are_not_trained_counted_or_moved_but_saved(tmp_path):
    model = network()
    names = [name for name, _ in nn.trainables(model)]
    assert names == [
        "layers[0].weight",
        "layers[0].bias",
        "layers[1].scale",
        "layers[1].bias",
        "layers[3].weight",
        "layers[3].bias",
    ]
    assert list(af.params(model).names) == names
    vector, rebuild = nn.destructure(model)
    assert vector.size == 16 + 8 + 5
    assert float(rebuild(vector + 1.0)[1].variance.value[0]) == 1.0
    assert "plus 2 arrays not trained" in nn.summary(model)
    _, after = nn.withstate(mean_output)(model, X, key=jax.random.key(0))
    af.save(tmp_path / "m.safetensors", after)
    loaded = af.load(tmp_path / "m.safetensors", like=model)
    np.testing.assert_array_equal(loaded[1].mean.value, after[1].mean.value)


def test_update_by_hand_leaves_statistics_alone():
    model = network()
    state = af.setup(
        af.Descent(
            0.1,
        ),
        model,
    )
    (_, after), (grads,) = af.withgradient(
        lambda m: nn.withstate(mean_output)(m, X, key=jax.random.key(0)), model, has_aux=True
    )
    state, moved = af.update(state, after, grads)
    np.testing.assert_array_equal(moved[1].mean.value, after[1].mean.value)
    assert float(jnp.abs(moved[0].weight - model[0].weight).max()) > 0


def test_modes_by_hand_reach_nested_and_own_layers():
    @dataclasses.dataclass
    class Noisy:
        inner: object
        training: bool | None = dataclasses.field(default=None, metadata={"static": True})

        def __call__(self, x):
            return self.inner(x) + (1.0 if nn.is_training(self.training, "Noisy") else 0.0)

    model = nn.Chain(nn.SkipConnection(Noisy(nn.Chain(nn.Dropout(0.5))), nn.cat), nn.BatchNorm(2))
    for mode, expected in ((nn.trainmode, True), (nn.testmode, False)):
        changed = mode(model)
        assert changed[0].layer.training is expected
        assert changed[0].layer.inner[0].training is expected
        assert changed[1].training is expected
    assert model[1].training is None
    assert nn.trainmode(changed, None)[1].training is None
    assert float(nn.testmode(model)[0].layer(jnp.zeros((1, 1)))[0, 0]) == 0.0


def test_a_function_compiled_for_tests_is_compiled_again_for_training():
    norm = nn.BatchNorm(3)
    normalise = jax.jit(lambda x: nn.BatchNorm(3, track=False)(x) if nn.is_training(None, "mine") else x)
    np.testing.assert_array_equal(normalise(X), X)
    inside, _ = nn.withstate(lambda m, x: normalise(x))(norm, X)
    np.testing.assert_allclose(inside.mean(0), np.zeros(3), atol=1e-5)
    np.testing.assert_array_equal(normalise(X), X)


def test_testmode_holds_statistics_still_in_training():
    model = nn.Chain(nn.Dense(3, 4), nn.testmode(nn.BatchNorm(4)))
    trained, _ = af.train(lambda m, x: jnp.mean(m(x) ** 2), model, [X], af.Descent(0.1))
    assert float(jnp.abs(trained[1].mean.value).max()) == 0.0


def test_dropout_keeps_the_mean_and_drops_whole_slices():
    x = jnp.ones((200, 50))
    y = nn.Dropout(0.3, training=True)(x, key=jax.random.key(0))
    assert abs(float(y.mean()) - 1.0) < 0.02
    assert abs(float((y == 0).mean()) - 0.3) < 0.02
    slices = nn.Dropout(0.5, axes=0, training=True)(x, key=jax.random.key(0))
    assert set(np.unique(slices.sum(1))) == {0.0, 100.0}
    everything = nn.Dropout(1.0, training=True)(x, key=jax.random.key(0))
    assert float(jnp.abs(everything).max()) == 0.0
    assert nn.Dropout(0.0, training=True)(x) is x


def test_batch_norm_matches_its_formula_and_keeps_dtype():
    x = jax.random.normal(jax.random.key(0), (4, 5, 3)) * 3 + 2
    layer = eqx.tree_at(lambda n: (n.scale, n.bias), nn.BatchNorm(3, eps=1e-3), (jnp.arange(1.0, 4), jnp.ones(3)))
    expected = (x - x.mean((0, 1))) / jnp.sqrt(x.var((0, 1)) + 1e-3) * jnp.arange(1.0, 4) + 1
    np.testing.assert_allclose(nn.trainmode(layer)(x), expected, rtol=1e-5, atol=1e-5)
    half = jax.tree.map(lambda a: a.astype(jnp.bfloat16), layer)
    assert nn.trainmode(half)(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


# what: (call, words of the message)
WRONG = {
    "one value to a feature": (lambda: nn.trainmode(nn.BatchNorm(3))(jnp.ones((1, 3))), ["at least two values"]),
    "another width": (lambda: nn.BatchNorm(3)(jnp.ones((2, 4))), ["(2, 4)", "BatchNorm(3)"]),
    "no channels": (lambda: nn.BatchNorm(0), ["channels=0"]),
    "p above 1": (lambda: nn.Dropout(1.5), ["p=1.5", "[0, 1]"]),
    "gradient outside train": (lambda: af.gradient(mean_output, network(), X), ["withstate", "testmode"]),
    "vmap of the layer": (
        lambda: nn.withstate(lambda m, x: jax.vmap(m)(x))(nn.BatchNorm(3), jnp.ones((2, 4, 3))),
        ["vmap", "whole batch"],
    ),
    "draw under scan": (
        lambda: nn.withstate(lambda m, x: jax.lax.map(m, x))(nn.Dropout(0.5), X, key=jax.random.key(0)),
        ["scan", "key="],
    ),
    "another model": (
        lambda: nn.withstate(lambda m, x: nn.BatchNorm(3)(x))(nn.Dropout(0.5), X),
        ["another model"],
    ),
    "no key under jit": (
        lambda: jax.jit(lambda x: nn.withstate(lambda m, x: m(x))(nn.Dropout(0.5), x))(X),
        ["key"],
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_errors_say_what_to_do(what):
    call, words = WRONG[what]
    with pytest.raises((ArgumentError, ShapeError)) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
