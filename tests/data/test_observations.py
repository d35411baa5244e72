import jax.numpy as jnp
import numpy as np
import pytest

from argflux.data import Dataset, check_data
from argflux.errors import DataError, DtypeError

X = np.ones((4, 3), np.float32)


def spoiled(*places, value=np.nan, kind=np.array):
    x = X.copy()
    for place in places:
        x[place] = value
    return kind(x)


@pytest.mark.parametrize(
    "data",
    [
        (X,),
        (X, np.arange(4)),
        ((X, np.arange(4)),),
        (Dataset(X, np.arange(4), (0,), "d"),),
        ({"a": X.astype(jnp.bfloat16)},),
    ],
)
def test_good_data_passes(data):
    assert check_data(*data) is None


BAD = [
    ((spoiled((2, 1), (3, 0)),), DataError, "2 NaN and 0 infinite values among 12, the first at data[2, 1]"),
    (
        (X, spoiled((0, 2), value=-np.inf)),
        DataError,
        "0 NaN and 1 infinite values among 12, the first at [1][0, 2]",
    ),
    (({"x": spoiled((1, 1), kind=jnp.array)},), DataError, "the first at ['x'][1, 1]"),
    ((spoiled((1, 1)).astype(jnp.bfloat16),), DataError, "1 NaN"),
    ((Dataset(spoiled((0, 0)), np.arange(4), (0,), "d"),), DataError, "the first at x[0, 0]"),
    (
        (X, np.arange(3)),
        DataError,
        "3 observations in [1] of shape (3,) and 4 in [0]; expected the same length",
    ),
    ((X[:0],), DataError, "0 observations; expected at least one"),
    ((), DataError, "no arrays"),
    ((X, [1, 2, 3, 4]), DtypeError, "int at [1][0]; expected only arrays in the tree; convert lists"),
    ((np.float32(1),), DataError, "a scalar array at data"),
]


@pytest.mark.parametrize(("data", "kind", "message"), BAD, ids=[row[2] for row in BAD])
def test_bad_data(data, kind, message):
    with pytest.raises(kind) as caught:
        check_data(*data)
    assert message in str(caught.value)
    assert str(caught.value).startswith("check_data: got ")
