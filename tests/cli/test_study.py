import json
import re
import signal
import time

import pytest

from argflux.cli.study_settings import STUDY_DEFAULTS, StudySettings, load_study_settings
from argflux.patterns import load_study
from tests.cli.terminal import fails, run, start

QUICK = ["study", "moons", "--starts", "3", "--epochs", "6", "--hidden", "5", "--families", "uniform,orthogonal"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_both_studies_and_one_report(capsys, tmp_path):
    code, shown, errors = run(capsys, *QUICK)
    assert (code, errors) == (0, "")
    folder = tmp_path / "runs" / "study-moons"
    for variant, output in (("linear", False), ("relu", True)):
        study = load_study(folder / variant)
        assert len(study.records) == 6
        assert ("zeros in the output" in study.measures) == output
        assert (folder / f"{variant}-families.png").read_bytes().startswith(b"\x89PNG")
    command = "argflux study moons --hidden 5 --outputs both --families uniform,orthogonal --starts 3 --rate 0.9"
    assert command in (folder / "study.html").read_text()
    assert "orthogonal against uniform, test accuracy" in shown
    assert re.search(r"^report +runs/study-moons/study.html$", shown, re.M)


def test_one_output_and_going_on(capsys, tmp_path):
    assert run(capsys, *QUICK, "--outputs", "relu", "--out", "one")[0] == 0
    file = tmp_path / "one" / "relu" / "records.jsonl"
    assert not (tmp_path / "one" / "linear").exists()
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:2]) + lines[2][:30])
    assert run(capsys, "study", "moons", "--resume", "one")[0] == 0
    again = file.read_text().splitlines(keepends=True)
    assert again[:2] == lines[:2]
    assert len(again) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--families", "kaming"], "families: got 'kaming'; expected one of uniform"),
        (["--families", "designed:-1"], "designed: got kappa=-1.0"),
        (["--starts", "0"], "--starts: got 0; expected a whole number from 3 to 1000000000;"),
        (["--hidden", "none"], "--hidden: got 0; expected a whole number from 1 to 65536"),
        (["--outputs", "softmax"], "--outputs: got 'softmax'; expected one of linear, relu, both"),
        (["--rate", "0"], "--rate: got 0.0; expected a finite number above 0"),
        (["--batch", "999"], "--batch: got 999; expected at most the 200 observations"),
        (["--data", "x"], "--data: got --data with moons"),
    ],
)
def test_bad_options_leave_nothing_behind(capsys, tmp_path, options, message):
    assert re.match(f"error: {re.escape(message)}", fails(capsys, 2, *QUICK, *options))
    assert not list(tmp_path.iterdir())


def test_resuming_what_does_not_fit(capsys, tmp_path):
    StudySettings("moons", (5,), starts=3).save(tmp_path / "settings.json")
    message = fails(capsys, 2, "study", "moons", "--resume", ".", "--starts", "4")
    assert "--resume: got starts 4; expected starts 3 as in ." in message
    assert "got --resume . with --out x" in fails(capsys, 2, "study", "moons", "--resume", ".", "--out", "x")
    assert "nowhere/settings.json: got No such file" in fails(capsys, 1, "study", "moons", "--resume", "nowhere")


@pytest.mark.parametrize("name", STUDY_DEFAULTS)
def test_settings_survive_and_their_command_is_whole(tmp_path, name):
    settings = STUDY_DEFAULTS[name]
    settings.save(tmp_path / "s.json")
    assert load_study_settings(tmp_path / "s.json") == settings
    words = settings.command().split()
    assert {word for word in words if word.startswith("--")} >= {"--hidden", "--starts", "--rate", "--seed"}


@pytest.mark.slow
def test_ctrl_c_keeps_the_records_and_says_how_to_go_on(tmp_path, capsys):
    process = start(tmp_path, *QUICK, "--starts", "400", "--epochs", "3000")
    records = tmp_path / "runs/study-moons/linear/records.jsonl"
    limit = time.monotonic() + 200
    while not records.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    advice = "go on with: argflux study moons --resume runs/study-moons"
    assert errors == f"interrupted: the records are in runs/study-moons; {advice}\n"
    kept = [json.loads(line) for line in records.read_text().splitlines()]
    assert len({(record["family"], record["start"]) for record in kept}) == len(kept) > 0
