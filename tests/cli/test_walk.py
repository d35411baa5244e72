"""Every option of every verb with values that cannot be right, and pairs that contradict each other."""

import inspect
import re
from pathlib import Path

import pytest

from argflux.cli.app import app
from argflux.cli.study_settings import StudySettings
from tests.cli.terminal import fails, run

WRONG_WHOLE = ["-1", "1.5", "many", "", "nan", "9" * 30]
WRONG = {
    "families": ["", ",", "kaming", "designed", "designed:", "designed:-1", "designed:nan", "designed:inf",
                 "uniform,uniform"],
    "starts": [*WRONG_WHOLE, "0", "1", "2"],
    "hidden": ["", "0", "-3", "16,,16", "16;16", "1e3", "99999999", "60000,60000"],
    "outputs": ["", "both,linear", "softmax"],
    "relu": ["", "solved", "0"],
    "rule": ["", "adm", "Adam,Lion"],
    "rate": ["-0.5", "nan", "inf", "1e400", "fast", ""],
    "epochs": [*WRONG_WHOLE, "0"],
    "batch": [*WRONG_WHOLE, "0", "201"],
    "seed": [*WRONG_WHOLE, "4294967296"],
    "data": ["there", "file", ""],
    "out": ["file", "file/below", "full", "/proc/argflux"],
    "resume": ["there", "file", "file/below", "full"],
    "of": ["", "nobody", "X"],
    "csv": ["full", "file/below", "/proc/argflux", ""],
    "json": ["full", "file/below", "/proc/argflux", ""],
    "figure": ["full", "file/below.png", "/proc/argflux.png", "", "figure.xyz", "figure"],
}  # fmt: skip
VERBS = {command.callback.__name__: command for command in app.registered_commands}
CASES = [
    (verb, option, value)
    for verb, command in VERBS.items()
    for option in inspect.signature(command.callback).parameters
    for value in WRONG.get(option, [])
]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with a file, and one that is full."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").write_text("precious")


def start_of(verb):
    return {"demo": ["demo"], "solve": ["solve", str(Path(__file__).parent / "small.mps")]}.get(verb, [verb, "moons"])


def left(tmp_path):
    return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))


def test_every_option_has_wrong_values():
    options = {name for command in VERBS.values() for name in inspect.signature(command.callback).parameters}
    assert options - set(WRONG) == {"dataset", "file", "distributed", "sensitivity", "all", "relax"}


@pytest.mark.parametrize(("verb", "option", "value"), CASES)
def test_wrong_values_are_refused_before_any_work(capsys, tmp_path, verb, option, value):
    code, _, errors = run(capsys, *start_of(verb), f"--{option}", value)
    assert code in (1, 2), errors
    assert re.fullmatch(r"error: .*got .*expected .*\n", errors), errors
    assert left(tmp_path) == ["file", "full", "full/kept.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "moons", "--resume", "full", "--out", "new"], "got --resume full with --out new"),
        (["study", "moons", "--resume", "full", "--out", "new"], "got --resume full with --out new"),
        (["train", "moons", "--data", "full"], "expected --data with mnist only"),
        (["study", "moons", "--data", "full"], "expected --data with mnist only"),
        (["study", "moons", "--hidden", "none"], "zeros are counted behind hidden layers"),
        (["demo", "moons"], "unexpected extra argument"),
    ],
)
def test_what_contradicts_itself(capsys, tmp_path, arguments, message):
    assert message in fails(capsys, 2, *arguments)
    assert left(tmp_path) == ["file", "full", "full/kept.txt"]


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if "out" in inspect.signature(VERBS[verb].callback).parameters]
)
def test_advice_about_a_full_folder_names_only_options_that_there_are(capsys, verb):
    line = fails(capsys, 1, *start_of(verb), "--out", "full")
    advised = set(re.findall(r"--(\w+)", line))
    assert advised
    assert advised <= set(inspect.signature(VERBS[verb].callback).parameters)


def test_a_folder_of_another_verb_is_named(capsys):
    assert run(capsys, "train", "moons", "--epochs", "1", "--hidden", "2", "--out", "run")[0] == 0
    line = fails(capsys, 1, "study", "moons", "--resume", "run")
    assert "run/settings.json: got other settings, with relu, rule and without families, outputs, starts" in line
    assert "expected the settings of argflux study" in line

    Path("study").mkdir()
    StudySettings("moons", (5,), starts=3).save(Path("study/settings.json"))
    assert "expected the settings of argflux train" in fails(capsys, 1, "train", "moons", "--resume", "study")


def test_fewer_epochs_than_a_run_has_done_are_refused(capsys):
    assert run(capsys, "train", "moons", "--epochs", "6", "--hidden", "2", "--out", "run")[0] == 0
    line = fails(capsys, 2, "train", "moons", "--resume", "run", "--epochs", "4")
    assert "--epochs: got 4; expected at least the 6 that the run in run has begun" in line
    assert run(capsys, "train", "moons", "--resume", "run", "--epochs", "7")[0] == 0
