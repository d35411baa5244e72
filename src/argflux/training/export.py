"""export: a trained model as a file of StableHLO, which runs without this library."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export
from jax.typing import ArrayLike

from argflux.errors import ArgumentError, MissingDependencyError
from argflux.files import write_atomically
from argflux.jaxpr import jaxprs_in_params
from argflux.keywords import explained
from argflux.nn.mode import testmode
from argflux.nn.widths import check_filled
from argflux.userlayer import register_layers

SUFFIXES = (".stablehlo", ".mlir")
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


@explained
def export(
    path: str | Path,
    model: Callable,
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
        any_batch: whether the first axis of all inputs may have any size from 1 on when the file is run; it is the
            same for all. What is written is run at sizes 1, 2 and 7 and held against the model.
        platforms: where the file is to run: "cpu", "cuda", "rocm", "tpu".

    Raises:
        ArgumentError: for another suffix or platform, no inputs, a model that runs Python in the middle, as programs
            do that a solver on the host solves, or one that does something else for one size of batch.
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
    tested, arrays = testmode(model), [jnp.asarray(x) for x in inputs]
    if not all(x.size for x in arrays):
        got, expected = "an input without numbers", "an example of what the model is called with"
        raise ArgumentError(got, expected, "pass one of at least one row", where=str(path))
    exported = _exported(tested, arrays, any_batch, tuple(platforms), str(path))
    if not exported.out_avals:
        raise ArgumentError("a model that returns no arrays", "a result", "return it from the call", where=str(path))
    if any_batch and jax.default_backend() in platforms:
        _check_sizes(tested, exported, arrays, str(path))
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


def _shapes(arrays: Sequence[jax.Array], any_batch: bool) -> list[jax.ShapeDtypeStruct]:
    (batch,) = jax_export.symbolic_shape("batch") if any_batch else (None,)
    shapes = [(batch, *x.shape[1:]) if any_batch and x.ndim else x.shape for x in arrays]
    return [jax.ShapeDtypeStruct(shape, x.dtype) for shape, x in zip(shapes, arrays, strict=True)]


def _exported(model: Any, arrays: list[jax.Array], any_batch: bool, platforms: tuple[str, ...], where: str) -> Any:
    call = lambda *inputs: model(*inputs)
    try:
        return jax_export.export(jax.jit(call), platforms=platforms)(*_shapes(arrays, any_batch))
    except Exception as error:
        jaxpr = _traced(call, arrays)
        if jaxpr is None:  # the model's own error
            raise
        reason = " ".join(str(error).split())[:300]
        if found := sorted(_on_the_host(jaxpr)):
            got = f"a model that runs Python on the host ({', '.join(found)})"
            todo = (
                "programs with bounds alone have a closed form and can be exported; around another one, export the "
                "layers before it and those behind it, and solve it where they run"
            )
            raise ArgumentError(got, "a model of JAX operations alone", todo, where=where) from error
        if any_batch:
            todo = "pass any_batch=False"
            raise ArgumentError(reason, "a model that takes batches of any size", todo, where=where) from error
        todo = "replace what runs on the host, or name other platforms"
        raise ArgumentError(reason, "a model of JAX operations alone", todo, where=where) from error


def _traced(call: Any, arrays: list[jax.Array]) -> Any:
    """Return the program of a call, or None where it has none for arrays of these sizes either."""
    try:
        return jax.make_jaxpr(call)(*arrays).jaxpr
    except Exception:
        return None


def _on_the_host(jaxpr: Any) -> set[str]:
    """Return the names of what calls Python in a program."""
    ours = ("solve", "solve_tangent", "kkt", "cone", "cone_tangent", "cone_kkt")
    names = {f"argflux_{name}": "an optimisation problem" for name in ours}
    names |= {name: name for name in ("pure_callback", "io_callback", "debug_callback", "argflux_host")}
    found = {names[eqn.primitive.name] for eqn in jaxpr.eqns if eqn.primitive.name in names}
    inside = [getattr(p, "jaxpr", p) for eqn in jaxpr.eqns for p in jaxprs_in_params(eqn.params)]
    return found.union(*map(_on_the_host, inside))


def _check_sizes(model: Any, exported: Any, arrays: list[jax.Array], where: str) -> None:
    """Compare with the model at several sizes: Python that asks for the size may take another branch while traced."""
    for size in (1, 2, 7):
        batch = [x[jnp.arange(size) % len(x)] if x.ndim and len(x) else x for x in arrays]
        pairs = zip(jax.tree.leaves(exported.call(*batch)), jax.tree.leaves(model(*batch)), strict=True)
        if not all(map(_agree, *zip(*pairs, strict=True))):
            got, todo = f"another result than the model's for a batch of {size}", "pass any_batch=False"
            raise ArgumentError(got, "a model that treats batches of all sizes alike", todo, where=where)


def _agree(y: Any, expected: Any) -> bool:
    y, expected = (np.asarray(array, np.complex128) for array in (y, expected))
    if y.shape != expected.shape:
        return False
    scale = np.max(np.abs(expected), where=np.isfinite(expected), initial=0.0)
    return np.allclose(y, expected, rtol=1e-2, atol=1e-2 * scale, equal_nan=True)
