import os
import signal
import threading

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from argflux import nn
from argflux.data import DataLoader, Dataset
from argflux.errors import ArgumentError, DataError, DtypeError, NonFiniteError, ShapeError
from argflux.training import (
    Adam,
    ClipNorm,
    Descent,
    History,
    Momentum,
    OptimiserChain,
    adjust,
    freeze,
    patience,
    setup,
    throttle,
    train,
    update,
)
from argflux.training.program import _programs
from tests.training.models import assert_same_bits, line_data, loss, network

RULES = [Descent(0.1), Momentum(0.1), Adam(0.01), OptimiserChain(ClipNorm(0.5), Adam(0.01)), optax.adamw(0.01)]


def by_hand(model, batches, rule, steps):
    """Train by a Python loop with JAX's own gradient."""
    state, losses = setup(rule, model), []
    for step in range(steps):
        value, grads = eqx.filter_value_and_grad(loss)(model, *batches[step % len(batches)])
        state, model = update(state, model, grads)
        losses.append(float(value))
    return model, losses


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: repr(rule).partition("(")[0])
@pytest.mark.parametrize("gradient", [None, jax.value_and_grad], ids=["ours", "jax"])
def test_train_is_the_loop_by_hand(rule, gradient):
    batches = [line_data(8, seed) for seed in range(3)]
    model, history = train(loss, network(), batches, rule, epochs=4, gradient=gradient)
    expected, losses = by_hand(network(), batches, rule, 12)
    np.testing.assert_allclose(history.losses, losses, rtol=1e-4)
    np.testing.assert_allclose(nn.destructure(model)[0], nn.destructure(expected)[0], rtol=1e-3, atol=1e-5)
    assert [record.step for record in history] == [3, 6, 9, 12]
    assert [record.epoch for record in history] == [1, 2, 3, 4]
    means = np.asarray(history.losses, np.float64).reshape(4, 3).mean(axis=1)
    np.testing.assert_array_equal(history.column("loss"), means)
    assert history.stopped == "epochs"


def test_the_model_given_is_not_changed():
    model = network()
    copy = jax.tree.map(lambda x: np.array(x) if eqx.is_array(x) else x, model)
    train(loss, model, [line_data()], Adam(), epochs=3)
    assert_same_bits(model, copy)


@pytest.mark.parametrize(("n", "batchsize", "partial"), [(32, 8, True), (33, 8, True), (33, 8, False), (5, 8, True)])
def test_a_loader_gives_the_batches_of_its_epochs(n, batchsize, partial):
    x, y = line_data(n)
    loader = DataLoader((x, y), batchsize, shuffle=True, partial=partial, seed=3)
    twin = DataLoader((x, y), batchsize, shuffle=True, partial=partial, seed=3)
    _, history = train(loss, network(), loader, Descent(0.1), epochs=3)
    _, expected = train(loss, network(), [batch for _ in range(3) for batch in twin], Descent(0.1))
    np.testing.assert_allclose(history.losses, expected.losses, rtol=1e-5)
    assert loader.epoch == 3


def test_a_second_call_sees_the_following_epochs():
    x, y = line_data()
    loader, twin = (DataLoader((x, y), 8, shuffle=True) for _ in range(2))
    model, first = train(loss, network(), loader, Descent(0.1), epochs=2)
    _, second = train(loss, model, loader, Descent(0.1), epochs=2)
    _, whole = train(loss, network(), twin, Descent(0.1), epochs=4)
    np.testing.assert_array_equal(np.concatenate([first.losses, second.losses]), whole.losses)


