import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from argflux.data import load_mnist, mnist, read_idx
from argflux.errors import DataError
from tests.data.idx_files import idx_bytes

ROOT = Path(__file__).parents[2]
NAMES = list(mnist.CHECKSUMS)
PLACES = [Path(os.environ.get("ARGFLUX_DATA") or ROOT), ROOT.parent / "shared" / "data" / "mnist"]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def small_set(train=6, test=3):
    rng = np.random.default_rng(0)
    arrays = {}
    for prefix, n in (("train", train), ("t10k", test)):
        arrays[f"{prefix}-images-idx3-ubyte"] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        arrays[f"{prefix}-labels-idx1-ubyte"] = rng.integers(0, 10, n, dtype=np.uint8)
    return arrays


def write(folder, arrays, compress=bytes, spelling="-idx", ending=""):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        (folder / (name.replace("-idx", spelling) + ending)).write_bytes(compress(idx_bytes(array)))


def assert_is(pair, arrays):
    for found, prefix in zip(pair, ("train", "t10k"), strict=True):
        images, labels = arrays[f"{prefix}-images-idx3-ubyte"], arrays[f"{prefix}-labels-idx1-ubyte"]
        np.testing.assert_allclose(found.x.reshape(-1, 28, 28) * 255, images, rtol=1e-6)
        np.testing.assert_array_equal(found.y, labels)
        assert (found.x.dtype, found.y.dtype) == (np.float32, np.int32)
        assert (found.classes, found.name) == (tuple(range(10)), "mnist")


