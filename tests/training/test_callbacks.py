import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argflux.errors import ArgumentError
from argflux.training import Record, early_stopping, patience, plateau, throttle


@pytest.fixture
def clock(monkeypatch):
    """Let tests set the time."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_throttle_lets_calls_through_after_the_pause(clock):
    seen = []
    f = throttle(seen.append, 5)
    for second in range(12):
        clock[0] = 100.0 + second
        f(second)
    assert seen == [0, 5, 10]


def test_throttle_may_leave_the_first_call_out(clock):
    seen = []
    f = throttle(seen.append, 5, leading=False)
    for second in range(7):
        clock[0] = 100.0 + second
        f(second)
    assert seen == [5]


def test_throttle_makes_up_for_the_last_call_only_when_asked_to(clock):
    for trailing, expected in [(True, [0, 2]), (False, [0])]:
        seen = []
        f = throttle(seen.append, 5, trailing=trailing)
        for value in range(3):
            f(value)
        f.flush()
        f.flush()
        assert seen == expected


def test_throttle_passes_results_and_arguments_on():
    f = throttle(lambda a, b: a + b, 60)
    assert f(1, 2) == 3
    assert f(1, 2) is None


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 5))
def test_patience_counts_in_a_row(answers, n):
    f = patience(lambda answer: answer, n)
    results = [f(answer) for answer in answers]
    assert results == [i + 1 >= n and all(answers[i + 1 - n : i + 1]) for i in range(len(answers))]


@given(st.lists(st.floats(-10, 10), max_size=30), st.integers(1, 5), st.floats(0, 3), st.booleans())
def test_early_stopping_waits_for_an_improvement(scores, n, min_dist, maximise):
    f = early_stopping(lambda score: score, n, min_dist=min_dist, maximise=maximise)
    best, since = math.inf, 0
    for score in scores:
        value = -score if maximise else score
        better = value < best - min_dist
        best, since = (value, 0) if better else (best, since + 1)
        assert f(score) == (since >= n)


def test_early_stopping_starts_from_the_score_to_beat():
    f = early_stopping(lambda score: score, 1, init_score=0.9, maximise=True)
    assert [f(score) for score in (0.95, 0.94)] == [False, True]
    assert early_stopping(lambda score: score, 1, init_score=0.9, maximise=True)(0.8)


def test_early_stopping_takes_nan_for_no_improvement():
    f = early_stopping(lambda score: score, 2)
    assert [f(score) for score in (math.nan, math.nan)] == [False, True]


def test_plateau_needs_a_standstill():
    f = plateau(lambda score: score, 3, min_dist=0.5)
    assert [f(s) for s in (5, 4.8, 4.7, 4.0, 4.1, 4.2, 4.3)] == [False, False, False, False, False, False, True]


def test_scores_may_be_names():
    record = Record(1, 10, 0.5, 0.1, {"accuracy": 0.9})
    assert early_stopping("loss", 1, init_score=0.4)(record)
    assert not early_stopping("accuracy", 1, init_score=0.8, maximise=True)(record)
    with pytest.raises(ArgumentError, match="got 'acuracy'; expected loss, rate, accuracy"):
        plateau("acuracy")(record)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: throttle(None, 1), "throttle: got a NoneType; expected a function"),
        (lambda: throttle(print, -1), "seconds=-1; expected a number at least 0"),
        (lambda: throttle(print, "1"), "seconds='1'"),
        (lambda: patience(print, 0), "n=0; expected a number at least 1"),
        (lambda: patience(5, 5), "patience: got a int"),
        (lambda: early_stopping(n=0), "n=0"),
        (lambda: early_stopping(min_dist=-1), "early_stopping: got min_dist=-1"),
        (lambda: plateau(min_dist=math.nan), "plateau: got min_dist=nan"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()