class Again:
    """Batches that can be gone through again, one NumPy buffer filled anew for each."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        x, y = (np.empty_like(array) for array in self.batches[0])
        for one, other in self.batches:
            x[:], y[:] = one, other
            yield x, y


def test_every_way_to_give_batches_gives_the_same_numbers():
    batches = [line_data(8, seed) for seed in range(5)]
    on_device = [tuple(map(jnp.array, batch)) for batch in batches]
    results = [
        train(loss, network(), data, Momentum(0.1), epochs=epochs)[1].losses
        for data, epochs in [
            (batches, 2),
            (tuple(on_device), 2),
            (Again(batches), 2),
            ((batch for _ in range(2) for batch in batches), 1),
            (on_device * 2, 1),
        ]
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_a_list_is_read_at_the_start():
    x, y = line_data(8)

    def spoil(record):
        x[:] = np.nan

    _, history = train(loss, network(), [(x, y)], Descent(0.1), epochs=30, callback=spoil)
    _, expected = train(loss, network(), [line_data(8)], Descent(0.1), epochs=30)
    np.testing.assert_array_equal(history.losses, expected.losses)


def test_batches_of_two_shapes_take_two_traces():
    batches = [line_data(8), line_data(8, 1), line_data(3, 2)]

    def fresh(model, x, y):
        return loss(model, x, y)

    for epochs in (1, 4):
        train(fresh, network(), batches, Descent(0.1), epochs=epochs)
    program = next(reversed(_programs.values()))
    assert program.loss is fresh
    assert program.traces == 2


def test_a_batch_may_be_a_tuple_a_dataset_or_one_argument():
    x, y = line_data(8)
    dataset = Dataset(x, y, (0, 1), "line")

    def of_dict(model, batch):
        return loss(model, batch["x"], batch["y"])

    reference = train(loss, network(), [(x, y)], Descent(0.1))[1].losses
    for function, data in [(loss, [dataset]), (loss, DataLoader(dataset, 8)), (of_dict, [{"x": x, "y": y}])]:
        np.testing.assert_array_equal(train(function, network(), data, Descent(0.1))[1].losses, reference)


def test_a_state_goes_on_with_what_is_frozen_and_adjusted():
    data = [line_data()]
    _, whole = train(loss, network(), data, Adam(0.01), epochs=6)
    model, first = train(loss, network(), data, Adam(0.01), epochs=3)
    _, second = train(loss, model, data, first.state, epochs=3)
    np.testing.assert_array_equal(np.concatenate([first.losses, second.losses]), whole.losses)
    state = adjust(freeze(first.state, "layers[0]"), rate=0.5)
    after, history = train(loss, model, data, state, epochs=3)
    assert_same_bits(after[0], model[0])
    assert not np.array_equal(after[1].weight, model[1].weight)
    assert history[0].rate == 0.5
    assert history.state.frozen == state.frozen


def test_until_stops_with_exactly_that_model():
    data = [line_data()]
    seen = {}

    def until(record):
        seen[record.epoch] = record.loss
        return record.epoch == 37

    model, history = train(loss, network(), data, Adam(0.01), epochs=500, until=until)
    expected, straight = train(loss, network(), data, Adam(0.01), epochs=37)
    assert_same_bits(model, expected)
    assert_same_bits(history.state.inner, straight.state.inner)
    np.testing.assert_array_equal(history.losses, straight.losses)
    assert list(seen) == list(range(1, 38))
    assert history.stopped == "until"
    assert len(history) == 37


def test_the_model_of_a_record_is_the_one_of_its_epoch():
    data, models = [line_data()], {}

    def keep(record):
        if record.epoch in (1, 2, 3, 17, 40):
            models[record.epoch] = record.model

    train(loss, network(), data, Adam(0.01), epochs=40, callback=keep)
    for epochs, model in models.items():
        assert_same_bits(model, train(loss, network(), data, Adam(0.01), epochs=epochs)[0])


def test_the_model_of_a_record_is_gone_afterwards():
    records = []
    train(loss, network(), [line_data()], Descent(), callback=records.append)
    with pytest.raises(ArgumentError, match=r"epoch 1: got record.model after its callback returned"):
        _ = records[0].model


@pytest.mark.parametrize("answer", [True, np.True_, jnp.array(True)])
def test_a_callback_that_returns_true_stops(answer):
    _, history = train(loss, network(), [line_data()], Descent(), epochs=9, callback=lambda r: r.epoch == 4 and answer)
    assert (history.stopped, len(history), len(history.losses)) == ("callback", 4, 4)


@pytest.mark.parametrize("answer", [None, 1, "yes", 0.5, np.ones(2), False])
def test_other_answers_of_a_callback_mean_nothing(answer):
    _, history = train(loss, network(), [line_data()], Descent(), epochs=3, callback=lambda r: answer)
    assert history.stopped == "epochs"


def test_predicates_compose_with_until():
    _, history = train(loss, network(), [line_data()], Descent(), epochs=99, until=patience(lambda r: r.loss < 9, 5))
    assert len(history) == 5


def test_a_throttled_callback_sees_the_last_record():
    seen = []

    def show(record):
        seen.append((record.epoch, record.model))

    model, _ = train(loss, network(), [line_data()], Descent(), epochs=30, callback=throttle(show, 60, trailing=True))
    assert [epoch for epoch, _ in seen] == [1, 30]
    assert_same_bits(seen[1][1], model)


def test_validation_measures_after_every_epoch():
    data, held_out = [line_data(8, seed) for seed in range(3)], line_data(20, 9)
    models = []
    model, history = train(
        loss, network(), data, Descent(0.1), epochs=3, validation=held_out, callback=lambda r: models.append(r.model)
    )
    expected = [float(loss(m, *held_out)) for m in models]
    np.testing.assert_allclose(history.column("validation_loss"), expected, rtol=1e-5)
    assert_same_bits(models[-1], model)
    _, plain = train(loss, network(), data, Descent(0.1), epochs=3)
    np.testing.assert_array_equal(plain.losses, history.losses)


def test_metrics_stand_beside_the_loss_on_validation_data():
    loader = DataLoader(line_data(20), 5)
    metrics = {"width": lambda model, x, y: x.shape[0], "worst": lambda model, x, y: jnp.abs(model(x) - y).max()}
    _, history = train(loss, network(), [line_data()], Descent(), epochs=2, validation=loader, metrics=metrics)
    assert list(history[0].metrics) == ["validation_loss", "width", "worst"]
    assert history.column("width") == [20.0, 20.0]
    only = {"mean": lambda model, x: jnp.mean(model(x))}  # the loss does not take such a batch
    _, history = train(loss, network(), [line_data()], Descent(), validation=line_data()[0], metrics=only)
    assert list(history[0].metrics) == ["mean"]


@pytest.mark.parametrize("rate", [0.1, 0.25])
def test_the_rate_is_recorded(rate):
    _, history = train(loss, network(), [line_data()], Descent(rate))
    assert history[0].rate == pytest.approx(rate)
    assert train(loss, network(), [line_data()], optax.sgd(rate))[1][0].rate is None


def test_a_loss_that_reads_a_changed_variable_is_compiled_anew():
    weight = 1.0

    def weighted(model, x, y):
        return weight * loss(model, x, y)

    first = train(weighted, network(), [line_data()], Descent())[1].losses[0]
    weight = 3.0
    second = train(weighted, network(), [line_data()], Descent())[1].losses[0]
    assert second == pytest.approx(3 * first)


def test_a_second_run_compiles_nothing():
    def fresh(model, x, y):
        return loss(model, x, y)

    for seed in range(3):
        train(fresh, network(seed), [line_data()], Adam(0.01 * (seed > 5) + 0.01), epochs=2 + seed)
    program = next(reversed(_programs.values()))
    assert (program.loss, program.traces) == (fresh, 1)


def test_float64_and_bfloat16_models_keep_their_dtype(x64):
    for dtype, wanted in [(jnp.float64, jnp.float64), (jnp.bfloat16, jnp.float32)]:
        x, y = (jnp.asarray(array, dtype) for array in line_data())
        model, history = train(loss, network(dtype=dtype), [(x, y)], Adam(0.01), epochs=3)
        assert model[0].weight.dtype == dtype
        assert history.losses.dtype == wanted


def test_weakly_typed_arrays_do_not_trip_the_loop():
    model = {"w": jnp.asarray(0.5)}
    after, _ = train(lambda m, x: m["w"] ** 2 * x, model, [jnp.array(1.0)], Momentum(0.1), epochs=5)
    assert after["w"].dtype == jnp.float32


def test_a_dead_gradient_is_no_error():
    model, _ = train(lambda m, x: jnp.float32(1.0) + 0 * x.sum(), network(), [jnp.ones(2)], Descent(), epochs=2)
    assert_same_bits(model, network())


def interrupting(record):
    if record.epoch == 3:
        signal.raise_signal(signal.SIGINT)


def test_control_c_keeps_what_there_is():
    before = signal.getsignal(signal.SIGINT)
    data = [line_data(8, seed) for seed in range(3)]
    model, history = train(
        loss, network(), data, Adam(0.01), epochs=400, callback=interrupting, validation=line_data(8, 9)
    )
    assert history.interrupted
    assert history.stopped == "interrupted"
    assert len(history) == 3
    expected, straight = train(loss, network(), data, Adam(0.01), epochs=3)
    assert_same_bits(model, expected)
    np.testing.assert_array_equal(history.losses, straight.losses)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_control_c_stops_at_once():
    def twice(record):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(loss, network(), [line_data()], Descent(), epochs=5, callback=twice)
    assert signal.getsignal(signal.SIGINT) is before


def test_training_in_another_thread_leaves_signals_alone():
    result = []
    thread = threading.Thread(target=lambda: result.append(train(loss, network(), [line_data()], Descent())))
    thread.start()
    thread.join()
    assert result[0][1].stopped == "epochs"


def test_a_loss_that_blows_up_names_the_step_and_keeps_the_history():
    data = [line_data(8, seed) for seed in range(5)]
    with pytest.raises(NonFiniteError, match=r"lower the rate \(now 1e\+08\)") as caught:
        train(loss, network(), data, Descent(1e8), epochs=10)
    history = caught.value.history
    step = len(history.losses) + 1
    place = rf"step {step} \(epoch {(step - 1) // 5 + 1}, batch {(step - 1) % 5 + 1}\)"
    assert caught.match(rf"^train, {place}: got a loss of (nan|inf); expected a finite number")
    assert np.isfinite(history.losses).all()
    assert isinstance(history, History)


@pytest.mark.parametrize("at", [1, 2, 3, 4, 40])
def test_the_step_of_a_failure_does_not_depend_on_chunks(at):
    def poisoned(model, x, y, k):
        return jnp.where(k == at, jnp.nan, loss(model, x, y))

    data = [(*line_data(8), np.int32(k)) for k in range(1, 51)]
    with pytest.raises(NonFiniteError, match=rf"step {at} \(epoch 1, batch {at}\)") as caught:
        train(poisoned, network(), data, Descent(), until=lambda r: False)
    assert len(caught.value.history.losses) == at - 1


def test_a_stop_before_the_failure_wins():
    def poisoned(model, x, y, k):
        return jnp.where(k == 30, jnp.nan, loss(model, x, y))

    def batches():
        return [(*line_data(8), np.int32(k)) for k in range(1, 51)]

    class OneEach:
        epoch = 0

        def __iter__(self):
            self.epoch += 1
            return iter(batches()[self.epoch - 1 : self.epoch])

    _, history = train(poisoned, network(), OneEach(), Descent(), epochs=50, until=lambda r: r.epoch == 29)
    assert (history.stopped, len(history)) == ("until", 29)
    with pytest.raises(NonFiniteError, match="step 30 "):
        train(poisoned, network(), OneEach(), Descent(), epochs=50, until=lambda r: r.epoch == 30)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("as_loader", [False, True])
def test_data_that_are_not_finite_are_to_blame(value, as_loader):
    x, y = line_data(8)
    x[5, 0] = value
    data = DataLoader((x, y), 4) if as_loader else [(x[:4], y[:4]), (x[4:], y[4:])]
    with pytest.raises(DataError, match=rf"got {value} in (this batch|the batch before), at batch\[0\]\[1, 0\]"):
        train(loss, network(), data, Descent(), epochs=3)


X, Y = line_data()


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        ((loss, {}, [(X, Y)], Descent()), {}, ArgumentError, "no floating arrays; expected at least one"),
        ((loss, network(), [], Descent()), {}, DataError, "no batches in epoch 1; expected at least one batch"),
        ((loss, network(), iter([(X, Y)]), Descent()), {"epochs": 2}, ArgumentError, "go through 2 times"),
        ((loss, network(), iter([]), Descent()), {}, DataError, "no batches in epoch 1"),
        ((loss, network(), 5, Descent()), {}, ArgumentError, "data of type int; expected something to iterate"),
        ((loss, network(), (X, Y), Descent()), {}, ArgumentError, r"of 1 for a loss loss\(model, x, y\).*\[\(x, y\)\]"),
        ((loss, network(), [(X, Y, Y)], Descent()), {}, ArgumentError, "batches of 3 for a loss"),
        ((loss, network(), [(X[:0], Y[:0])], Descent()), {}, DataError, r"batch\[0\]: got an empty array of shape"),
        ((loss, network(), [(X, ["a"])], Descent()), {}, DtypeError, r"batch\[1\]\[0\]: got str of dtype"),
        ((loss, network(), [(X, Y)], Descent), {}, ArgumentError, r"got Descent; expected a rule.*write Descent\(\)"),
        ((loss, network(), [(X, Y)], 0.1), {}, ArgumentError, "got 0.1; expected a rule"),
        (("loss", network(), [(X, Y)], Descent()), {}, ArgumentError, "loss of type str; expected a function"),
        ((loss, network(), [(X, Y)], Descent()), {"epochs": 0}, ArgumentError, "epochs=0; expected an integer"),
        ((loss, network(), [(X, Y)], Descent()), {"epochs": 2.5}, ArgumentError, "epochs=2.5"),
        ((loss, network(), [(X, Y)], Descent()), {"callback": 3}, ArgumentError, "callback of type int"),
        ((loss, network(), [(X, Y)], Descent()), {"until": 1e-7}, ArgumentError, "until of type float"),
        ((loss, network(), [(X, Y)], Descent()), {"resume": True}, ArgumentError, "resume without checkpoint"),
        ((loss, network(), [(X, Y)], Descent()), {"metrics": {}}, ArgumentError, "metrics without validation"),
        ((network(), loss, [(X, Y)], Descent()), {}, ArgumentError, r"a Chain as loss.*swap the first two"),
        ((loss, network(), X, Descent()), {}, ArgumentError, r"an array of shape \(32, 1\) as data.*\[\(X, Y\)\]"),
        ((loss, network(), jnp.array(X), Descent()), {}, ArgumentError, r"an array of shape .*DataLoader\(\(X, Y\)"),
        ((loss, network(), {"x": X}, Descent()), {}, ArgumentError, "a dict as data; expected batches"),
        ((loss, network(), Dataset(X, Y, (0, 1), "a"), Descent()), {}, ArgumentError, "a Dataset as data"),
        ((loss, network(), Descent(), [(X, Y)]), {}, ArgumentError, "expected a rule"),
        ((loss, network(), [(X[:8], Y[:7])], Descent()), {}, ShapeError, r"\(8, 1\), \(7, 1\), on which"),
        ((loss, network(), [(X, Y)], Descent()), {"callback": lambda: 0}, ArgumentError, "callback take one record"),
        ((loss, network(), [(X, Y)], Descent()), {"callback": [print, 3]}, ArgumentError, "callback of type int"),
        ((loss, network(), [(X, Y)], Descent()), {"until": lambda a, b: 0}, ArgumentError, "let until take one record"),
        ((loss, network(), [(X, Y)], Descent()), {"lr": 0.1}, ArgumentError, "train: got keyword lr=0.1"),
        ((loss, network(), [(X, Y)], Descent()), {"batch_size": 1}, ArgumentError, "train: got keyword batch_size=1"),
        ((loss, network(), [(X, Y)]), {}, ArgumentError, "missing a required argument: 'rule'"),
        ((lambda m, x, y: m(x) - y, network(), [(X, Y)], Descent()), {}, ShapeError, r"a loss of shape \(32, 1\)"),
        ((lambda m, x, y: jnp.sum(x > 0), network(), [(X, Y)], Descent()), {}, DtypeError, "a loss of dtype int32"),
        ((lambda m, x, y: (loss(m, x, y), 1), network(), [(X, Y)], Descent()), {}, DtypeError, "a tuple from the loss"),
        ((lambda m, x, y: None, network(), [(X, Y)], Descent()), {}, DtypeError, "a NoneType from the loss"),
    ],
)  # fmt: skip
def test_bad_input_is_named_before_the_first_step(arguments, keywords, error, message):
    with pytest.raises(error, match=message):
        train(*arguments, **keywords)


def test_a_metric_that_is_no_number_is_named():
    with pytest.raises(ShapeError, match=r"metric 'all': got shape \(32, 1\)"):
        train(loss, network(), [(X, Y)], Descent(), validation=(X, Y), metrics={"all": lambda m, x, y: m(x)})


def test_a_frozen_model_and_a_foreign_state_are_refused():
    state = setup(Descent(), network())
    with pytest.raises(ArgumentError, match="a model that is frozen whole"):
        train(loss, network(), [(X, Y)], freeze(state, "layers"))
    with pytest.raises(ArgumentError, match=r"train: got a state for layers\[0\].weight"):
        train(loss, {"w": jnp.ones(1)}, [(X, Y)], state)


def test_mistyped_keywords_of_train_are_errors():
    with pytest.raises(ArgumentError, match=r"train: got keyword epoch=3; .*write epochs="):
        train(loss, network(), [(X, Y)], Descent(), epoch=3)
