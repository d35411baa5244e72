"""Two interleaved half circles."""

import numpy as np

from argflux.data.arguments import check_integer
from argflux.data.dataset import Dataset
from argflux.errors import ArgumentError
from argflux.keywords import explained


@explained
def make_moons(n: int = 200, noise: float = 0.1, *, seed: int = 0) -> Dataset:
    r"""Make two interleaved half circles at uniform angles, the usual test of a non-linear classifier.

    With $t \sim U(0, \pi)$ the points are $(\cos t, \sin t)$ for class 0 and $(1 - \cos t, 1/2 - \sin t)$ for
    class 1, plus normal noise. Class 0 comes first; shuffle before cutting the set in two.

    Args:
        n: number of points, at least 2; class 1 gets the odd one.
        noise: standard deviation of the noise added to both coordinates.
        seed: the same seed gives the same points.

    Returns:
        A Dataset that unpacks into `x` of shape (n, 2), float32, and `y` of shape (n,), int32.

    Raises:
        ArgumentError: for fewer than 2 points, or for noise that is negative or not finite.

    Example:
        >>> from argflux.data import make_moons
        >>> X, y = make_moons(200, noise=0.1)
        >>> X.shape, y.shape, int(y.sum())
        ((200, 2), (200,), 100)
    """
    n = check_integer(n, 2, "n", "make_moons")
    if not (noise >= 0 and np.isfinite(noise)):
        todo = "pass noise=0.0 for clean half circles"
        raise ArgumentError(f"noise={noise}", "a finite standard deviation, 0 or more", todo, where="make_moons")
    rng = np.random.default_rng(check_integer(seed, 0, "seed", "make_moons"))
    y = (np.arange(n) >= n // 2).astype(np.int32)
    angle = rng.uniform(0.0, np.pi, size=n)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.where(y[:, None] == 0, upper, np.array([1.0, 0.5]) - upper)
    x = x + noise * rng.standard_normal((n, 2))
    return Dataset(x.astype(np.float32), y, (0, 1), "moons")
