"""Hyperparameters that are functions of the step, and Optax transformations of every kind."""

import dataclasses
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from argflux.errors import ArgumentError, LoadError
from argflux.training import Adam, AdamW, ClipNorm, Descent, Momentum, OptimiserChain, adjust, setup, train, update
from tests.training.models import assert_same_bits
from tests.training.test_rules import ALL_RULES


def halving(step):
    return 0.1 * 0.5**step


def square(w, x):
    return jnp.sum((w - x) ** 2)


W, DATA = jnp.array([1.0, -2.0]), [jnp.array([0.5, 0.5]), jnp.array([0.0, 1.0])]


@pytest.mark.parametrize("cls", ALL_RULES, ids=lambda cls: cls.__name__)
def test_every_number_of_every_rule_may_be_a_schedule(cls):
    for field in dataclasses.fields(cls):
        if isinstance(field.default, bool):
            continue
        pair = isinstance(field.default, tuple)
        value = (halving, field.default[1]) if pair else halving
        state, w = setup(cls(**{field.name: value}), W), W
        plain, v = setup(cls(), W), W
        for step in range(3):
            now = halving(step)
            plain = adjust(plain, **{field.name: (now, field.default[1]) if pair else now})
            state, w = update(state, w, w)
            plain, v = update(plain, v, v)
        np.testing.assert_allclose(w, v, rtol=1e-6)


def test_the_rate_in_use_is_recorded_and_a_run_goes_on_with_it(tmp_path):
    rule = Adam(optax.cosine_decay_schedule(0.1, 8))
    expected = [float(optax.cosine_decay_schedule(0.1, 8)(2 * epoch + 1)) for epoch in range(4)]
    w, run = train(square, W, DATA, rule, epochs=4)
    np.testing.assert_allclose(run.column("rate"), expected, rtol=1e-6)
    path = tmp_path / "run.npz"
    train(square, W, DATA, rule, epochs=2, checkpoint=path)
    again = Adam(optax.cosine_decay_schedule(0.1, 8))
    v, resumed = train(square, W, DATA, again, epochs=4, checkpoint=path, resume=True)
    assert_same_bits(v, w)
    assert resumed.column("rate") == run.column("rate")
    for other in (Adam(optax.cosine_decay_schedule(0.1, 9)), Adam(0.1), adjust(setup(again, W), rate=0.1)):
        with pytest.raises(LoadError, match="a run with r"):
            train(square, W, DATA, other, epochs=4, checkpoint=path, resume=True)


def test_schedules_and_numbers_take_each_others_place():
    state, w = update(setup(Descent(halving), W), W, W)
    assert state.hyperparameters()["rate"] == pytest.approx(0.05)
    constant, v = update(adjust(state, rate=0.5), w, w)
    np.testing.assert_allclose(v, 0.5 * w, rtol=1e-6)
    _, u = update(adjust(constant, rate=halving), v, v)
    np.testing.assert_allclose(u, (1 - 0.025) * v, rtol=1e-6)


def test_schedules_are_written_and_compared_by_what_they_do():
    one, other = (Momentum(optax.linear_schedule(0.1, 0.0, 10)) for _ in range(2))
    assert one == other != Momentum(optax.linear_schedule(0.1, 0.0, 20))
    assert hash(one) == hash(other)
    assert repr(one).startswith("Momentum(rate=polynomial_schedule(")
    joined = [optax.warmup_cosine_decay_schedule(0.0, 0.1, 5, 50) for _ in range(2)]
    assert Adam(joined[0]) == Adam(joined[1])


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (lambda step: 0.1 if step < 5 else 0.01, "raises TracerBoolConversionError; .*jnp.where"),
        (lambda step: jnp.ones(2) * step, r"returns float32 of shape \(2,\)"),
        (lambda: 0.1, "raises TypeError"),
    ],
)
def test_schedules_that_cannot_be_used_are_refused(schedule, message):
    with pytest.raises(ArgumentError, match=rf"Adam: got rate=<lambda>, which {message}"):
        Adam(schedule)


TAKEN = {
    "adam with a schedule": lambda: optax.adam(optax.exponential_decay(0.1, 2, 0.5)),
    "inject_hyperparams": lambda: optax.inject_hyperparams(optax.adam)(learning_rate=0.1),
    "lbfgs": lambda: optax.lbfgs(),
    "backtracking": lambda: optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(10)),
    "polyak_sgd": lambda: optax.polyak_sgd(),
    "reduce_on_plateau": lambda: optax.chain(optax.adam(0.1), optax.contrib.reduce_on_plateau()),
    "noisy_sgd": lambda: optax.noisy_sgd(0.01, key=0),
    "MultiSteps": lambda: optax.MultiSteps(optax.adam(0.1), 2),
    "apply_if_finite": lambda: optax.apply_if_finite(optax.adam(0.1), 3),
    "schedule_free": lambda: optax.contrib.schedule_free_adamw(0.1),
    "masked": lambda: optax.masked(optax.adam(0.1), lambda tree: tree is not None),
    "prodigy": lambda: optax.contrib.prodigy(1.0),
}
REFUSED = {
    "lookahead": lambda: optax.lookahead(optax.adam(0.1), 5, 0.5),
    "sam": lambda: optax.contrib.sam(optax.sgd(0.1), optax.sgd(0.1)),
}


