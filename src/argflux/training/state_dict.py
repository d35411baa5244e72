"""loadmodel: the arrays of a PyTorch state dict, in a model of ours."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError, LoadError, MissingDependencyError
from argflux.keywords import explained
from argflux.training.alignment import shortened
from argflux.training.arrays import Arrays, read_arrays
from argflux.tree import is_array, named_leaves
from argflux.userlayer import register_layers

M = TypeVar("M")
_SAME = {"output": "out_proj", "scale": "weight", "mean": "running_mean", "variance": "running_var"}


@explained
def loadmodel(model: M, source: str | Path | Mapping[str, Any], names: Mapping[str, str] | None = None) -> M:
    """Return a model with the arrays of a PyTorch state dict in the places of its own.

    Names meet where both sides number or name their layers alike: `0.weight` of a `torch.nn.Sequential` is
    `layers[0].weight` of a Chain, `enc.weight` is `layers['enc'].weight`. Weights of Dense, convolutions, norms,
    Embedding and Bilinear have the same layout on both sides; those of recurrent layers and of attention are taken
    apart and put together. Convolutions here have channels last, so a Dense after them wants `Flatten(
    channels_first=True)`, which orders the entries as PyTorch does.

    Args:
        model: with layers of the same sizes; its own values do not matter, its dtypes stay.
        source: a .safetensors or .npz file, a .pt file if PyTorch is installed, or the dict itself.
        names: for layers whose names differ, from theirs to ours: `{"conv1": "layers[0]", "fc": "layers[4]"}`.

    Raises:
        LoadError: if arrays are missing, left over, or of other shapes; the message lists them.
        ArgumentError: for a name in `names` that the state dict does not have, or a file of another kind.
        MissingDependencyError: for a .pt file without PyTorch.

    Example:
        >>> import argflux as af, numpy as np
        >>> model = af.Chain(af.Dense(2, 1), af.relu)
        >>> theirs = {"fc.weight": np.ones((1, 2)), "fc.bias": np.zeros(1)}
        >>> af.loadmodel(model, theirs, names={"fc": "layers[0]"})[0].weight.tolist()
        [[1.0, 1.0]]
    """
    where = "loadmodel" if isinstance(source, Mapping) else str(source)
    found = _renamed(_translated(_arrays(source), where), names or {})
    leaves, treedef = jax.tree.flatten(register_layers(model))
    places = [(name, _plain(name), leaf) for (name, _), leaf in zip(named_leaves(model), leaves, strict=True)]
    _check_fit(places, found, where)
    return treedef.unflatten([jnp.asarray(found[p], a.dtype) if is_array(a) else a for _, p, a in places])


def _arrays(source: str | Path | Mapping[str, Any]) -> Arrays:
    if isinstance(source, Mapping):
        named = {str(name): _as_numpy(value) for name, value in source.items()}
    elif Path(source).suffix in (".pt", ".pth", ".bin"):
        named = {name: _as_numpy(value) for name, value in _read_with_torch(Path(source)).items()}
    else:
        named, _ = read_arrays(source)
    return {name: value for name, value in named.items() if not name.endswith("num_batches_tracked")}


def _as_numpy(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    return np.asarray(value)


def _read_with_torch(path: Path) -> dict[str, Any]:
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        todo = "save it as .safetensors where PyTorch is, or install torch"
        raise MissingDependencyError("no PyTorch", "torch, to read .pt", todo, where=str(path)) from error
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        todo = "save model.state_dict() as .safetensors"
        raise LoadError(f"{type(error).__name__} from torch.load", "a state dict", todo, where=str(path)) from error
    return loaded.get("state_dict", loaded)


def _translated(arrays: Arrays, where: str) -> Arrays:
    """Return the arrays under the names that our layers give them, below the names of PyTorch's modules."""
    translated: Arrays = {}
    for prefix, fields in _by_module(arrays).items():
        if "in_proj_weight" in fields or "q_proj_weight" in fields:
            fields = _attention(fields)
        elif any(field.startswith("weight_ih") for field in fields):
            fields = _recurrent(fields, f"{where}: {prefix}")
        translated |= {f"{prefix}.{field}".removeprefix("."): value for field, value in fields.items()}
    return translated


def _by_module(arrays: Arrays) -> dict[str, Arrays]:
    modules: dict[str, Arrays] = {}
    for name, value in arrays.items():
        prefix, _, field = name.rpartition(".")
        modules.setdefault(prefix, {})[field] = value
    return modules


