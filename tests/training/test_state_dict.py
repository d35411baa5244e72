"""PyTorch's state dicts in models of ours: names, files of all kinds, and what is said when they do not fit."""

import sys
import types

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

import argflux as af
from argflux.errors import ArgumentError, LoadError, MissingDependencyError


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def convolutional() -> af.Chain:
    return af.Chain(af.Conv((3, 3), 1, 2), af.BatchNorm(2, af.relu), af.Flatten(channels_first=True), af.Dense(8, 3))


def theirs() -> dict[str, np.ndarray]:
    """Return what `torch.nn.Sequential(Conv2d, BatchNorm2d, Flatten, Linear).state_dict()` holds."""
    return {
        "0.weight": drawn(0, 2, 1, 3, 3),
        "0.bias": drawn(1, 2),
        "1.weight": drawn(2, 2),
        "1.bias": drawn(3, 2),
        "1.running_mean": drawn(4, 2),
        "1.running_var": np.abs(drawn(5, 2)) + 0.5,
        "1.num_batches_tracked": np.array(7),
        "3.weight": drawn(6, 3, 8),
        "3.bias": drawn(7, 3),
    }


class Tensor:
    """What a state dict of PyTorch holds, as far as reading it goes."""

    def __init__(self, array, dtype="torch.float32"):
        self.array, self.dtype = array, dtype

    def detach(self):
        return self

    def cpu(self):
        return self

    def float(self):
        return Tensor(np.asarray(self.array, np.float32))

    def __array__(self, dtype=None, copy=None):
        if self.dtype == "torch.bfloat16":
            raise TypeError("NumPy has no bfloat16")
        return np.asarray(self.array, dtype)


def assert_loaded(model: af.Chain) -> None:
    wanted = theirs()
    np.testing.assert_array_equal(model[0].weight, wanted["0.weight"])
    np.testing.assert_array_equal(model[1].scale, wanted["1.weight"])
    np.testing.assert_array_equal(model[1].mean.value, wanted["1.running_mean"])
    np.testing.assert_array_equal(model[1].variance.value, wanted["1.running_var"])
    np.testing.assert_array_equal(model[3].bias, wanted["3.bias"])


def test_a_dict_with_running_statistics():
    model = af.loadmodel(convolutional(), theirs())
    assert_loaded(model)
    x = drawn(8, 4, 4, 4, 1)
    y = model[0](x)
    state = theirs()
    normed = (y - state["1.running_mean"]) / np.sqrt(state["1.running_var"] + 1e-5)
    np.testing.assert_allclose(model[1](y), af.relu(normed * state["1.weight"] + state["1.bias"]), rtol=1e-4, atol=1e-5)


def test_a_safetensors_file(tmp_path):
    save_file(theirs(), tmp_path / "theirs.safetensors")
    assert_loaded(af.loadmodel(convolutional(), tmp_path / "theirs.safetensors"))


def with_torch(monkeypatch, load) -> None:
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(load=load))


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("suffix", ["pt", "pth", "bin"])
def test_files_of_torch(tmp_path, monkeypatch, suffix, wrapped):
    """`torch.load` is asked for weights alone, so that nothing is unpickled; a trainer's file holds the dict inside."""
    state = {name: Tensor(value) for name, value in theirs().items()}
    asked = []

    def load(path, **options):
        asked.append((path, options))
        return {"epoch": 3, "state_dict": state} if wrapped else state

    with_torch(monkeypatch, load)
    assert_loaded(af.loadmodel(convolutional(), tmp_path / f"model.{suffix}"))
    assert asked == [(tmp_path / f"model.{suffix}", {"map_location": "cpu", "weights_only": True})]


def test_a_file_that_torch_refuses(tmp_path, monkeypatch):
    def load(path, **options):
        raise RuntimeError("weights only")

    with_torch(monkeypatch, load)
    with pytest.raises(LoadError, match=r"m\.pt: got RuntimeError from torch\.load; expected a state dict"):
        af.loadmodel(convolutional(), tmp_path / "m.pt")


def test_files_of_torch_without_torch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependencyError, match=r"no PyTorch; .*\.safetensors where PyTorch is"):
        af.loadmodel(convolutional(), tmp_path / "m.pt")


def test_bfloat16_goes_by_float32():
    state = {"weight": Tensor(np.ones((2, 3)), "torch.bfloat16"), "bias": Tensor(np.zeros(2))}
    assert af.loadmodel(af.Dense(3, 2), state).weight.dtype == jnp.float32


def test_dtypes_are_those_of_the_model():
    model = af.loadmodel(af.Dense(3, 2, dtype=jnp.bfloat16), {"weight": np.ones((2, 3)), "bias": np.zeros(2)})
    assert model.weight.dtype == model.bias.dtype == jnp.bfloat16


def test_names_of_modules_and_of_arrays():
    state = {"net.fc.weight": drawn(0, 2, 3), "net.fc.bias": drawn(1, 2), "net.out": drawn(2, 1, 2)}
    model = af.Chain(af.Dense(3, 2), af.Dense(2, 1, bias=False))
    loaded = af.loadmodel(model, state, names={"net.fc": "layers[0]", "net.out": "layers[1].weight"})
    np.testing.assert_array_equal(loaded[0].bias, state["net.fc.bias"])
    np.testing.assert_array_equal(loaded[1].weight, state["net.out"])


def test_the_longest_name_wins():
    state = {"a.weight": drawn(0, 2, 2), "a.b.weight": drawn(1, 2, 2)}
    model = af.Chain(af.Dense(2, 2, bias=False), af.Dense(2, 2, bias=False))
    loaded = af.loadmodel(model, state, names={"a": "layers[1]", "a.b": "layers[0]"})
    np.testing.assert_array_equal(loaded[0].weight, state["a.b.weight"])
    np.testing.assert_array_equal(loaded[1].weight, state["a.weight"])


def changed(**changes) -> dict:
    state = theirs() | {name.replace("_", ".", 1): value for name, value in changes.items()}
    return {name: value for name, value in state.items() if value is not None}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (changed(**{"3_bias": None}), r"missing: layers\[3\]\.bias \(as 3\.bias\); expected an array for every one"),
        (changed(**{"1_running_mean": None}), r"missing: layers\[1\]\.mean\S* \(as 1\.running_mean\S*\)"),
        (changed(extra_weight=drawn(0, 2)), r"left over: extra\.weight; .*names=\{theirs: ours\}"),
        (
            changed(**{"3_weight": drawn(0, 8, 3)}),
            r"of another shape: layers\[3\]\.weight \(8, 3\) instead of \(3, 8\)",
        ),
        (changed(**{"3_bias": None}, extra_bias=drawn(0, 3)), r"missing: .*3\]\.bias.*, left over: extra\.bias"),
    ],
    ids=["missing", "missing statistics", "left over", "another shape", "two faults"],
)
def test_what_does_not_fit_is_listed(state, message):
    with pytest.raises(LoadError, match=f"loadmodel: got {message}"):
        af.loadmodel(convolutional(), state)


def test_a_wrong_name_in_names():
    with pytest.raises(ArgumentError, match=r"got conv9 in names; expected names of the state dict, 0\.weight"):
        af.loadmodel(convolutional(), theirs(), names={"conv9": "layers[0]"})


def test_recurrent_layers_of_two_directions():
    state = {"weight_ih_l0": drawn(0, 8, 3), "weight_hh_l0": drawn(1, 8, 2), "weight_ih_l0_reverse": drawn(2, 8, 3)}
    with pytest.raises(LoadError, match="_l0_reverse; expected one direction"):
        af.loadmodel(af.LSTM(3, 2), state)
