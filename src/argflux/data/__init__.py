"""Labelled data: where it comes from, how it is split, batched and encoded."""

from argflux.data.dataset import Dataset
from argflux.data.digits import load_digits
from argflux.data.idx import read_idx
from argflux.data.labels import onecold, onehot, onehotbatch
from argflux.data.loader import DataLoader
from argflux.data.mnist import load_mnist
from argflux.data.moons import make_moons
from argflux.data.observations import check_data
from argflux.data.scores import accuracy
from argflux.data.splits import kfolds, splitobs

__all__ = [
    "DataLoader",
    "Dataset",
    "accuracy",
    "check_data",
    "kfolds",
    "load_digits",
    "load_mnist",
    "make_moons",
    "onecold",
    "onehot",
    "onehotbatch",
    "read_idx",
    "splitobs",
]
