"""export: a trained model as a file of StableHLO, which runs without this library."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import export as jax_export
from jax.typing import ArrayLike

from argflux.errors import ArgumentError, MissingDependencyError
from argflux.keywords import explained
from argflux.nn.mode import testmode
from argflux.nn.widths import check_filled
from argflux.training.files import write_atomically
from argflux.userlayer import register_layers

SUFFIXES = (".stablehlo", ".mlir")
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


@explained
def export(
    path: str | Path,
    model: Any,
    *inputs: ArrayLike,
    any_batch: bool = True,
    platforms: Sequence[str] = ("cpu", "cuda"),
) -> None:
    """Write what a model computes, with its arrays and in test mode, into one file of StableHLO.

    A `.stablehlo` file runs where JAX is, without this library: `jax.export.deserialize(content).call(x)` on the bytes
    of the file. A `.mlir` file holds the same program as text, for other compilers that read StableHLO.

    Args:
        path: a file name ending in .stablehlo or .mlir.
        model: any function of arrays: a layer, a Chain, a model of one's own.
        *inputs: examples of what it is called with; their values do not matter.
        any_batch: whether the first axis of all inputs may have any size when the file is run; it is the same for all.
        platforms: where the file is to run: "cpu", "cuda", "rocm", "tpu".

    Raises:
        ArgumentError: for another suffix or platform, no inputs, or a model that runs Python in the middle, as programs
            solved on the host do.
        MissingDependencyError: without flatbuffers, which JAX writes .stablehlo files with.
        OutputError: when the folder cannot be written to.

    Example:
        >>> import tempfile, jax.numpy as jnp
        >>> from pathlib import Path
        >>> import argflux as af
        >>> model = af.Chain(af.Dense(2, 3, af.relu), af.Dropout(0.5), af.softmax)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     af.export(f"{folder}/model.mlir", model, jnp.ones((1, 2)))
        ...     "stablehlo.dot_general" in Path(f"{folder}/model.mlir").read_text()
        True
    """
    path = _checked_path(path)
    if not inputs:
        raise ArgumentError("no inputs", "an example of what the model is called with", "pass one", where=str(path))
    if unknown := sorted(set(platforms) - set(PLATFORMS)):
        got, expected = f"platforms {', '.join(unknown)}", f"some of {', '.join(PLATFORMS)}"
        raise ArgumentError(got, expected, "name those that the file is to run on", where=str(path))
    check_filled(register_layers(model), str(path))
    exported = _exported(testmode(model), _shapes(inputs, any_batch), tuple(platforms), str(path))
    content = exported.mlir_module().encode() if path.suffix == ".mlir" else bytes(exported.serialize())
    write_atomically(path, content)


def _checked_path(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix not in SUFFIXES:
        expected, todo = f"a name that ends in {' or '.join(SUFFIXES)}", f"name it {path.stem}.stablehlo"
        raise ArgumentError(f"{path.name!r}", expected, todo, where=str(path))
    if path.suffix == ".stablehlo":
        try:
            import flatbuffers  # noqa: F401
        except ImportError as error:
            todo = "pip install 'argflux[export]', or name the file .mlir"
            raise MissingDependencyError("no flatbuffers", "it, to write the file", todo, where=str(path)) from error
    return path


def _shapes(inputs: Sequence[ArrayLike], any_batch: bool) -> list[jax.ShapeDtypeStruct]:
    (batch,) = jax_export.symbolic_shape("batch") if any_batch else (None,)
    arrays = [jnp.asarray(x) for x in inputs]
    shapes = [(batch, *x.shape[1:]) if any_batch and x.ndim else x.shape for x in arrays]
    return [jax.ShapeDtypeStruct(shape, x.dtype) for shape, x in zip(shapes, arrays, strict=True)]


def _exported(model: Any, shapes: Sequence[jax.ShapeDtypeStruct], platforms: tuple[str, ...], where: str) -> Any:
    try:
        return jax_export.export(jax.jit(lambda *inputs: model(*inputs)), platforms=platforms)(*shapes)
    except (NotImplementedError, ValueError) as error:
        got, todo = " ".join(str(error).split())[:300], "replace what runs on the host, or name other platforms"
        raise ArgumentError(got, "a model of JAX operations alone", todo, where=where) from error
    except (jax.errors.ConcretizationTypeError, jax.errors.InconclusiveDimensionOperation) as error:
        got, todo = " ".join(str(error).split())[:300], "pass any_batch=False"
        raise ArgumentError(got, "a model that takes batches of any size", todo, where=where) from error
