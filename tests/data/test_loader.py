import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argflux.data import DataLoader
from argflux.errors import ArgumentError, DataError, DtypeError

LOADERS = st.builds(
    lambda nobs, batchsize, shuffle, seed: DataLoader(
        (np.arange(nobs), np.arange(nobs) * 10), batchsize, shuffle=shuffle, seed=seed
    ),
    st.integers(1, 40),
    st.integers(1, 45),
    st.booleans(),
    st.integers(0, 2**40),
)


@given(LOADERS)
def test_every_epoch_visits_every_observation_once(loader):
    for epoch in range(3):
        batches = list(loader)
        assert len(batches) == len(loader) == loader.batches_per_epoch
        assert [len(x) for x, _ in batches[:-1]] == [loader.batchsize] * (len(batches) - 1)
        visited = np.concatenate([x for x, _ in batches])
        assert sorted(visited.tolist()) == list(range(loader.nobs))
        np.testing.assert_array_equal(visited, loader.order(epoch))
        assert all((y == 10 * x).all() for x, y in batches)


@given(st.integers(1, 40), st.integers(1, 40))
def test_without_partial_all_batches_are_whole(nobs, batchsize):
    if nobs < batchsize:
        with pytest.raises(DataError, match=f"{nobs} observations for batches of {batchsize}; expected at least one"):
            DataLoader(np.arange(nobs), batchsize, partial=False)
        return
    loader = DataLoader(np.arange(nobs), batchsize, shuffle=True, partial=False)
    batches = list(loader)
    assert [len(batch) for batch in batches] == [batchsize] * (nobs // batchsize)
    np.testing.assert_array_equal(np.concatenate(batches), loader.order(0)[: len(loader) * batchsize])


def test_orders_differ_between_epochs_and_seeds_and_need_no_history():
    loader = DataLoader(np.arange(100), 10, shuffle=True, seed=7)
    for _ in range(5):
        list(loader)
    again = DataLoader(np.arange(100), 50, shuffle=True, seed=7)
    np.testing.assert_array_equal(loader.order(5), again.order(5))
    assert not np.array_equal(loader.order(5), loader.order(4))
    assert not np.array_equal(loader.order(5), DataLoader(np.arange(100), shuffle=True, seed=8).order(5))
    assert loader.order(0).dtype == np.int32


def test_epoch_counts_iterations_and_can_be_set():
    loader = DataLoader(np.arange(20), 5, shuffle=True)
    for _ in loader:
        break  # an epoch that was left early is over too
    assert loader.epoch == 1
    loader.epoch = 9
    np.testing.assert_array_equal(np.concatenate(list(loader)), loader.order(9))
    assert loader.epoch == 10


def test_two_iterations_at_once_do_not_mix():
    loader = DataLoader(np.arange(20), 5, shuffle=True)
    first, second = iter(loader), iter(loader)
    pairs = list(zip(first, second, strict=True))
    np.testing.assert_array_equal(np.concatenate([a for a, _ in pairs]), loader.order(0))
    np.testing.assert_array_equal(np.concatenate([b for _, b in pairs]), loader.order(1))


def test_without_shuffle_the_order_is_that_of_the_data():
    loader = DataLoader(np.arange(7), 3)
    assert [batch.tolist() for batch in loader] == [[0, 1, 2], [3, 4, 5], [6]]
    np.testing.assert_array_equal(loader.order(3), np.arange(7))


def test_arrays_keep_their_kind_dtype_and_tree():
    data = {"x": jnp.ones((6, 2), jnp.bfloat16), "y": (np.zeros((6, 1, 3), np.uint8), None)}
    batch = next(iter(DataLoader(data, 4, shuffle=True)))
    assert isinstance(batch["x"], jax.Array)
    assert (batch["x"].shape, batch["x"].dtype) == ((4, 2), jnp.bfloat16)
    assert isinstance(batch["y"][0], np.ndarray)
    assert (batch["y"][0].shape, batch["y"][0].dtype, batch["y"][1]) == ((4, 1, 3), np.uint8, None)


def test_a_batch_is_a_copy():
    data = np.zeros(4)
    for batch in DataLoader(data, 2):
        batch += 1
    assert data.sum() == 0


def test_attributes_and_repr():
    data = (np.ones((10, 2)), np.ones(10))
    loader = DataLoader(data, batchsize=4, shuffle=True, partial=False, seed=3)
    assert loader.data is data
    assert (loader.batchsize, loader.shuffle, loader.partial, loader.seed) == (4, True, False, 3)
    assert (loader.nobs, loader.batches_per_epoch, loader.epoch) == (10, 2, 0)
    assert type(DataLoader(data, 3).batches_per_epoch) is int
    assert repr(loader) == "DataLoader(10 observations, 2 batches of 4, shuffled)"


X = np.ones((4, 2))
BAD = [
    (lambda: DataLoader((X, np.ones(3))), DataError, "3 observations in [1] of shape (3,) and 4 in [0]"),
    (
        lambda: DataLoader({"x": X, "y": np.ones(5)}),
        DataError,
        "5 observations in ['y'] of shape (5,) and 4 in ['x']",
    ),
    (lambda: DataLoader(X[:0]), DataError, "0 observations; expected at least one"),
    (lambda: DataLoader(()), DataError, "no arrays; expected at least one array"),
    (
        lambda: DataLoader((X, np.array(1.0))),
        DataError,
        "a scalar array at [1]; expected an axis of observations",
    ),
    (lambda: DataLoader([1, 2, 3]), DtypeError, "int at [0]; expected only arrays in the tree"),
    (lambda: DataLoader((X, "labels")), DtypeError, "str at [1]"),
    (
        lambda: DataLoader(X, 0),
        ArgumentError,
        "batchsize=0; expected an integer of at least 1; pass batchsize=1",
    ),
    (lambda: DataLoader(X, 2.0), ArgumentError, "batchsize=2.0"),
    (lambda: DataLoader(X, seed=-1), ArgumentError, "seed=-1"),
    (lambda: DataLoader(X).order(-1), ArgumentError, "epoch=-1"),
]


@pytest.mark.parametrize(("call", "kind", "message"), BAD, ids=[row[2] for row in BAD])
def test_bad_input(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)
    assert str(caught.value).startswith("DataLoader")


def test_a_mistyped_keyword_is_an_error():
    with pytest.raises(ArgumentError, match=r"write batchsize= \(batch_size in"):
        DataLoader(X, batch_size=2)
