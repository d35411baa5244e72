import json
import math

import numpy as np
import pytest

from argflux.errors import LoadError, OutputError
from argflux.training import History, Record, train
from argflux.training.rules import Descent
from tests.training.models import line_data, loss, network


def test_a_history_survives_its_file(tmp_path):
    data = [line_data(8, seed) for seed in range(3)]
    _, history = train(loss, network(), data, Descent(0.1), epochs=4, validation=line_data())
    history.save(tmp_path / "run" / "history.jsonl")
    loaded = History.load(tmp_path / "run" / "history.jsonl")
    assert loaded.records == history.records
    np.testing.assert_array_equal(loaded.losses, history.losses)


def test_each_line_is_the_json_of_an_epoch(tmp_path):
    history = History([Record(1, 2, 0.5, 0.1, {"accuracy": 0.75}, 3.0)], np.float32([0.75, 0.25, 0.125]))
    history.save(tmp_path / "h.jsonl")
    first, last = map(json.loads, (tmp_path / "h.jsonl").read_text().splitlines())
    numbers = {"epoch": 1, "step": 2, "loss": 0.5, "rate": 0.1, "metrics": {"accuracy": 0.75}, "time": 3.0}
    assert first == numbers | {"losses": [0.75, 0.25]}
    assert last == {"step": 3, "losses": [0.125]}


def test_numbers_that_json_lacks_come_back_as_nan(tmp_path):
    History([Record(1, 1, 0.5, None, {"a": math.nan})], [0.5]).save(tmp_path / "h.jsonl")
    assert "NaN" not in (tmp_path / "h.jsonl").read_text()
    assert math.isnan(History.load(tmp_path / "h.jsonl")[0].metrics["a"])


def test_an_empty_history_is_one(tmp_path):
    History().save(tmp_path / "h.jsonl")
    assert len(History.load(tmp_path / "h.jsonl")) == 0
    assert History().losses.shape == (0,)
    assert repr(History()) == "History(0 epochs, 0 steps)"


DAMAGED = ["", "{", "[1]", '{"epoch": 1}', '{"losses": 3}', '{"losses": ["a"]}', '{"losses": [], "epoch": 1}']


@pytest.mark.parametrize("line", DAMAGED)
def test_a_damaged_line_is_named(tmp_path, line):
    path = tmp_path / "h.jsonl"
    path.write_text('{"step": 1, "losses": [1.0]}\n' + line + "\n")
    with pytest.raises(LoadError, match=r"h.jsonl, line 2: got .*; expected the JSON of a record"):
        History.load(path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_is_none_is_named(tmp_path, content):
    if content:
        (tmp_path / "h.jsonl").write_bytes(content)
    with pytest.raises(LoadError, match=r"h.jsonl: got .*expected a file that History.save wrote"):
        History.load(tmp_path / "h.jsonl")


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/h.jsonl: got .*; expected a place that can be written to"):
        History().save(tmp_path / "file" / "h.jsonl")
