import dataclasses
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, LoadError, OutputError
from argflux.training import load, save
from tests.training.models import assert_same_bits, network

SUFFIXES = ["safetensors", "npz"]
DTYPES = [jnp.float32, jnp.bfloat16, jnp.float16, jnp.int32, jnp.uint8, jnp.bool_]
SHAPES = [(), (1,), (1, 1), (0, 3), (2, 3, 4)]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_and_dtype_survives(tmp_path, suffix, dtype, shape):
    array = jnp.asarray(np.arange(np.prod(shape)).reshape(shape), dtype)
    path = tmp_path / f"model.{suffix}"
    save(path, {"x": array})
    assert_same_bits(load(path, like={"x": jnp.zeros(shape, dtype)}), {"x": array})


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_network_survives_with_what_is_no_array(tmp_path, suffix):
    save(tmp_path / f"m.{suffix}", network(0))
    loaded = load(tmp_path / f"m.{suffix}", like=network(1))
    assert_same_bits(loaded, network(0))
    assert loaded[0].activation is jnp.tanh


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_awkward_names_survive(tmp_path, suffix):
    model = {"file": jnp.ones(1), "a/b": jnp.ones(2), "self": [jnp.ones(3)], "ü": (jnp.ones(4),), "": jnp.ones(5)}
    save(tmp_path / f"m.{suffix}", model)
    assert_same_bits(load(tmp_path / f"m.{suffix}", like=jax.tree.map(jnp.zeros_like, model)), model)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_single_array_and_random_keys_survive(tmp_path, suffix):
    save(tmp_path / f"a.{suffix}", jnp.arange(3.0))
    assert load(tmp_path / f"a.{suffix}", like=jnp.zeros(3)).tolist() == [0.0, 1.0, 2.0]
    save(tmp_path / f"k.{suffix}", {"key": jax.random.key(7)})
    key = load(tmp_path / f"k.{suffix}", like={"key": jax.random.key(0)})["key"]
    assert key == jax.random.key(7)


def test_arrays_of_a_plain_dataclass_are_saved(tmp_path):
    @dataclasses.dataclass
    class Scaled:
        factor: jax.Array

        def __call__(self, x):
            return self.factor * x

    save(tmp_path / "m.npz", nn.Chain(Scaled(jnp.array(3.0))))
    assert float(load(tmp_path / "m.npz", like=nn.Chain(Scaled(jnp.array(0.0))))[0].factor) == 3.0


def test_files_hold_the_paths_a_user_would_type(tmp_path):
    save(tmp_path / "m.npz", network())
    with np.load(tmp_path / "m.npz", allow_pickle=False) as archive:
        assert {"layers[0].weight", "layers[0].bias", "layers[1].weight", "layers[1].bias"} < set(archive)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_misfit_is_listed(tmp_path, suffix):
    path = tmp_path / f"m.{suffix}"
    save(path, {"a": jnp.ones(2), "b": jnp.ones((1, 1)), "c": jnp.ones(1), "d": jnp.ones(1)})
    like = {"b": jnp.ones(()), "c": jnp.ones(1, jnp.float16), "d": jnp.ones(1), "e": jnp.ones(3)}
    with pytest.raises(LoadError) as caught:
        load(path, like=like)
    assert caught.value.got == (
        "missing: ['e'], extra: ['a'], of another shape: ['b'] (1, 1) instead of (), "
        "of another dtype: ['c'] float32 instead of float16"
    )
    assert caught.value.where == str(path)


def test_long_lists_are_cut(tmp_path):
    save(tmp_path / "m.npz", {})
    with pytest.raises(LoadError, match=r"missing: \[0\], .*\[7\] and 4 more; expected"):
        load(tmp_path / "m.npz", like=[jnp.ones(1)] * 12)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("damage", [lambda b: b[:-5], lambda b: b[:20], lambda b: b"", lambda b: b"hello" * 50])
def test_a_damaged_file_is_named(tmp_path, suffix, damage):
    path = tmp_path / f"m.{suffix}"
    save(path, network())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LoadError, match=rf"m.{suffix}: got \d+ bytes that are not {suffix}"):
        load(path, like=network())


def test_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "m.npz", x=np.array([object()]))
    with pytest.raises(LoadError, match="are not npz"):
        load(tmp_path / "m.npz", like={"x": jnp.ones(1)})


def test_missing_files_and_other_suffixes_are_named(tmp_path):
    with pytest.raises(LoadError, match=r"none.npz: got No such file or directory; expected a file to read"):
        load(tmp_path / "none.npz", like=network())
    for function in (lambda: save("model.pkl", network()), lambda: load("model.pkl", like=network())):
        with pytest.raises(ArgumentError, match=r"got 'model.pkl'; expected a name that ends in .safetensors or .npz"):
            function()


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"m.npz: got .*; expected a place that can be written to"):
        save(tmp_path / "file" / "m.npz", network())


def test_sharded_and_non_contiguous_arrays_are_saved_as_they_read(tmp_path):
    array = np.arange(6.0, dtype=np.float32).reshape(2, 3).T
    save(tmp_path / "m.safetensors", [array, array[::2]])
    loaded = load(tmp_path / "m.safetensors", like=[jnp.zeros((3, 2)), jnp.zeros((2, 2))])
    np.testing.assert_array_equal(loaded[0], array)
    np.testing.assert_array_equal(loaded[1], array[::2])


def test_importing_training_loads_no_optional_package():
    code = (
        "import sys, argflux.training; "
        "print([m for m in ('safetensors', 'rich', 'typer', 'matplotlib', 'sklearn', 'cvxpy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_loading_keeps_the_structure_of_like(tmp_path):
    save(tmp_path / "m.npz", network())
    assert jax.tree.structure(load(tmp_path / "m.npz", like=network(3))) == jax.tree.structure(network())
    assert eqx.tree_equal(load(tmp_path / "m.npz", like=network(3)), network())


def test_shapes_and_dtypes_stand_for_arrays(tmp_path):
    save(tmp_path / "m.npz", network())
    assert eqx.tree_equal(load(tmp_path / "m.npz", like=jax.eval_shape(network)), network())
    save(tmp_path / "a.npz", {"a": jnp.ones(2)})
    with pytest.raises(LoadError, match=r"of another shape: \['a'\] \(2,\) instead of \(3,\)"):
        load(tmp_path / "a.npz", like={"a": jax.ShapeDtypeStruct((3,), jnp.float32)})
