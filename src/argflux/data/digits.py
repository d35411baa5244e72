"""The 1797 handwritten digits that ship inside scikit-learn."""

import numpy as np

from argflux.data.arguments import check_integer
from argflux.data.dataset import Dataset
from argflux.data.observations import take
from argflux.errors import ArgumentError
from argflux.keywords import explained


@explained
def load_digits(split: float = 0.8, *, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Load scikit-learn's 8x8 handwritten digits, divided into training and test set class by class.

    Args:
        split: the part of every class that goes into the training set, between 0 and 1.
        seed: the same seed gives the same division.

    Returns:
        `(train, test)`, Datasets with `x` of shape (n, 64), float32 in [0, 1], and `y` of shape (n,), int32.
        `x.reshape(-1, 8, 8)` are the images.

    Raises:
        ArgumentError: for a split outside 0 to 1.

    Example:
        >>> from argflux.data import load_digits
        >>> train, test = load_digits()
        >>> train
        Dataset(digits: x=(1438, 64), y=(1438,), 10 classes)
        >>> test.x.shape, float(test.x.max())
        ((359, 64), 1.0)
    """
    if not 0 < split < 1:
        todo = "pass split=0.8 for four fifths of training data"
        raise ArgumentError(f"split={split!r}", "a fraction between 0 and 1", todo, where="load_digits")
    seed = check_integer(seed, 0, "seed", "load_digits")
    from sklearn.datasets import load_digits as read_digits

    x, y = read_digits(return_X_y=True)
    digits = Dataset((x / 16).astype(np.float32), y.astype(np.int32), tuple(range(10)), "digits")
    chosen = _stratified(digits.y, split, np.random.default_rng(seed))
    return take(digits, np.flatnonzero(chosen)), take(digits, np.flatnonzero(~chosen))


def _stratified(labels: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    chosen = np.zeros(labels.size, dtype=bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        size = min(max(round(fraction * rows.size), 1), rows.size - 1)
        chosen[rows[:size]] = True
    return chosen
