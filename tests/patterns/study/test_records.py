import json
import os

import pytest

from argflux.errors import ArgumentError, LoadError, OutputError
from argflux.patterns.study import records as module
from argflux.patterns.study.records import Records, read_records, read_settings
from tests.patterns.studies import record

SETTINGS = {"families": ("a", "b"), "starts": 2}


def filled(folder):
    records = Records(folder, SETTINGS)
    records.add([record("a", 0, 0.5, 0.9), record("b", 0, 0.4, 0.8)])
    return records


def test_what_was_added_is_read_again(tmp_path):
    first = filled(tmp_path / "s")
    again = Records(tmp_path / "s", SETTINGS)
    assert again.kept == first.kept
    assert again.has("a", 0)
    assert not again.has("a", 1)
    assert read_settings(tmp_path / "s") == {"families": ["a", "b"], "starts": 2}


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(filled(None).kept) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cut", [1, 7, 60])
def test_a_line_cut_off_is_dropped_and_written_over(tmp_path, cut):
    filled(tmp_path)
    file = tmp_path / "records.jsonl"
    os.truncate(file, file.stat().st_size - cut)
    records = Records(tmp_path, SETTINGS)
    assert [each["family"] for each in records.kept] == ["a"]
    records.add([record("b", 0, 0.4, 0.8)])
    assert [each["family"] for each in read_records(tmp_path)] == ["a", "b"]


def test_a_folder_of_other_settings_is_refused(tmp_path):
    filled(tmp_path)
    before = (tmp_path / "records.jsonl").read_bytes()
    with pytest.raises(ArgumentError, match=r"got starts 3, seed 1; expected starts 2, seed None, as in the folder"):
        Records(tmp_path, SETTINGS | {"starts": 3, "seed": 1})
    assert (tmp_path / "records.jsonl").read_bytes() == before


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="got a folder with other files; expected a new or empty folder"):
        Records(tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("line", ["{}", "nonsense", "[1]", "3"])
def test_a_damaged_line_is_named(tmp_path, line):
    filled(tmp_path)
    file = tmp_path / "records.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], line, lines[1]]) + "\n")
    with pytest.raises(LoadError, match=r"records.jsonl, line 2: got .*; expected the JSON of a record"):
        Records(tmp_path, SETTINGS)


def test_a_start_recorded_twice_is_named(tmp_path):
    filled(tmp_path)
    file = tmp_path / "records.jsonl"
    file.write_text(file.read_text() + file.read_text().splitlines()[0] + "\n")
    with pytest.raises(LoadError, match=r"line 3: got start 0 of a a second time"):
        read_records(tmp_path)


def test_settings_that_are_no_json_are_named(tmp_path):
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(LoadError, match=r"study.json: got no JSON"):
        Records(tmp_path, SETTINGS)


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    """A device that takes a part and then is full: the part is taken back, and the rest can be added later."""
    records = filled(tmp_path)
    file = tmp_path / "records.jsonl"
    before = file.read_bytes()

    def full(number):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "fsync", full)
        with pytest.raises(
            OutputError, match=r"got No space left on device after \d+ bytes .*; make room and run it again"
        ):
            records.add([record("a", 1, 0.5, 0.9)])
    assert file.read_bytes() == before
    assert not records.has("a", 1)
    records.add([record("a", 1, 0.5, 0.9)])
    assert [json.loads(line)["start"] for line in file.read_text().splitlines()] == [0, 0, 1]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_device_that_is_full(tmp_path):
    records = filled(tmp_path)
    (tmp_path / "records.jsonl").unlink()
    (tmp_path / "records.jsonl").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="got No space left on device"):
        records.add([record("a", 1, 0.5, 0.9)])


def test_numbers_that_are_no_json_are_refused_before_anything_is_written(tmp_path):
    records = filled(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        records.add([record("a", 1, float("nan"), 0.9)])
    assert len(read_records(tmp_path)) == 2


def test_records_of_several_processes_meet_and_torn_lines_of_others_are_left_alone(tmp_path):
    parts = [Records(tmp_path, SETTINGS, number) for number in range(2)]
    parts[0].add([record("a", 0, 0.5, 0.9), record("a", 1, 0.5, 0.9)])
    parts[1].add([record("b", 0, 0.4, 0.8), record("b", 1, 0.4, 0.8)])
    torn = tmp_path / "records-1.jsonl"
    os.truncate(torn, torn.stat().st_size - 3)
    before = torn.read_bytes()
    alone = Records(tmp_path, SETTINGS)
    assert [(each["family"], each["start"]) for each in alone.kept] == [("a", 0), ("a", 1), ("b", 0)]
    assert torn.read_bytes() == before
    alone.add([record("b", 1, 0.4, 0.8)])
    assert len(read_records(tmp_path)) == 4
