"""Small studies for the tests: data, a network, and made-up records."""

import numpy as np

import argflux as af
from argflux.patterns import Study, study_initialisations

FAMILIES = ["uniform", "kaiming_normal"]


def moons():
    return af.make_moons(48, seed=0), af.make_moons(40, seed=1)


def network(last=af.identity):
    return af.Chain(af.Dense(2, 8, af.relu), af.Dense(8, 5, af.relu), af.Dense(5, 2, last))


def small(families=FAMILIES, model=None, data=None, **changes):
    """Run a study of a few seconds."""
    options = {"starts": 3, "epochs": 4, "batchsize": 16, "rule": af.Descent(0.3), **changes}
    return study_initialisations(
        families, network() if model is None else model, moons() if data is None else data, **options
    )


def record(family, start, zeros, accuracy, gap=0.01, other=0.0):
    """Return a record as a study writes it."""
    after = {
        "train loss": 0.5, "test loss": 0.6, "train accuracy": accuracy + gap, "test accuracy": accuracy, "gap": gap,
    }  # fmt: skip
    before = {"zeros": zeros, "L_gen": other}
    curve = [0.1, accuracy / 2, accuracy]
    return {"family": family, "start": start, "before": before, "after": after, "test accuracy": curve}


def made_up(n=40, seed=0):
    """Return a study in which zeros lower accuracy within families, and family b has more of both."""
    rng = np.random.default_rng(seed)
    records = []
    for index, family in enumerate("ab"):
        for start in range(n):
            zeros = rng.normal()
            accuracy = 0.5 - 0.02 * zeros + 0.2 * index + 0.01 * rng.normal()
            records.append(record(family, start, zeros + 5.0 * index, accuracy, 0.01 * rng.normal(), rng.normal()))
    return Study({"families": ["a", "b"], "epochs": 2, "every": 1, "starts": n, "batchsize": 8}, records)
