import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from argflux.data import read_idx
from argflux.data.idx import parse_idx, unpack
from argflux.errors import DataError
from tests.data.idx_files import CODES, idx_bytes

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
ARRAYS = st.sampled_from(sorted(CODES)).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))
LABELS = idx_bytes(np.array([5, 0, 4], dtype=np.uint8))


@given(ARRAYS)
def test_round_trip(array):
    found = parse_idx(idx_bytes(array), "file")
    assert found.dtype == array.dtype
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, array, strict=True)


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_reads_files_of_every_type_gzipped_or_not(tmp_path, dtype, compress):
    array = np.arange(24, dtype=dtype).reshape(2, 3, 4)
    file = tmp_path / "no-ending-at-all"
    file.write_bytes(compress(idx_bytes(array)))
    np.testing.assert_array_equal(read_idx(file), array, strict=True)
    assert read_idx(str(file)).flags.writeable


def test_known_bytes_are_big_endian():
    content = bytes([0, 0, 0x0B, 1, 0, 0, 0, 2, 0x01, 0x02, 0xFF, 0xFE])
    assert parse_idx(content, "file").tolist() == [258, -2]


BAD = {
    "empty": (
        b"",
        "got first bytes (none, the file is empty); expected 00 00, a type among",
        "this is no IDX file",
    ),
    "three bytes": (b"\0\0\x08", "got first bytes 00 00 08;", "this is no IDX file"),
    "text": (b"<html>not found</html>", "got first bytes 3c 68 74 6d;", "this is no IDX file"),
    "unknown type": (b"\0\0\x0a" + LABELS[3:], "got first bytes 00 00 0a 01", "this is no IDX file"),
    "65 dimensions": (b"\0\0\x08\x41" + bytes(300), "got first bytes 00 00 08 41", "this is no IDX file"),
    "short header": (LABELS[:6], "got 6 bytes; expected a header of 8 bytes for 1 dimensions", "cut short"),
    "truncated": (
        LABELS[:-1],
        "got 2 bytes of data, 1 bytes missing; expected 3 bytes for shape (3,) of uint8",
        "cut",
    ),
    "trailing": (
        LABELS + b"ab",
        "got 5 bytes of data, 2 bytes too many; expected 3 bytes for shape (3,)",
        "damaged",
    ),
    "huge": (b"\0\0\x08\x02" + b"\xff" * 8, "shape (4294967295, 4294967295)", "the header is damaged"),
    "huge and empty": (b"\0\0\x08\x03" + b"\xff" * 8 + bytes(4), "4294967295, 0)", "the header is damaged"),
    "gzip cut short": (gzip.compress(LABELS)[:-9], "got a damaged gzip of", "download the file again"),
    "gzip of nonsense": (b"\x1f\x8bnonsense", "got a damaged gzip of 10 bytes", "download the file again"),
    "gzip with a flipped bit": (
        gzip.compress(LABELS)[:-8] + bytes(8),
        "(CRC check failed",
        "download the file again",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_named(tmp_path, name):
    content, got, todo = BAD[name]
    file = tmp_path / "labels"
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: got ")
    assert got in message
    assert todo in message
    assert "\n" not in message


@pytest.mark.parametrize(("name", "got"), [("missing", "No such file"), (".", "Is a directory")])
def test_unreadable_paths(tmp_path, name, got):
    with pytest.raises(DataError, match=f"got {got}.*; expected a readable file; check the path"):
        read_idx(tmp_path / name)


HEADERS = st.builds(
    lambda kind, ndim: bytes([0, 0, kind, ndim]), st.sampled_from(sorted(CODES.values())), st.integers(0, 70)
)


@settings(max_examples=300)
@given(st.one_of(st.just(b""), HEADERS, st.just(b"\x1f\x8b\x08\x00")), st.binary(max_size=40))
def test_any_bytes_give_an_array_or_a_data_error(head, tail):
    try:
        found = parse_idx(unpack(head + tail, "file"), "file")
    except DataError:
        return
    assert idx_bytes(found)[:4] == (head + tail)[:4]
