"""MNIST: 70 000 handwritten digits of 28x28 pixels, from a folder, the cache or a mirror."""

import os
from pathlib import Path

import numpy as np

from argflux.data.dataset import Dataset
from argflux.data.download import cache_folder, download
from argflux.data.idx import read_idx
from argflux.errors import DataError
from argflux.keywords import explained

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
CHECKSUMS = {  # SHA-256 of the unpacked files
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@explained
def load_mnist(data: str | os.PathLike[str] | None = None) -> tuple[Dataset, Dataset]:
    """Load MNIST, or any set in the same four IDX files, gzipped or not.

    The files are looked for in `data`, else in the folder that `$ARGFLUX_DATA` names (or its subfolder
    `mnist`), else in the platform's cache, where they are downloaded to if need be.

    Args:
        data: the folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the two of `t10k`;
            `.gz` may follow, and a dot may stand before `idx`.

    Returns:
        `(train, test)`, Datasets with `x` of shape (60000, 784) and (10000, 784), float32 in [0, 1], and `y`
        int32. `x.reshape(-1, 28, 28)` are the images; `read_idx` gives the raw uint8 pixels.

    Raises:
        DataError: for a file that is missing, damaged or does not fit the others, and when a download fails.
        OutputError: when the cache folder cannot be written.

    References:
        LeCun, Bottou, Bengio, Haffner (1998), Gradient-based learning applied to document recognition.

    Example:
        >>> from argflux.data import load_mnist
        >>> train, test = load_mnist("path/to/mnist")  # doctest: +SKIP
        >>> train  # doctest: +SKIP
        Dataset(mnist: x=(60000, 784), y=(60000,), 10 classes)
    """
    files = _locate(data)
    images, labels, test_images, test_labels = (files[name] for name in CHECKSUMS)
    return _read_labelled(images, labels), _read_labelled(test_images, test_labels)


def _locate(data: str | os.PathLike[str] | None) -> dict[str, Path]:
    if data is not None:
        return _require([Path(data)], "pass the folder that holds the four MNIST files")
    if root := os.environ.get("ARGFLUX_DATA"):
        todo = "correct $ARGFLUX_DATA, or unset it to download the files"
        return _require([Path(root), Path(root) / "mnist"], todo)
    folder = cache_folder() / "mnist"
    return {
        name: _find(folder, name) or download(f"{name}.gz", MIRRORS, sha256, folder)
        for name, sha256 in CHECKSUMS.items()
    }


def _require(folders: list[Path], todo: str) -> dict[str, Path]:
    found = [{name: file for name in CHECKSUMS if (file := _find(folder, name))} for folder in folders]
    best = max(found, key=len)
    if missing := [name for name in CHECKSUMS if name not in best]:
        kind = "no such folder" if not folders[0].is_dir() else f"no {', '.join(missing)}"
        expected = f"the four files {', '.join(CHECKSUMS)}, with .gz or without"
        raise DataError(kind, expected, todo, where=str(folders[0]))
    return best


def _find(folder: Path, name: str) -> Path | None:
    spellings = (name, name.replace("-idx", ".idx"))
    candidates = (folder / f"{spelling}{ending}" for ending in ("", ".gz") for spelling in spellings)
    return next((file for file in candidates if file.is_file()), None)


def _read_labelled(image_file: Path, label_file: Path) -> Dataset:
    images, labels = read_idx(image_file), read_idx(label_file)
    _check_pixels(images, image_file)
    _check_labels(labels, label_file)
    if len(images) != len(labels):
        raise DataError(
            f"{len(images)} images and {len(labels)} labels in {label_file}",
            "one label an image",
            "take both files from the same set",
            where=str(image_file),
        )
    pixels = images.reshape(len(images), -1)
    x = np.divide(pixels, np.float32(255), dtype=np.float32)
    return Dataset(x, labels.astype(np.int32), tuple(range(10)), "mnist")


def _check_pixels(images: np.ndarray, file: Path) -> None:
    if images.ndim != 3 or images.dtype != np.uint8 or images.size == 0:
        got = f"{images.dtype.name} of shape {images.shape}"
        raise DataError(got, "uint8 images of shape (n, height, width)", "use the idx3 file", where=str(file))


def _check_labels(labels: np.ndarray, file: Path) -> None:
    if labels.ndim != 1 or labels.dtype != np.uint8:
        got = f"{labels.dtype.name} of shape {labels.shape}"
        raise DataError(got, "uint8 labels of shape (n,)", "use the idx1 file", where=str(file))
    outside = np.flatnonzero(labels > 9)
    if outside.size:
        got = f"label {labels[outside[0]]} at index {outside[0]} ({outside.size} such labels)"
        raise DataError(got, "labels 0 to 9", "use a set of ten classes", where=str(file))
