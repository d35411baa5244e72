"""Named arrays as bytes, in the safetensors or the npz format; never pickle."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError, LoadError
from argflux.training.files import write_atomically

Arrays = dict[str, np.ndarray]
Notes = dict[str, str]
_NOTES = "argflux notes"
_DTYPES = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "U32": np.uint32,
    "I32": np.int32,
    "U64": np.uint64,
    "I64": np.int64,
    "F16": np.float16,
    "BF16": jnp.bfloat16,
    "F32": np.float32,
    "F64": np.float64,
}
_SUFFIXES = (".safetensors", ".npz")


def check_path(path: str | Path) -> Path:
    """Return the path if its suffix is that of a format."""
    path = Path(path)
    if path.suffix not in _SUFFIXES:
        got, todo = f"{path.name!r}", f"name it {path.name}.safetensors"
        raise ArgumentError(got, f"a name that ends in {' or '.join(_SUFFIXES)}", todo, where=str(path))
    return path


def write_arrays(path: str | Path, arrays: dict[str, Any], notes: Notes) -> None:
    """Write arrays and notes into one file, in one move.

    Raises:
        ArgumentError: for a suffix other than .safetensors and .npz.
        OutputError: when the place cannot be written to.
    """
    path = check_path(path)
    host = {name: _as_numpy(array) for name, array in arrays.items()}
    content = _npz(host, notes) if path.suffix == ".npz" else _safetensors(host, notes)
    write_atomically(path, content)


def read_arrays(path: str | Path) -> tuple[Arrays, Notes]:
    """Read what `write_arrays` wrote.

    Raises:
        LoadError: when the file is not there, or is damaged.
    """
    path = check_path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        got, todo = error.strerror or str(error), "check the path"
        raise LoadError(got, "a file to read", todo, where=str(path)) from error
    try:
        return _from_npz(content) if path.suffix == ".npz" else _from_safetensors(content)
    except Exception as error:
        got, todo = f"{len(content)} bytes that are not {path.suffix[1:]} ({error})", "use a whole file"
        raise LoadError(got, f"a file that argflux saved as {path.suffix}", todo, where=str(path)) from error


def _as_numpy(array: Any) -> np.ndarray:
    if isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    return np.ascontiguousarray(np.asarray(array)).reshape(np.shape(array))


def _safetensors(arrays: Arrays, notes: Notes) -> bytes:
    from safetensors.numpy import save

    return save(arrays, notes)


def _from_safetensors(content: bytes) -> tuple[Arrays, Notes]:
    from safetensors import deserialize

    length = int.from_bytes(content[:8], "little")
    notes = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    arrays = {
        name: np.frombuffer(entry["data"], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in deserialize(content)
    }
    return arrays, notes


def _npz(arrays: Arrays, notes: Notes) -> bytes:
    """Write each array as .npy; bfloat16, which that format lacks, as the integers of its bits."""
    short = [name for name, array in arrays.items() if array.dtype == jnp.bfloat16]
    plain = {name: array.view(np.uint16) if name in short else array for name, array in arrays.items()}
    plain[_NOTES] = np.array(json.dumps({"notes": notes, "bfloat16": short}))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in plain.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    return buffer.getvalue()


def _from_npz(content: bytes) -> tuple[Arrays, Notes]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = dict(archive)
    extra = json.loads(str(arrays.pop(_NOTES, np.array("{}"))))
    for name in extra.get("bfloat16", []):
        arrays[name] = arrays[name].view(jnp.bfloat16)
    return arrays, extra.get("notes", {})
