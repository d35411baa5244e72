import numpy as np
import pytest

from argflux.data import make_moons
from argflux.errors import ArgumentError


@pytest.mark.parametrize("n", [2, 7, 200])
def test_shapes_dtypes_and_balance(n):
    moons = make_moons(n)
    assert (moons.x.shape, moons.x.dtype) == ((n, 2), np.float32)
    assert (moons.y.shape, moons.y.dtype) == ((n,), np.int32)
    assert moons.y.sum() == n - n // 2
    assert (np.diff(moons.y) >= 0).all()
    assert (moons.classes, moons.name) == ((0, 1), "moons")


def test_without_noise_the_points_lie_on_their_half_circles():
    x, y = make_moons(500, noise=0.0)
    upper, lower = x[y == 0], x[y == 1]
    np.testing.assert_allclose(np.hypot(upper[:, 0], upper[:, 1]), 1.0, atol=1e-6)
    np.testing.assert_allclose(np.hypot(lower[:, 0] - 1, lower[:, 1] - 0.5), 1.0, atol=1e-6)
    assert (upper[:, 1] >= 0).all()
    assert (lower[:, 1] <= 0.5).all()
    assert upper[:, 0].min() < -0.9  # the angles cover the whole half circle
    assert upper[:, 0].max() > 0.9


def test_noise_has_the_standard_deviation_asked_for():
    noise = make_moons(20_000, noise=0.3, seed=4).x - make_moons(20_000, noise=0.0, seed=4).x
    np.testing.assert_allclose(noise.std(axis=0), 0.3, rtol=0.03)
    np.testing.assert_allclose(noise.mean(axis=0), 0.0, atol=0.01)


def test_seed_decides_the_points():
    np.testing.assert_array_equal(make_moons(seed=3).x, make_moons(seed=3).x)
    assert not np.array_equal(make_moons(seed=3).x, make_moons(seed=4).x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 1}, "make_moons: got n=1; expected an integer of at least 2"),
        ({"n": 20.0}, "got n=20.0"),
        ({"n": True}, "got n=True"),
        ({"noise": -0.1}, "got noise=-0.1; expected a finite standard deviation"),
        ({"noise": float("nan")}, "got noise=nan"),
        ({"noise": float("inf")}, "got noise=inf"),
        ({"seed": -1}, "got seed=-1; expected an integer of at least 0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ArgumentError) as caught:
        make_moons(**arguments)
    assert message in str(caught.value)
