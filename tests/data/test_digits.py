import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits as read_digits

from argflux.data import load_digits
from argflux.errors import ArgumentError


def test_shapes_dtypes_and_range():
    for part in load_digits():
        assert (part.x.dtype, part.y.dtype) == (np.float32, np.int32)
        assert part.x.shape == (len(part.y), 64)
        assert (part.x.min(), part.x.max()) == (0.0, 1.0)
        assert (part.classes, part.name) == (tuple(range(10)), "digits")


def test_parts_hold_every_digit_once():
    train, test = load_digits(0.7)
    x, y = read_digits(return_X_y=True)
    ours = np.column_stack([np.concatenate([train.x, test.x]) * 16, np.concatenate([train.y, test.y])])
    theirs = np.column_stack([x, y])
    assert sorted(map(tuple, ours)) == sorted(map(tuple, theirs))


@pytest.mark.parametrize("split", [0.5, 0.8])
def test_split_keeps_the_share_of_every_class(split):
    train, test = load_digits(split)
    kept, left = np.bincount(train.y), np.bincount(test.y)
    np.testing.assert_allclose(kept, split * (kept + left), atol=0.51)


@pytest.mark.parametrize("split", [1e-6, 1 - 1e-6])
def test_extreme_splits_leave_every_class_in_both_parts(split):
    for part in load_digits(split):
        assert len(np.unique(part.y)) == 10


def test_seed_decides_the_split():
    same = load_digits(seed=5)[0].x
    np.testing.assert_array_equal(load_digits(seed=5)[0].x, same)
    assert not np.array_equal(load_digits(seed=6)[0].x, same)


@pytest.mark.parametrize("split", [0, 1, -0.1, 1.5, float("nan")])
def test_bad_split(split):
    with pytest.raises(ArgumentError, match=r"load_digits: got split=.*; expected a fraction between 0 and 1; pass"):
        load_digits(split)


def test_importing_the_package_leaves_scikit_learn_alone():
    check = "import sys, argflux.data; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
