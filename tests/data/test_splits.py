import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from argflux.data import kfolds, splitobs
from argflux.errors import ArgumentError, DataError

FRACTIONS = st.lists(st.floats(0.05, 0.9), min_size=1, max_size=3).filter(lambda parts: sum(parts) < 0.95)


@given(st.integers(20, 80), FRACTIONS, st.booleans(), st.integers(0, 99))
def test_parts_are_disjoint_complete_and_of_the_size_asked_for(nobs, at, shuffle, seed):
    data = (np.arange(nobs), np.arange(nobs) * 10)
    parts = splitobs(data, tuple(at), shuffle=shuffle, seed=seed)
    assert len(parts) == len(at) + 1
    assert sorted(np.concatenate([x for x, _ in parts]).tolist()) == list(range(nobs))
    for (x, y), fraction in zip(parts, [*at, 1 - sum(at)], strict=True):
        assert abs(len(x) - fraction * nobs) <= 1 + 1e-6
        assert (y == 10 * x).all()


@given(st.integers(2, 30), st.integers(2, 30), st.booleans())
def test_folds_hold_every_observation_out_once(nobs, k, shuffle):
    assume(k <= nobs)
    pairs = list(kfolds(nobs, k, shuffle=shuffle))
    assert len(pairs) == k
    assert sorted(np.concatenate([held for _, held in pairs]).tolist()) == list(range(nobs))
    for train, held in pairs:
        assert sorted([*train.tolist(), *held.tolist()]) == list(range(nobs))
        assert len(held) in (nobs // k, -(-nobs // k))


def test_one_fraction_gives_two_parts_in_order():
    first, second = splitobs(np.arange(10))
    assert (first.tolist(), second.tolist()) == ([0, 1, 2, 3, 4, 5, 6], [7, 8, 9])
    assert [len(part) for part in splitobs(np.arange(10), np.float32(0.25))] == [2, 8]


def test_seed_decides_a_shuffled_split():
    def first(**options):
        return splitobs(np.arange(50), 0.5, shuffle=True, **options)[0].tolist()

    assert first(seed=1) == first(seed=1)
    assert first(seed=1) != first(seed=2)
    assert first() != list(range(25))


def test_trees_and_jax_arrays_keep_their_kind():
    data = {"x": jnp.arange(8.0).reshape(4, 2), "y": np.arange(4)}
    for part in (*splitobs(data, 0.5, shuffle=True), *next(kfolds(data, 2))):
        assert isinstance(part["x"], jax.Array)
        assert isinstance(part["y"], np.ndarray)
        np.testing.assert_array_equal(part["x"][:, 0], 2.0 * part["y"])


BAD = [
    *[
        (
            lambda at=at: splitobs(np.arange(9), at),
            ArgumentError,
            f"splitobs: got at={at!r}; expected fractions",
        )
        for at in (0, 1, 1.0, -0.5, 7, float("nan"), (), (0.5, 0.5), (0.9, 0.2))
    ],
    (
        lambda: splitobs(np.arange(3), 0.1),
        DataError,
        "splitobs: got 3 observations split into 0 + 3; expected at least",
    ),
    (lambda: splitobs((np.arange(3), np.arange(4))), DataError, "splitobs: got 4 observations in [1]"),
    (lambda: splitobs(np.arange(0)), DataError, "splitobs: got 0 observations"),
    (lambda: splitobs(np.arange(9), shuffle=True, seed=-1), ArgumentError, "splitobs: got seed=-1"),
    (lambda: kfolds(9, 1), ArgumentError, "kfolds: got k=1; expected an integer of at least 2"),
    (lambda: kfolds(0), ArgumentError, "kfolds: got data=0"),
    (
        lambda: kfolds(4, 5),
        DataError,
        "kfolds: got 4 observations for 5 folds; expected at least 5; pass k=4 or fewer",
    ),
    (lambda: kfolds((np.arange(3), np.arange(4)), 2), DataError, "kfolds: got 4 observations in [1]"),
]


@pytest.mark.parametrize(("call", "kind", "message"), BAD, ids=[row[2] for row in BAD])
def test_bad_input(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)