@pytest.fixture(autouse=True)
def _no_places(monkeypatch, tmp_path):
    monkeypatch.delenv("ARGFLUX_DATA", raising=False)
    monkeypatch.setattr(mnist, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(mnist, "MIRRORS", ())


@pytest.mark.parametrize("spelling", ["-idx", ".idx"])
@pytest.mark.parametrize(("compress", "ending"), [(bytes, ""), (gzip.compress, ".gz"), (gzip.compress, "")])
def test_reads_a_folder_in_every_spelling(tmp_path, compress, ending, spelling):
    arrays = small_set()
    write(tmp_path / "files", arrays, compress, spelling, ending)
    assert_is(load_mnist(tmp_path / "files"), arrays)
    assert_is(load_mnist(str(tmp_path / "files")), arrays)


@pytest.mark.parametrize("inside", ["", "mnist"])
def test_environment_names_the_folder_or_the_one_above(tmp_path, monkeypatch, inside):
    arrays = small_set()
    write(tmp_path / "data" / inside, arrays)
    monkeypatch.setenv("ARGFLUX_DATA", str(tmp_path / "data"))
    assert_is(load_mnist(), arrays)


def test_places_are_tried_in_order(tmp_path, monkeypatch):
    sets = [small_set(train=n) for n in (4, 5, 6)]
    for folder, arrays in zip(("argument", "environment", "cache/mnist"), sets, strict=True):
        write(tmp_path / folder, arrays)
    monkeypatch.setenv("ARGFLUX_DATA", str(tmp_path / "environment"))
    assert_is(load_mnist(tmp_path / "argument"), sets[0])
    assert_is(load_mnist(), sets[1])
    monkeypatch.delenv("ARGFLUX_DATA")
    assert_is(load_mnist(), sets[2])


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    arrays = small_set()
    del arrays["t10k-labels-idx1-ubyte"]
    write(tmp_path / "files", arrays)
    with pytest.raises(DataError, match=r"files: got no t10k-labels-idx1-ubyte; expected the four files .*; pass the"):
        load_mnist(tmp_path / "files")
    monkeypatch.setenv("ARGFLUX_DATA", str(tmp_path / "files"))
    with pytest.raises(DataError, match=r"got no t10k-labels-idx1-ubyte; .*; correct \$ARGFLUX_DATA, or unset it"):
        load_mnist()
    with pytest.raises(DataError, match="nowhere: got no such folder; expected the four files"):
        load_mnist(tmp_path / "nowhere")


BAD = {
    "fewer labels": (
        "train-labels-idx1-ubyte",
        np.zeros(5, np.uint8),
        "got 6 images and 5 labels in",
        "one label an",
    ),
    "label 10": (
        "t10k-labels-idx1-ubyte",
        np.array([1, 10, 11], np.uint8),
        "label 10 at index 1 (2 such labels)",
        "0 to 9",
    ),
    "labels as images": (
        "train-images-idx3-ubyte",
        np.zeros(6, np.uint8),
        "uint8 of shape (6,)",
        "use the idx3 file",
    ),
    "images as labels": (
        "train-labels-idx1-ubyte",
        np.zeros((6, 2, 2), np.uint8),
        "of shape (6, 2, 2)",
        "idx1 file",
    ),
    "float images": (
        "t10k-images-idx3-ubyte",
        np.zeros((3, 2, 2), np.float32),
        "got float32",
        "uint8 images",
    ),
    "no images": (
        "train-images-idx3-ubyte",
        np.zeros((0, 28, 28), np.uint8),
        "shape (0, 28, 28)",
        "uint8 images",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_do_not_fit_are_named(tmp_path, name):
    file, array, got, rest = BAD[name]
    write(tmp_path / "files", small_set() | {file: array})
    with pytest.raises(DataError) as caught:
        load_mnist(tmp_path / "files")
    message = str(caught.value)
    assert str(tmp_path / "files") in message.split(": got ")[0]
    assert file in message
    assert got in message
    assert rest in message


def test_a_truncated_file_is_named(tmp_path):
    write(tmp_path, small_set())
    file = tmp_path / NAMES[0]
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: got 4694 bytes of data, 10 bytes missing"):
        load_mnist(tmp_path)


def serve(monkeypatch, folder, arrays):
    write(folder, arrays, gzip.compress, ending=".gz")
    sums = {name: sha256(idx_bytes(array)) for name, array in arrays.items()}
    monkeypatch.setattr(mnist, "CHECKSUMS", sums)
    monkeypatch.setattr(mnist, "MIRRORS", (folder.as_uri() + "/",))


def test_downloads_into_the_cache_once(tmp_path, monkeypatch):
    arrays = small_set()
    serve(monkeypatch, tmp_path / "mirror", arrays)
    assert_is(load_mnist(), arrays)
    assert sorted(file.name for file in (tmp_path / "cache" / "mnist").iterdir()) == sorted(f"{n}.gz" for n in NAMES)
    monkeypatch.setattr(mnist, "MIRRORS", ())
    assert_is(load_mnist(), arrays)


def test_offline_says_what_to_do(monkeypatch):
    monkeypatch.setattr(mnist, "MIRRORS", ("file:///no/such/mirror/",))
    with pytest.raises(DataError) as caught:
        load_mnist()
    assert "got no train-images-idx3-ubyte.gz from any mirror (file:///no/such/mirror/: " in str(caught.value)
    assert "put the files into a folder and name it in $ARGFLUX_DATA" in str(caught.value)


@pytest.fixture
def real_files():
    for place in (*PLACES, *(place / "mnist" for place in PLACES)):
        if (place / f"{NAMES[0]}.gz").is_file() or (place / NAMES[0]).is_file():
            return place
    pytest.skip("the MNIST files are neither in $ARGFLUX_DATA nor in ../shared/data/mnist")


def test_the_real_set(real_files):
    train, test = load_mnist(real_files)
    assert (train.x.shape, test.x.shape) == ((60_000, 784), (10_000, 784))
    assert (train.x.min(), train.x.max()) == (0.0, 1.0)
    assert train.y[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    np.testing.assert_allclose(train.x.mean(dtype=np.float64), 0.1307, atol=5e-5)


def test_the_real_files_have_the_checksums(real_files):
    for name, expected in mnist.CHECKSUMS.items():
        file = real_files / name if (real_files / name).is_file() else real_files / f"{name}.gz"
        assert sha256(idx_bytes(read_idx(file))) == expected
