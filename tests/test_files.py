import os

import pytest

from argflux.errors import OutputError
from argflux.files import write_atomically


def test_folders_are_made_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a" / "b" / "file.bin"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["file.bin"]


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file.bin"
    write_atomically(path, b"old")

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"file\.bin: got OSError: No space left on device; expected a place"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.bin"]


def test_a_folder_in_the_place_of_the_file_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="expected a place that can be written to"):
        write_atomically(tmp_path, b"new")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_atomically(tmp_path / "file.bin", b"new")


def test_a_path_without_a_name_is_refused():
    with pytest.raises(OutputError, match=r"got the path '\.'; expected one that ends with a name"):
        write_atomically("", b"new")
