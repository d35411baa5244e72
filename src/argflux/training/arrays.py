"""Named arrays as bytes, in the safetensors or the npz format; never pickle."""

import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from argflux.errors import ArgumentError, DtypeError, LoadError
from argflux.files import write_atomically

Arrays = dict[str, np.ndarray]
Notes = dict[str, str]
_NOTES, _BITS = "argflux notes", "argflux dtypes"
_SAFETENSORS = {
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
_FOREIGN = {"F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2, "C64": np.complex64}
_SUFFIXES = (".safetensors", ".npz")


def check_path(path: str | Path) -> Path:
    """Return the path if its suffix is that of a format."""
    path = Path(path)
    if path.suffix not in _SUFFIXES:
        got, todo = f"{path.name!r}", f"name it {path.name}.safetensors"
        raise ArgumentError(got, f"a name that ends in {' or '.join(_SUFFIXES)}", todo, where=str(path))
    return path


def write_arrays(path: str | Path, arrays: Iterable[tuple[str, Any]], notes: Notes) -> None:
    """Write arrays and notes into one file, in one move.

    Raises:
        ArgumentError: for a suffix other than .safetensors and .npz, or two arrays of one name.
        DtypeError: for an array of no numbers, such as one of strings or objects.
        OutputError: when the place cannot be written to.
    """
    path = check_path(path)
    host: Arrays = {}
    dtypes: Notes = {}
    for name, array in arrays:
        if name in host or name in ("__metadata__", _NOTES):
            got, todo = f"a second array called {name}", "rename a field, so that every path is another"
            raise ArgumentError(got, "one array for each path", todo, where=str(path))
        host[name], dtype = _plain(name, array, path.suffix)
        if host[name].dtype.name != dtype:
            dtypes[name] = dtype
    notes = notes | noted(dtypes)
    content = _npz(host, notes) if path.suffix == ".npz" else _safetensors(host, notes)
    write_atomically(path, content)


def read_arrays(path: str | Path) -> tuple[Arrays, Notes]:
    """Read what `write_arrays` wrote; random keys come as the integers in them, and the notes hold their kinds.

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
        arrays, notes = _from_npz(content) if path.suffix == ".npz" else _from_safetensors(content)
        return {name: _restored(array, dtypes_of(notes).get(name)) for name, array in arrays.items()}, notes
    except Exception as error:
        got, todo = f"{len(content)} bytes that are not {path.suffix[1:]} ({error})", "use a whole file"
        raise LoadError(got, f"a file that argflux saved as {path.suffix}", todo, where=str(path)) from error


def dtypes_of(notes: Notes) -> dict[str, str]:
    """Return the names of the dtypes that stand in a file as the integers of their bits."""
    return json.loads(notes.get(_BITS, "{}"))


def noted(dtypes: dict[str, str]) -> Notes:
    """Return notes from which `dtypes_of` reads these names."""
    return {_BITS: json.dumps(dtypes)} if dtypes else {}


def dtype_name(array: Any) -> str:
    """Return the name of an array's dtype; a random key's tells its kind."""
    return array.dtype.name if isinstance(array.dtype, np.dtype) else str(array.dtype)


def _plain(name: str, array: Any, suffix: str) -> tuple[np.ndarray, str]:
    """Return an array as the format can hold it, in C order and this machine's order of bytes, and its dtype's name."""
    dtype = dtype_name(array)
    if isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    if isinstance(array, np.ma.MaskedArray):
        got = f"an array of dtype {array.dtype} with a mask"
        raise DtypeError(got, "an array of numbers", "save its data and its mask as two", where=name)
    host = np.asarray(array)
    if host.dtype.kind not in "biufc" and not hasattr(ml_dtypes, host.dtype.name):
        got, todo = f"an array of dtype {host.dtype}", "keep it outside of the model's arrays"
        raise DtypeError(got, "an array of numbers", todo, where=name)
    host = np.ascontiguousarray(host, host.dtype.newbyteorder("=")).reshape(host.shape)
    native = not hasattr(ml_dtypes, host.dtype.name)
    if suffix == ".safetensors":
        native = host.dtype in map(np.dtype, _SAFETENSORS.values())
    return (host if native else _bits(host)), dtype


def _bits(host: np.ndarray) -> np.ndarray:
    """Return the integers of an array's bits: one for each number of 1 or 2 bytes, else one for each byte."""
    if host.dtype.itemsize <= 2:
        return host.view(f"u{host.dtype.itemsize}")
    return np.frombuffer(host.tobytes(), np.uint8).reshape(*host.shape, host.dtype.itemsize)


def _restored(array: np.ndarray, name: str | None) -> np.ndarray:
    if name is None or name.startswith("key<"):
        return array
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    shape = array.shape if dtype.itemsize <= 2 else array.shape[:-1]
    return np.frombuffer(array.tobytes(), dtype).reshape(shape)


def _safetensors(arrays: Arrays, notes: Notes) -> bytes:
    from safetensors.numpy import save

    return save(arrays, notes)


def _from_safetensors(content: bytes) -> tuple[Arrays, Notes]:
    from safetensors import deserialize

    length = int.from_bytes(content[:8], "little")
    notes = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    known = _SAFETENSORS | _FOREIGN
    arrays = {
        name: np.frombuffer(entry["data"], known[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in deserialize(content)
    }
    return arrays, notes


def _npz(arrays: Arrays, notes: Notes) -> bytes:
    """Write each array as .npy."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in (arrays | {_NOTES: np.array(json.dumps(notes))}).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    return buffer.getvalue()


def _from_npz(content: bytes) -> tuple[Arrays, Notes]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = dict(archive)
    return arrays, json.loads(str(arrays.pop(_NOTES, np.array("{}"))))
