import pytest

from argflux.cli.folders import RESUMABLE, new_folder
from argflux.errors import OutputError


def test_default_names_are_counted_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = [str(new_folder(None, "moons")) for _ in range(3)] + [str(new_folder(None, "digits"))]
    assert made == ["runs/moons", "runs/moons-2", "runs/moons-3", "runs/digits"]
    assert all((tmp_path / folder).is_dir() for folder in made)


def test_out_is_made_with_its_parents_and_may_be_empty(tmp_path):
    assert new_folder(tmp_path / "a" / "b", "moons").is_dir()
    assert new_folder(tmp_path / "a" / "b", "moons").is_dir()


def test_results_are_never_overwritten(tmp_path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(OutputError, match=r"got a folder that holds files already; .*; pass another --out$"):
        new_folder(tmp_path, "moons")
    with pytest.raises(OutputError, match=r"got a folder that holds files already; .*--resume"):
        new_folder(tmp_path, "moons", RESUMABLE)


@pytest.mark.parametrize("below", [".", "deeper/still"])
def test_file_in_the_way(tmp_path, below):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"got (File exists|Not a directory); expected a folder"):
        new_folder(tmp_path / "file" / below, "moons")


def test_runs_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").touch()
    with pytest.raises(OutputError, match="runs/moons: got Not a directory"):
        new_folder(None, "moons")
