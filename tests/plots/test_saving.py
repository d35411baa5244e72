import os
from pathlib import Path

import pytest

from argflux.errors import ArgumentError, OutputError
from argflux.plots import loss_curve, save_figure

HEADS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("kind", HEADS)
def test_ending_chooses_the_format(tmp_path, kind):
    path = save_figure(loss_curve([2.0, 1.0]), str(tmp_path / f"loss.{kind}"))
    assert isinstance(path, Path)
    assert path.read_bytes().startswith(HEADS[kind])


@pytest.mark.parametrize("name", ["loss", "loss.xyz"])
def test_unknown_ending(tmp_path, name):
    with pytest.raises(ArgumentError, match=r"got the ending .*expected one of .*png"):
        save_figure(loss_curve([1.0]), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_missing_folder(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere/loss\.png: got No such file or directory"):
        save_figure(loss_curve([1.0]), tmp_path / "nowhere" / "loss.png")


def test_full_disk(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    (tmp_path / "loss.png").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left on device"):
        save_figure(loss_curve([1.0]), tmp_path / "loss.png")
