"""The data sets of the command line: each gives training and test data."""

from argflux.cli.settings import Settings
from argflux.data import Dataset, load_digits, load_mnist, make_moons
from argflux.errors import ArgumentError

TEST_SEED = 2**32  # beyond the seeds that can be asked for, so test points are never training points


def load_data(settings: Settings) -> tuple[Dataset, Dataset]:
    """Return the training and test data that the settings name.

    Raises:
        DataError: for files that are missing or damaged.
        ArgumentError: when a batch would be larger than the data.
    """
    train, test = _load(settings)
    if settings.batch > len(train.x):
        got, expected = f"{settings.batch}", f"at most the {len(train.x)} observations of {settings.dataset}"
        raise ArgumentError(got, expected, "lower it, or leave it out for the default", where="--batch")
    return train, test


def _load(settings: Settings) -> tuple[Dataset, Dataset]:
    if settings.dataset == "moons":
        return make_moons(200, seed=settings.seed), make_moons(200, seed=TEST_SEED + settings.seed)
    if settings.dataset == "digits":
        return load_digits()
    return load_mnist(settings.data)
