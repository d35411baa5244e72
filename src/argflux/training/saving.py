"""Models on disk, array by array under its path in the tree."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import LoadError
from argflux.keywords import explained
from argflux.nn.widths import check_filled
from argflux.training.alignment import shortened
from argflux.training.arrays import Arrays, Notes, dtype_name, dtypes_of, noted, read_arrays, write_arrays
from argflux.tree import is_array, named_leaves
from argflux.userlayer import register_layers

M = TypeVar("M")
WHOLE = "array"
CHECKPOINT, IN_CHECKPOINT = "argflux checkpoint", "['model']"
_WIDE = ("float64", "int64", "uint64", "complex128")


@explained
def save(path: str | Path, model: Any) -> None:
    """Write the arrays of a model under their paths, such as `layers[0].weight`, in one move.

    Dtypes that a format lacks (float8, int4, complex128, random keys and such) stand in it as the integers of their
    bits, with a note that `load` reads.

    Args:
        path: a file name ending in .safetensors or .npz.
        model: any tree of arrays; functions and numbers are not written, as `load` takes them from `like`.

    Raises:
        ArgumentError: for another suffix, or two arrays under one path.
        DtypeError: for arrays of no numbers, by path.
        OutputError: when the folder cannot be written to.

    Example:
        >>> import tempfile, jax.numpy as jnp
        >>> from argflux.training import load, save
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(f"{folder}/model.safetensors", {"w": jnp.arange(3.0)})
        ...     load(f"{folder}/model.safetensors", like={"w": jnp.zeros(3)})["w"].tolist()
        [0.0, 1.0, 2.0]
    """
    check_filled(register_layers(model), str(path))
    write_arrays(path, named_arrays(model), {"format": "argflux model 1"})


@explained
def load(path: str | Path, like: M) -> M:
    """Return `like` with the arrays that `save` wrote, or the model of a checkpoint that `train` wrote.

    Arrays come back as they were saved: where `like` has one of NumPy's, one of NumPy's.

    Args:
        path: a file that `save` wrote, or a checkpoint.
        like: a model with the same paths, shapes and dtypes; its own values do not matter, and may be the shapes
            and dtypes that `jax.eval_shape` gives.

    Raises:
        LoadError: when the file is not there or damaged, or does not fit: the message lists the paths that are
            missing, extra, of another shape, and of another dtype. Also for arrays of 64 bits where JAX's x64 is off.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.training import load
        >>> load("nowhere.npz", like=jnp.zeros(2))
        Traceback (most recent call last):
        argflux.errors.LoadError: nowhere.npz: got No such file or directory; expected a file to read; check the path
    """
    arrays, notes = read_arrays(path)
    if notes.get("format", "").startswith(CHECKPOINT):
        arrays, notes = _model_alone(arrays, notes)
    return fill(register_layers(like), arrays, notes, str(path))


def named_arrays(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield the path and the array for each array of a tree."""
    return ((name or WHOLE, leaf) for name, leaf in named_leaves(tree) if is_array(leaf))


def fill(like: M, arrays: Arrays, notes: Notes, where: str) -> M:
    """Return a tree with other arrays in the places of its own, after checking that they fit."""
    leaves, treedef = jax.tree.flatten(like)
    names = [name or WHOLE for name, _ in named_leaves(like)]
    rows = list(zip(names, leaves, strict=True))
    wanted = {name: (_shape(leaf), dtype_name(leaf)) for name, leaf in rows if _holds_array(leaf)}
    dtypes = dtypes_of(notes)
    found = {name: (array.shape, dtypes.get(name, array.dtype.name)) for name, array in arrays.items()}
    _check_fit(wanted, found, where)
    filled = [_like(leaf, arrays[name], f"{where}: {name}") if _holds_array(leaf) else leaf for name, leaf in rows]
    return treedef.unflatten(filled)


def _model_alone(arrays: Arrays, notes: Notes) -> tuple[Arrays, Notes]:
    """Return what a checkpoint holds of the model, under the model's own paths."""
    inside = {name: name.removeprefix(IN_CHECKPOINT).removeprefix(".") or WHOLE for name in arrays}
    names = {old: new for old, new in inside.items() if old.startswith(IN_CHECKPOINT)}
    dtypes = {names[name]: dtype for name, dtype in dtypes_of(notes).items() if name in names}
    return {new: arrays[old] for old, new in names.items()}, noted(dtypes)


def _holds_array(leaf: Any) -> bool:
    return is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)


def _shape(leaf: Any) -> tuple[int, ...]:
    return jax.random.key_data(leaf).shape if _is_key(leaf) else leaf.shape


def _like(leaf: Any, array: np.ndarray, where: str) -> Any:
    """Return an array of the same library as the leaf, with the dtype of both."""
    if _is_key(leaf):
        return jax.random.wrap_key_data(jnp.array(array), impl=jax.random.key_impl(leaf))
    if not isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
        own = np.array(array, leaf.dtype)
        return own if isinstance(leaf, np.ndarray) else own[()]
    if jax.dtypes.canonicalize_dtype(leaf.dtype) != leaf.dtype:
        got, todo = f"an array of {leaf.dtype} while x64 is off", 'call jax.config.update("jax_enable_x64", True) first'
        raise LoadError(got, "arrays that JAX can hold now", todo, where=where)
    return jnp.array(array)


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _check_fit(wanted: dict, found: dict, where: str) -> None:
    shared = [name for name in wanted if name in found]
    shapes = [f"{n} {found[n][0]} instead of {wanted[n][0]}" for n in shared if found[n][0] != wanted[n][0]]
    dtypes = [f"{n} {found[n][1]} instead of {wanted[n][1]}" for n in shared if found[n][1] != wanted[n][1]]
    faults = {
        "missing": [name for name in wanted if name not in found],
        "extra": [name for name in found if name not in wanted],
        "of another shape": shapes,
        "of another dtype": dtypes,
    }
    if any(faults.values()):
        wide = any(found[name][1] in _WIDE and wanted[name][1] not in _WIDE for name in shared)
        hint = "; the file was written with jax_enable_x64" if wide else ""
        raise LoadError(_listed(faults.items()), "the arrays of `like`", f"load into the same model{hint}", where=where)


def _listed(faults: Iterable[tuple[str, list[str]]]) -> str:
    return ", ".join(f"{kind}: {shortened(names)}" for kind, names in faults if names)