def _attention(fields: Arrays) -> Arrays:
    kept = {name: value for name, value in fields.items() if not name.startswith("in_proj")}
    for field in ("weight", "bias"):
        if f"in_proj_{field}" in fields:
            parts = np.split(fields[f"in_proj_{field}"], 3)
            kept |= {f"{part}.{field}": value for part, value in zip(("query", "key", "value"), parts, strict=True)}
    long = {"q_proj_weight": "query.weight", "k_proj_weight": "key.weight", "v_proj_weight": "value.weight"}
    return {long.get(name, name): value for name, value in kept.items()}


def _recurrent(fields: Arrays, where: str) -> Arrays:
    """Return the arrays of a recurrent layer; of several on top of each other below l0, l1 and so on."""
    suffixes = [name.removeprefix("weight_ih") for name in fields if name.startswith("weight_ih")]
    if odd := [suffix for suffix in suffixes if not re.fullmatch(r"(_l\d+)?", suffix)]:
        got, todo = f"weights {', '.join(odd)}", "load a layer of one direction"
        raise LoadError(got, "one direction", todo, where=where)
    layers: Arrays = {}
    for suffix in suffixes:
        below = f"{suffix[1:]}." if len(suffixes) > 1 else ""
        layers |= {f"{below}{name}": value for name, value in _recurrent_layer(fields, suffix).items()}
    return layers


def _recurrent_layer(fields: Arrays, suffix: str) -> Arrays:
    layer = {"input_weight": fields[f"weight_ih{suffix}"], "state_weight": fields[f"weight_hh{suffix}"]}
    if f"bias_ih{suffix}" not in fields:
        return layer
    of_input, of_state = fields[f"bias_ih{suffix}"], fields[f"bias_hh{suffix}"]
    rows, hidden = layer["state_weight"].shape
    if rows == 3 * hidden:  # the candidate's bias of a GRU lies inside the reset gate
        gates = np.concatenate([of_state[: 2 * hidden], np.zeros_like(of_state[2 * hidden :])])
        return layer | {"bias": of_input + gates, "candidate_bias": of_state[2 * hidden :]}
    return layer | {"bias": of_input + of_state}


def _renamed(arrays: Arrays, names: Mapping[str, str]) -> Arrays:
    """Put our names of layers in place of theirs, the longest name that fits first."""
    unknown = [name for name in names if not any(_is_below(array, name) for array in arrays)]
    if unknown:
        got, expected = f"{', '.join(unknown)} in names", f"names of the state dict, {shortened(list(arrays))}"
        raise ArgumentError(got, expected, "correct these names", where="loadmodel")
    renamed = {}
    for array, value in arrays.items():
        fits = [name for name in names if _is_below(array, name)]
        longest = max(fits, key=len, default="")
        rest = array.removeprefix(longest).removeprefix(".")
        ours = f"{names[longest]}.{rest}" if fits else array
        renamed[_plain(ours)] = value
    return renamed


def _is_below(array: str, module: str) -> bool:
    return not module or array == module or array.startswith(f"{module}.")


def _plain(path: str) -> str:
    """Write a path as PyTorch would: `layers[0].cell.bias` as `0.bias`."""
    parts: list[str] = re.findall(r"[^.\[\]'\"]+", path)
    return ".".join(_SAME.get(part, part) for part in parts if part not in ("layers", "cell"))


def _check_fit(places: list[tuple[str, str, Any]], found: Arrays, where: str) -> None:
    wanted = {plain: (name or "array", leaf) for name, plain, leaf in places if is_array(leaf)}
    missing = [f"{name} (as {plain or 'array'})" for plain, (name, _) in wanted.items() if plain not in found]
    extra = [name for name in found if name not in wanted]
    shapes = [
        f"{name} {found[plain].shape} instead of {leaf.shape}"
        for plain, (name, leaf) in wanted.items()
        if plain in found and found[plain].shape != leaf.shape
    ]
    faults = {"missing": missing, "left over": extra, "of another shape": shapes}
    if any(faults.values()):
        got = ", ".join(f"{kind}: {shortened(listed)}" for kind, listed in faults.items() if listed)
        todo = "give names={theirs: ours} for layers that are called otherwise, and sizes that agree"
        raise LoadError(got, "an array for every one of the model", todo, where=where)
