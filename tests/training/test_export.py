"""Models written as StableHLO: the same outputs without this library, for batches of any size."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import argflux as af
from argflux.errors import ArgumentError, MissingDependencyError
from tests.nn.layers import LAYERS

FIXED = {"BatchNorm in training"}  # statistics of the batch, which needs two values


def run(path, *inputs):
    return export.deserialize(bytearray(path.read_bytes())).call(*inputs)


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer(name, tmp_path):
    row = LAYERS[name]
    model, path = row.make(), tmp_path / "model.stablehlo"
    af.export(path, model, row.batch(examples=1 if name not in FIXED else 5), any_batch=name not in FIXED)
    x = row.batch(examples=5)
    result = run(path, x)
    expected = model(x) if name in FIXED else af.testmode(model)(x)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), result, expected)


FRESH = """
import sys
import numpy as np
from jax import export
x, path, out = np.load(sys.argv[1]), sys.argv[2], sys.argv[3]
with open(path, "rb") as file:
    np.save(out, export.deserialize(bytearray(file.read())).call(x))
assert not any(name.startswith(("argflux", "equinox")) for name in sys.modules)
"""


def test_a_process_without_this_library(tmp_path):
    af.seed(0)
    model = af.Chain(
        *(af.Conv((3, 3), 1, 4), af.BatchNorm(4, af.relu), af.MaxPool((2, 2)), af.Flatten()),
        *(af.Dropout(0.5), af.Dense(36, 10), af.softmax),
    )
    x = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    af.export(tmp_path / "model.stablehlo", model, x[:1])
    names = [str(tmp_path / name) for name in ("x.npy", "model.stablehlo", "y.npy")]
    subprocess.run([sys.executable, "-c", FRESH, *names], check=True, cwd=tmp_path, env={"JAX_PLATFORMS": "cpu"})
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model(x), rtol=1e-5, atol=1e-6)


def test_models_of_two_inputs_and_trained_in_train_mode(tmp_path):
    model = af.trainmode(af.Chain(af.Parallel(af.cat, af.Dense(2, 3), af.Dense(4, 1)), af.Dropout(0.9)))
    path = tmp_path / "model.stablehlo"
    af.export(path, lambda x, y: af.testmode(model)((x, y)), jnp.ones((1, 2)), jnp.ones((1, 4)))
    x, y = jnp.ones((3, 2)), jnp.full((3, 4), 2.0)
    result = run(path, x, y)
    np.testing.assert_allclose(result, af.testmode(model)((x, y)), rtol=1e-6)


def test_text(tmp_path):
    af.export(tmp_path / "model.mlir", af.Dense(2, 3, af.relu), jnp.ones((1, 2)))
    text = (tmp_path / "model.mlir").read_text()
    assert "stablehlo.dot_general" in text
    assert "tensor<?x2xf32>" in text


def test_a_fixed_batch(tmp_path):
    first = lambda x: x if x.shape[0] > 3 else -x
    with pytest.raises(ArgumentError, match="any_batch=False"):
        af.export(tmp_path / "model.mlir", first, jnp.ones((4, 2)))
    af.export(tmp_path / "model.mlir", first, jnp.ones((4, 2)), any_batch=False)
    assert "tensor<4x2xf32>" in (tmp_path / "model.mlir").read_text()


@pytest.mark.parametrize("take", [lambda n: range(n), lambda n: [None] * n, lambda n: [0][: int(n)]], ids=range(3))
def test_sizes_that_python_needs_are_one_error(tmp_path, take):
    model = lambda x: x + len(list(take(x.shape[0])))
    with pytest.raises(ArgumentError, match="any_batch=False"):
        af.export(tmp_path / "model.mlir", model, jnp.ones((4, 2)))


def test_errors_of_the_model_stay_its_own(tmp_path):
    with pytest.raises(KeyError, match="weights"):
        af.export(tmp_path / "model.mlir", lambda x: x + {}["weights"], jnp.ones((4, 2)))


def test_programs_on_the_host_cannot_be_exported(tmp_path):
    host = lambda x: jax.pure_callback(lambda x: np.asarray(x), jax.ShapeDtypeStruct((1, 2), jnp.float32), x)
    with pytest.raises(ArgumentError, match=r"model\.stablehlo: .* JAX operations alone"):
        af.export(tmp_path / "model.stablehlo", host, jnp.ones((1, 2)), any_batch=False)


def test_a_program_inside_is_one_error_that_says_what_works(tmp_path):
    program = af.Program(
        lambda x, y: jnp.sum((x - y) ** 2), variable=lambda y: y, inequality=lambda x, y: jnp.sum(x) - 1
    )
    boxed = af.Program(lambda x, y: jnp.sum(x * x) - 2 * jnp.vdot(y, x), variable=lambda y: y, lower=0.0)
    for options in ({}, {"any_batch": False}):
        model = af.Chain(af.Dense(2, 3), jax.vmap(program))
        with pytest.raises(ArgumentError, match=r"\(an optimisation problem\); .*bounds alone .* can be exported"):
            af.export(tmp_path / "m.stablehlo", model, jnp.ones((2, 2)), **options)
    model = af.Chain(af.Dense(2, 3), jax.vmap(boxed))
    af.export(tmp_path / "m.stablehlo", model, jnp.ones((2, 2)))
    np.testing.assert_allclose(run(tmp_path / "m.stablehlo", jnp.ones((3, 2))), model(jnp.ones((3, 2))), rtol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_another_branch_for_one_size_is_noticed(tmp_path, size):
    odd = lambda x: x if x.shape[0] == size else -x
    with pytest.raises(
        ArgumentError, match=f"another result than the model's for a batch of {size}; .*any_batch=False"
    ):
        af.export(tmp_path / "m.mlir", odd, jnp.ones((2, 2)))
    assert not list(tmp_path.iterdir())
    af.export(tmp_path / "m.mlir", odd, jnp.ones((2, 2)), any_batch=False)


def test_platforms_that_are_none(tmp_path):
    with pytest.raises(ArgumentError, match=r"model\.mlir: got platforms abacus; expected some of cpu, cuda"):
        af.export(tmp_path / "model.mlir", af.relu, jnp.ones(2), platforms=("abacus",))


def test_other_suffixes(tmp_path):
    with pytest.raises(
        ArgumentError, match=r"'model\.onnx'; expected .*\.stablehlo or \.mlir; name it model\.stablehlo"
    ):
        af.export(tmp_path / "model.onnx", af.relu, jnp.ones(2))


def test_no_inputs(tmp_path):
    with pytest.raises(ArgumentError, match="no inputs; expected an example"):
        af.export(tmp_path / "model.mlir", af.relu)


def test_without_flatbuffers(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(MissingDependencyError, match=r"no flatbuffers; .*pip install 'argflux\[export\]'"):
        af.export(tmp_path / "model.stablehlo", af.relu, jnp.ones(2))
    af.export(tmp_path / "model.mlir", af.relu, jnp.ones(2))


def test_widths_not_inferred_yet(tmp_path):
    with pytest.raises(af.errors.ArgfluxError, match="infer"):
        af.export(tmp_path / "model.mlir", af.Dense(None, 2), jnp.ones((1, 2)))
