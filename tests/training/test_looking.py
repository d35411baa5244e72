"""keep_best, every_steps, several callbacks, and states of models whose mode or layers changed."""

import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, NonFiniteError
from argflux.training import (
    Adam,
    Checkpoint,
    Descent,
    early_stopping,
    every_steps,
    freeze,
    keep_best,
    load,
    setup,
    train,
    update,
)
from tests.training.models import assert_same_bits, line_data, loss, network


def hop(w, x):
    """Descent(0.7) on |w| hops about 0."""
    return jnp.abs(w) * x


ONE = [jnp.ones(())]


@pytest.mark.parametrize("score", ["loss", lambda record: record.loss, "validation_loss"])
def test_the_best_model_is_kept(score, tmp_path):
    best, losses, models = keep_best(score, path=tmp_path / "best.npz"), [], []
    until = early_stopping("loss", 100)
    keywords = {"validation": ONE[0]} if score == "validation_loss" else {}
    show = lambda record: models.append(record.model) or losses.append(record.metrics.get(score, record.loss))
    train(hop, jnp.array(1.0), ONE, Descent(0.7), epochs=9, callback=[show, best], until=until, **keywords)
    place = int(np.argmin(losses))
    assert best.record.epoch == place + 1
    assert_same_bits(best.model, models[place])
    assert_same_bits(load(tmp_path / "best.npz", like=jnp.zeros(())), best.model)
    assert until.best.epoch == place + 1 or score == "validation_loss"


def test_the_best_of_a_resumed_run_may_lie_before_it(tmp_path):
    path, file = tmp_path / "run.npz", tmp_path / "best.npz"
    keywords = {"validation": ONE[0], "checkpoint": Checkpoint(path)}
    train(
        hop, jnp.array(1.0), ONE, Descent(0.7), epochs=2, callback=keep_best("validation_loss", path=file), **keywords
    )
    best = keep_best("validation_loss", path=file)
    train(hop, jnp.array(1.0), ONE, Descent(0.7), epochs=3, callback=best, resume=True, **keywords)
    whole = keep_best("validation_loss")
    train(hop, jnp.array(1.0), ONE, Descent(0.7), epochs=3, callback=whole, validation=ONE[0])
    assert best.record.epoch == whole.record.epoch
    assert_same_bits(load(file, like=jnp.zeros(())), whole.model)


def test_a_score_may_be_maximised():
    best = keep_best("validation_loss", maximise=True)
    _, run = train(hop, jnp.array(0.1), ONE, Descent(0.7), epochs=4, callback=best, validation=ONE[0])
    assert best.record.metrics["validation_loss"] == max(run.column("validation_loss"))


@pytest.mark.parametrize("n", [1, 4, 7])
def test_every_so_many_steps_a_callback_looks_on(n):
    data, seen = [line_data(8, seed) for seed in range(3)], []
    look = every_steps(n, lambda r: seen.append((r.epoch, r.step, r.loss, float(r.model[1].bias[0]))))
    epochs = []
    model, run = train(loss, network(), data, Descent(0.1), epochs=5, callback=[look, lambda r: epochs.append(r.epoch)])
    _, plain = train(loss, network(), data, Descent(0.1), epochs=5)
    np.testing.assert_array_equal(run.losses, plain.losses)
    assert epochs == [1, 2, 3, 4, 5]
    assert [step for _, step, _, _ in seen] == list(range(n, 16, n))
    assert [epoch for epoch, *_ in seen] == [-(-step // 3) for step in range(n, 16, n)]
    for _, step, value, _ in seen:
        assert value == pytest.approx(run.losses[step - n : step].mean(), rel=1e-6)
    if 15 % n == 0:
        assert seen[-1][3] == float(model[1].bias[0])


def test_a_step_callback_stops_the_run_there():
    data = [line_data(8, seed) for seed in range(3)]
    model, run = train(loss, network(), data, Descent(0.1), epochs=5, callback=every_steps(4, lambda r: r.step == 8))
    expected, straight = train(loss, network(), [data[k % 3] for k in range(8)], Descent(0.1))
    assert (run.stopped, len(run), len(run.losses)) == ("callback", 2, 8)
    np.testing.assert_array_equal(run.losses, straight.losses)
    assert_same_bits(model, expected)


@pytest.mark.parametrize("n", [0, -1, "2"])
def test_a_number_of_steps_is_at_least_one(n):
    with pytest.raises(ArgumentError, match="every_steps: got n="):
        every_steps(n, print)


def square(m, x, y):
    return jnp.mean((m(x) - y) ** 2)


MODEL = nn.Chain(nn.Dense(2, 4), nn.BatchNorm(4), nn.Dense(4, 1))
BATCH = (jnp.arange(8.0).reshape(4, 2), jnp.ones((4, 1)))


@pytest.mark.parametrize("change", [nn.testmode, nn.trainmode], ids=["testmode", "trainmode"])
def test_a_state_goes_on_with_a_model_in_another_mode(change):
    model, run = train(square, MODEL, [BATCH], Adam(0.1), epochs=2)
    state = freeze(run.state, "layers[0]")
    still = nn.replace_at(model, "layers[1]", change(model[1]))
    after, more = train(square, still, [BATCH], state, epochs=2)
    assert_same_bits(after[0], model[0])
    assert jnp.array_equal(after[1].mean.value, model[1].mean.value) == (change is nn.testmode)
    assert int(more.state.inner.count) == 4
    grads = nn.replace_at(still, "layers[1]", change(still[1]))
    state, after = update(run.state, still, grads)
    assert after[1].training is (change is nn.trainmode)
    update(state, nn.trainmode(after, None), nn.trainmode(grads, None))


def test_a_state_goes_on_with_another_activation_and_not_with_other_shapes():
    state = setup(Adam(), MODEL)
    other = nn.replace_at(MODEL, "layers[0]", nn.Dense(MODEL[0].weight, jnp.tanh))
    train(square, other, [BATCH], state, epochs=1)
    for wrong, shape in ((nn.Dense(4, 2), r"\(1, 4\); expected one for float32 of shape \(2, 4\)"),):
        model = nn.replace_at(MODEL, "layers[2]", wrong)
        for go in (lambda m=model: train(square, m, [BATCH], state), lambda m=model: update(state, m, m)):
            with pytest.raises(
                ArgumentError, match=rf"a state for layers\[2\].weight, float32 of shape {shape}.*setup"
            ):
                go()
    half = nn.Chain(nn.Dense(2, 1, dtype=jnp.float16))
    with pytest.raises(ArgumentError, match=r"float32 of shape .*expected one for float16.*setup"):
        update(setup(Adam(), nn.Chain(nn.Dense(2, 1))), half, half)
    with pytest.raises(ArgumentError, match="update: got a Chain in place of a state"):
        update(MODEL, setup(Adam(), MODEL), MODEL)


def test_masked_targets_that_are_missing_do_not_stop_a_run():
    y = BATCH[1].at[1].set(jnp.nan)
    there = lambda m, x, y: jnp.sum(jnp.where(jnp.isnan(y), 0.0, (m(x) - jnp.where(jnp.isnan(y), 0.0, y)) ** 2))
    model, run = train(there, nn.Dense(2, 1), [(BATCH[0], y)], Descent(1e-3), epochs=40)
    assert run.losses[-1] < run.losses[0]
    blows_up = lambda m, x, y: there(m, x, y) * 1e3
    with pytest.raises(NonFiniteError):
        train(blows_up, model, [(BATCH[0], y)], Descent(1e3), epochs=400)
