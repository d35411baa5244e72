"""The table and the file that a benchmark leaves."""

import json

import pytest

from benchmarks import __main__ as command
from benchmarks import report


def test_publish(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    rows = [{"model": "MLP", "time": 0.12345}, {"model": "LSTM", "time": 2.0}]
    report.publish("speed", "ours / theirs", rows)
    written = json.loads((tmp_path / "results" / "speed.json").read_text())
    assert written["rows"] == rows
    assert {"processor", "cores", "python", "versions"} <= set(written["machine"])
    assert "0.123" in capsys.readouterr().out


def test_unknown_benchmark():
    with pytest.raises(SystemExit, match=r"got nonsense; expected names among .*gradient"):
        command.main(["nonsense"])
