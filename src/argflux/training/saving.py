"""Models on disk, array by array under its path in the tree."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import LoadError
from argflux.nn.widths import check_filled
from argflux.training.alignment import shortened
from argflux.training.arrays import Arrays, read_arrays, write_arrays
from argflux.tree import is_array, named_leaves
from argflux.userlayer import register_layers

M = TypeVar("M")
WHOLE = "array"


def save(path: str | Path, model: Any) -> None:
    """Write the arrays of a model under their paths, such as `layers[0].weight`, in one move.

    Args:
        path: a file name ending in .safetensors or .npz.
        model: any tree of arrays; functions and numbers are not written, as `load` takes them from `like`.

    Raises:
        ArgumentError: for another suffix.
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


def load(path: str | Path, like: M) -> M:
    """Return `like` with the arrays that `save` wrote.

    Args:
        path: a file that `save` wrote.
        like: a model with the same paths, shapes and dtypes; its own values do not matter.

    Raises:
        LoadError: when the file is not there or damaged, or does not fit: the message lists the paths that are
            missing, extra, of another shape, and of another dtype.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.training import load
        >>> load("nowhere.npz", like=jnp.zeros(2))
        Traceback (most recent call last):
        argflux.errors.LoadError: nowhere.npz: got No such file or directory; expected a file to read; check the path
    """
    arrays, _ = read_arrays(path)
    return fill(register_layers(like), arrays, str(path))


def named_arrays(tree: Any) -> dict[str, Any]:
    """Return the arrays of a tree by path."""
    return {name or WHOLE: leaf for name, leaf in named_leaves(tree) if is_array(leaf)}


def fill(like: M, arrays: Arrays, where: str) -> M:
    """Return a tree with other arrays in the places of its own, after checking that they fit."""
    wanted = {name: _description(leaf) for name, leaf in named_arrays(like).items()}
    _check_fit(wanted, {name: (array.shape, array.dtype.name) for name, array in arrays.items()}, where)
    leaves, treedef = jax.tree.flatten(like)
    names = [name or WHOLE for name, _ in named_leaves(like)]
    filled = [_like(leaf, arrays[name]) if is_array(leaf) else leaf for name, leaf in zip(names, leaves, strict=True)]
    return treedef.unflatten(filled)


def _description(leaf: Any) -> tuple[tuple[int, ...], str]:
    data = jax.random.key_data(leaf) if _is_key(leaf) else leaf
    return data.shape, data.dtype.name


def _like(leaf: Any, array: np.ndarray) -> jax.Array:
    if _is_key(leaf):
        return jax.random.wrap_key_data(jnp.array(array), impl=jax.random.key_impl(leaf))
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
        raise LoadError(_listed(faults.items()), "the arrays of `like`", "load into the same model", where=where)


def _listed(faults: Iterable[tuple[str, list[str]]]) -> str:
    return ", ".join(f"{kind}: {shortened(names)}" for kind, names in faults if names)
