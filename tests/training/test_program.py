import gc
import weakref

import jax
import numpy as np
import pytest

from argflux.training import Adam, Descent, setup, train
from argflux.training.program import KEPT_PROGRAMS, _programs
from argflux.training.train import _run
from tests.training.models import assert_same_bits, line_data, loss, network

FACTOR = 1.0


def program(loss):
    return next(program for program in reversed(_programs.values()) if program.loss is loss)


def test_changed_globals_and_defaults_mean_a_new_program():
    global FACTOR

    def scaled(model, x, y):
        return FACTOR * loss(model, x, y)

    results = []
    for factor in (1.0, 2.0, 2.0):
        FACTOR = factor
        results.append(train(scaled, network(), [line_data()], Descent())[1].losses[0])
    assert results[1] == results[2] == pytest.approx(2 * results[0])
    assert sum(program.loss is scaled for program in _programs.values()) == 2
    FACTOR = 1.0


def test_only_so_many_programs_are_kept():
    def make(k):
        return lambda model, x, y: loss(model, x, y) * k

    functions = [make(k) for k in range(3)]
    gone = weakref.ref(functions[0])
    for function in functions:
        train(function, network(), [line_data(4)], Descent())
    assert len(_programs) <= KEPT_PROGRAMS
    _programs.clear()
    del functions, function
    gc.collect()
    assert gone() is None


def test_models_that_cannot_be_hashed_are_trained_without_the_cache():
    class Settings:
        __hash__ = None

        def __eq__(self, other):
            return self is other

    model = {"network": network(), "settings": Settings()}
    after, _ = train(lambda m, x, y: loss(m["network"], x, y), model, [line_data()], Descent())
    assert after["settings"] is model["settings"]


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_one_executable_serves_every_number_of_steps(n):
    def fresh(model, x, y):
        return loss(model, x, y)

    _, straight = train(fresh, network(), [line_data()], Adam(0.01), epochs=7)
    made = program(fresh)
    x, y = line_data()
    start = made.split.take(network())
    inner = jax.tree.leaves(setup(Adam(0.01), network()).inner)
    hyper = straight.state.hyper
    carry, losses, *_ = made.call(
        (start[0], inner, []),
        start[1],
        hyper,
        (x[None], y[None]),
        np.zeros(1024, np.int32),
        np.int32(n),
        np.zeros(3, np.uint32),
    )
    assert np.asarray(losses)[:n].tobytes() == straight.losses[:n].tobytes()
    assert made.traces == 1
    if n == 0:
        assert_same_bits(carry[0], start[0])


def test_large_models_are_donated_and_train_the_same(monkeypatch):
    module = _run.__globals__
    _, expected = train(loss, network(), [line_data()], Adam(0.01), epochs=40)
    monkeypatch.setitem(module, "_DONATED_BYTES", 0)
    model = network()
    _, history = train(loss, model, [line_data()], Adam(0.01), epochs=40)
    np.testing.assert_array_equal(history.losses, expected.losses)
    assert_same_bits(model, network())
    assert any(program.donates for program in _programs.values())
