"""A command: a small study dealt out over the processes that were started, or made by one."""

import sys

import argflux as af
from argflux.patterns import study_initialisations
from argflux.training.devices import join_processes


def study(folder, distributed):
    network = af.Chain(af.Dense(2, 8, af.relu), af.Dense(8, 2))
    moons = af.make_moons(60, seed=0), af.make_moons(60, seed=1)
    return study_initialisations(
        ["uniform", "orthogonal"],
        network,
        moons,
        starts=5,
        epochs=20,
        batchsize=60,
        rule=af.Descent(0.5),
        folder=folder,
        chunk=2,
        distributed=distributed,
    )


if __name__ == "__main__":
    af.seed(0)
    join_processes()
    print(len(study(sys.argv[1], True).records))