@pytest.mark.parametrize("name", TAKEN)
def test_optax_transformations_train_and_go_on(name, tmp_path):
    path, make = tmp_path / "run.npz", TAKEN[name]
    w, run = train(square, W, DATA[:1], make(), epochs=6)
    assert run.losses[-1] < run.losses[0]
    train(square, W, DATA[:1], make(), epochs=3, checkpoint=path)
    v, resumed = train(square, W, DATA[:1], make(), epochs=6, checkpoint=path, resume=True)
    assert_same_bits((w, run.losses), (v, resumed.losses))
    state, u = setup(make(), W), W
    for _ in range(2):
        slope = 2 * (u - DATA[0])
        state, u = update(state, u, slope, value=square(u, DATA[0]), value_fn=lambda w: square(w, DATA[0]))
    if name != "noisy_sgd":
        np.testing.assert_allclose(u, train(square, W, DATA[:1], make(), epochs=2)[0], rtol=1e-5)


def test_what_is_not_given_to_update_is_named():
    for rule, missing in ((optax.lbfgs(), "'value' and 'value_fn'"), (optax.polyak_sgd(), "'value'")):
        with pytest.raises(ArgumentError, match=f"optax.chain, which asks for .*{missing}.*train with `train`"):
            update(setup(rule, W), W, W)


@pytest.mark.parametrize("name", REFUSED)
def test_what_starts_from_more_than_a_model_is_refused(name):
    with pytest.raises(ArgumentError, match=r"which fails .*another transformation"):
        train(square, W, DATA, REFUSED[name]())


def test_a_resumed_optax_rate_is_the_one_asked_for(tmp_path):
    path = tmp_path / "run.npz"
    train(square, W, DATA, optax.adam(0.1), epochs=2, checkpoint=path)
    with pytest.raises(LoadError, match=r"scale_by_adam.*-0.1.*-0.001"):
        train(square, W, DATA, optax.adam(0.001), epochs=4, checkpoint=path, resume=True)


RATE = 0.1
NUMBERS_IN_CODE = {
    "injected": (optax.inject_hyperparams(optax.adam)(0.1), optax.inject_hyperparams(optax.adam)(0.001)),
    "injected within a chain": tuple(
        optax.chain(optax.clip(1.0), optax.inject_hyperparams(optax.sgd)(rate)) for rate in (0.1, 0.001)
    ),
    "written": (Adam(lambda step: 0.1), Adam(lambda step: 0.001)),
    "of the module": (Adam(lambda step: RATE), Adam(lambda step: 0.1)),
}


@pytest.mark.parametrize("name", NUMBERS_IN_CODE)
def test_a_rate_inside_code_is_the_one_asked_for_too(name, tmp_path):
    path, (before, after) = tmp_path / "run.npz", NUMBERS_IN_CODE[name]
    train(square, W, DATA, before, epochs=2, checkpoint=path)
    with pytest.raises(LoadError, match="got a run with rule"):
        train(square, W, DATA, after, epochs=4, checkpoint=path, resume=True)
    assert len(train(square, W, DATA, before, epochs=4, checkpoint=path, resume=True)[1]) == 4


def test_adjust_says_that_optax_keeps_its_numbers():
    with pytest.raises(ArgumentError, match=r"got keyword 'rate'; .*optax.chain keeps its numbers inside"):
        adjust(setup(optax.adam(0.1), W), rate=0.5)


def test_the_table_of_the_guide_names_them_all():
    guide = (Path(__file__).parents[2] / "docs/guides/training.md").read_text()
    assert all(f"`{name}`" in guide for name in (*TAKEN, *REFUSED) if "adam" not in name)


TRACES = 0


def counted(w, x):
    global TRACES
    TRACES += 1
    return jnp.sum((w - x) ** 2)


def test_rates_schedules_and_transformations_made_anew_share_a_program():
    for make in (
        lambda k: Adam(0.1 * 0.5**k),
        lambda k: OptimiserChain(ClipNorm(1.0 + k), AdamW(0.1, (0.8, 0.9 + 0.01 * k), decay=0.1 * k)),
        lambda k: Adam(optax.cosine_decay_schedule(0.1, 50)),
        lambda k: optax.adamw(0.1),
        lambda k: adjust(setup(Descent(0.1), W), rate=0.2 + k),
    ):
        before, seen, results = TRACES, [], []
        for k in range(3):
            results.append(train(counted, W, DATA, make(k), epochs=1 + k, until=lambda r: False)[0])
            seen.append(TRACES)
        assert before < seen[0] == seen[2]
    assert not np.array_equal(results[0], results[1])


def test_a_loss_written_anew_is_the_same_program():
    def run(scale):
        return train(lambda w, x: scale * counted(w, x), W, DATA, Descent(0.1))[0]

    first = run(1.0)
    before = TRACES
    assert_same_bits(run(1.0), first)
    assert before == TRACES
    other = run(2.0)
    assert before < TRACES
    assert not np.array_equal(other, first)
    before = TRACES
    assert_same_bits(train(lambda w, x: 1.0 * counted(w, x), W, DATA, Descent(0.1))[0], first)
    assert before < TRACES


def test_update_compiles_once_for_all_rates():
    from argflux.training.step import compiled_step

    size = compiled_step._cache_size()
    for k in range(3):
        w = jnp.ones(17)
        update(setup(Adam(0.1 + k), w), w, w)
    assert compiled_step._cache_size() == size + 1
