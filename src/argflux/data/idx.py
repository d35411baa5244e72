"""IDX, the format of the MNIST files: a header of dimensions, then one big-endian array."""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from argflux.errors import DataError
from argflux.keywords import explained

ELEMENT_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_DIMENSIONS = 64
LARGEST = 2**56
GZIP_MAGIC = b"\x1f\x8b"


@explained
def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read one IDX file, gzipped or not (told by its first bytes, not by its name).

    Args:
        path: the file.

    Returns:
        The array as stored: uint8, int8, int16, int32, float32 or float64, in the machine's byte order.

    Raises:
        DataError: for a file that is missing, no IDX, damaged, or not as long as its header says.

    Example:
        >>> import pathlib, tempfile
        >>> from argflux.data import read_idx
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
        >>> _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
        >>> read_idx(file)
        array([5, 0, 4], dtype=uint8)
    """
    return parse_idx(read_bytes(Path(path)), str(path))


def read_bytes(path: Path) -> bytes:
    """Return what a file holds, unpacked if it is gzip; DataError if it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        todo = "check the path and its permissions"
        raise DataError(error.strerror or str(error), "a readable file", todo, where=str(path)) from error
    return unpack(content, str(path))


def unpack(content: bytes, where: str) -> bytes:
    """Return the bytes inside a gzip, or the bytes themselves if they are none."""
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        got = f"a damaged gzip of {len(content)} bytes ({error})"
        raise DataError(got, "a whole gzip", "download the file again", where=where) from error


def parse_idx(content: bytes, where: str) -> np.ndarray:
    """Return the array that the bytes of an IDX file describe."""
    dtype, shape = _parse_header(content, where)
    start, size = 4 + 4 * len(shape), math.prod(shape) * dtype.itemsize
    if len(content) - start != size:
        excess = len(content) - start - size
        kind = f"{excess} bytes too many" if excess > 0 else f"{-excess} bytes missing"
        raise DataError(
            f"{len(content) - start} bytes of data, {kind}",
            f"{size} bytes for shape {shape} of {dtype.name}",
            "the file is cut short or damaged: download it again",
            where=where,
        )
    return np.ndarray(shape, dtype, content, offset=start).astype(dtype.newbyteorder("="))


def _parse_header(content: bytes, where: str) -> tuple[np.dtype, tuple[int, ...]]:
    magic = content[:4]
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in ELEMENT_TYPES or magic[3] > MOST_DIMENSIONS:
        raise DataError(
            f"first bytes {magic.hex(' ') or '(none, the file is empty)'}",
            "00 00, a type among 08 09 0b 0c 0d 0e, and the number of dimensions",
            "this is no IDX file: pass one such as train-images-idx3-ubyte.gz",
            where=where,
        )
    ndim = magic[3]
    if len(content) < 4 + 4 * ndim:
        got, expected = f"{len(content)} bytes", f"a header of {4 + 4 * ndim} bytes for {ndim} dimensions"
        raise DataError(got, expected, "the file is cut short: download it again", where=where)
    shape = struct.unpack_from(f">{ndim}I", content, 4)
    if math.prod(size for size in shape if size) >= LARGEST:
        got, todo = f"shape {shape}", "the header is damaged: download it again"
        raise DataError(got, "an array that fits into memory", todo, where=where)
    return np.dtype(ELEMENT_TYPES[magic[2]]), shape
