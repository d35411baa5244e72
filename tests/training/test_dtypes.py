"""Every dtype in both formats: what is saved comes back, or is refused by path when saving."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from argflux.errors import ArgumentError, DtypeError, LoadError
from argflux.training import Descent, load, save, train
from tests.training.models import assert_same_bits, line_data, loss, network

SUFFIXES = ["safetensors", "npz"]
PLAIN = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32"]
PLAIN += ["float64", "complex64", "complex128", ">f4", ">i8", ">c8", "<f8", "longdouble"]
SHORT = [name for name in dir(ml_dtypes) if name.startswith(("float", "int", "uint", "bfloat"))]


def numpy_leaves():
    """Return arrays of every dtype, and of every layout in memory."""
    numbers = np.array([[0, 1, 1], [1, 0, 1]])
    tree = {name: numbers.astype(name) for name in PLAIN}
    tree |= {name: numbers.astype(getattr(ml_dtypes, name)) for name in SHORT}
    whole = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
    layouts = {"T": whole.T, "F": np.asfortranarray(whole), "strided": whole[:, ::2], "reversed": whole[::-1]}
    scalars = {"scalar": np.float64(1 / 3), "0-d": np.array(2**40), "empty": np.zeros((0, 3)), "": np.ones(1)}
    return tree | layouts | scalars | {"wide": np.array([2**40, 2**31 + 5]), "huge": np.array([1 / 3, 1e300])}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_numpy_leaves_come_back_as_they_were(tmp_path, suffix):
    tree = numpy_leaves()
    save(tmp_path / f"m.{suffix}", tree)
    again = load(tmp_path / f"m.{suffix}", like=tree)
    for name, leaf in tree.items():
        assert type(again[name]) is type(leaf), name
        assert (again[name].dtype, again[name].shape) == (leaf.dtype, leaf.shape), name
        assert again[name].tobytes() == leaf.tobytes(), name
    again["wide"][0] = 1  # an array of one's own


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_jax_leaves_come_back_as_they_were(tmp_path, suffix, x64):
    tree = {name: jnp.asarray([[0, 1], [1, 1]]).astype(name) for name in PLAIN if name[0] not in "<>l"}
    for name in SHORT:
        if not name.startswith(("float6", "int1", "uint1")) or name in PLAIN:
            tree[name] = jnp.asarray([[0, 1], [1, 1]], getattr(ml_dtypes, name))
    keys = {kind: jax.random.key(7, impl=kind) for kind in ("threefry2x32", "rbg", "unsafe_rbg")}
    tree |= keys | {"keys": jax.random.split(jax.random.key(1), 3), "scalar": jnp.asarray(0.5), "0": jnp.zeros((0, 2))}
    save(tmp_path / f"m.{suffix}", tree)
    again = load(tmp_path / f"m.{suffix}", like=tree)
    for name, leaf in tree.items():
        assert isinstance(again[name], jax.Array)
        assert again[name].dtype == leaf.dtype, name
        assert_same_bits(*(jax.random.key_data(k) if "key" in str(leaf.dtype) else k for k in (again[name], leaf)))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "leaf",
    [
        np.array([object()]),
        np.array(["a"]),
        np.array(["2026-01-01"], "datetime64[D]"),
        np.zeros(2, [("a", "f4")]),
        np.ma.array([1.0, 2.0], mask=[False, True]),
    ],
)
def test_what_are_no_numbers_is_refused_by_path(tmp_path, suffix, leaf):
    with pytest.raises(
        DtypeError, match=r"layers\[0\]\.scale|\['a'\]\[1\]: got an array of dtype .*expected an array of numbers"
    ):
        save(tmp_path / f"m.{suffix}", {"a": [jnp.ones(2), leaf]})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_two_arrays_of_one_path_are_refused(tmp_path, suffix):
    class Odd:
        def __init__(self, *arrays):
            self.arrays = arrays

    class Key:
        def __str__(self):
            return ".same"

    jax.tree_util.register_pytree_with_keys(
        Odd, lambda odd: ([(Key(), array) for array in odd.arrays], None), lambda _, arrays: Odd(*arrays)
    )
    with pytest.raises(ArgumentError, match="got a second array called same; expected one array for each path"):
        save(tmp_path / f"m.{suffix}", Odd(jnp.ones(1), jnp.ones(2)))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_64_bits_of_jax_need_x64(tmp_path, suffix):
    path = tmp_path / f"m.{suffix}"
    with jax.enable_x64(True):
        wide = {"w": jnp.array([1 / 3, 1e300])}
        save(path, wide)
    with pytest.raises(LoadError, match=r"\['w'\]: got an array of float64 while x64 is off.*jax_enable_x64"):
        load(path, like=wide)
    with pytest.raises(LoadError, match=r"float64 instead of float32.*the file was written with jax_enable_x64"):
        load(path, like={"w": jnp.zeros(2)})
    assert load(path, like={"w": np.zeros(2)})["w"].tolist() == [1 / 3, 1e300]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_keys_and_numbers_are_told_apart(tmp_path, suffix):
    path = tmp_path / f"m.{suffix}"
    save(path, {"k": jax.random.key(1, impl="rbg")})
    for like in (jax.random.key(0, impl="unsafe_rbg"), jnp.zeros(4, jnp.uint32), jax.random.key(0)):
        with pytest.raises(LoadError, match=r"\['k'\]"):
            load(path, like={"k": like})


def test_foreign_files_of_float8_are_read(tmp_path):
    from safetensors.numpy import save_file

    weight = np.array([[0.5, 1.5]], ml_dtypes.float8_e4m3fn)
    save_file({"array": weight}, tmp_path / "m.safetensors")
    assert_same_bits(load(tmp_path / "m.safetensors", like=jnp.zeros((1, 2), jnp.float8_e4m3fn)), weight)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_model_of_a_checkpoint_is_loaded_alone(tmp_path, suffix):
    path = tmp_path / f"run.{suffix}"
    data = [tuple(map(jnp.bfloat16, line_data()))]
    model, _ = train(loss, network(dtype=jnp.bfloat16), data, Descent(0.1), epochs=2, checkpoint=path)
    assert_same_bits(load(path, like=network(1, dtype=jnp.bfloat16)), model)
    with pytest.raises(LoadError, match="float32"):
        load(path, like=network())
    single, _ = train(lambda w, x, y: jnp.sum(w**2), jnp.ones(2), [line_data()], Descent(), checkpoint=path)
    assert_same_bits(load(path, like=jnp.zeros(2)), single)


def test_what_training_does_not_move_is_returned_as_it_was():
    model = {"w": jnp.ones(1), "offset": np.array([2**40, 5])}

    def own(m, x, y):
        return jnp.mean((m["w"] * x - y) ** 2)

    after, run = train(own, model, [line_data()], Descent(0.1), epochs=2)
    assert after["offset"] is model["offset"]
    assert run.state is not None
