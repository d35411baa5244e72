import gzip
import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from argflux.cli.classifier import build
from argflux.cli.datasets import load_data
from argflux.cli.relus import make_relu
from argflux.cli.settings import RELUS, load_settings
from argflux.training import History, load
from tests.cli.terminal import fails, run, start

MOONS = {"model.safetensors", "history.jsonl", "settings.json", "checkpoint.safetensors", "loss.png", "boundary.png"}
PICTURES = {"confusion.png", "mistakes.png"}


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    """Every test works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARGFLUX_DATA", raising=False)


def names(folder):
    return {file.name for file in folder.iterdir()}


def test_moons_learns_and_says_where_everything_is(capsys, tmp_path):
    code, shown, errors = run(capsys, "train", "moons")
    assert (code, errors) == (0, "")
    assert names(tmp_path / "runs" / "moons") == MOONS
    for name in MOONS:
        assert re.search(rf"  runs/moons/{re.escape(name)}$", shown, re.MULTILINE)
    assert "Total: 6 arrays, 354 parameters" in shown
    train, test = re.search(r"moons +([\d.]+) % +([\d.]+) %", shown).groups()
    assert min(float(train), float(test)) >= 97
    assert "\x1b" not in shown
    assert len(History.load("runs/moons/history.jsonl").losses) == 200


def test_digits_with_options(capsys, tmp_path):
    options = [
        "--hidden",
        "8,6",
        "--rule",
        "momentum",
        "--rate",
        "0.05",
        "--epochs",
        "2",
        "--batch",
        "100",
        "--seed",
        "3",
    ]
    code, shown, _ = run(capsys, "train", "digits", *options, "--out", "here/it is")
    assert code == 0
    kept = load_settings(tmp_path / "here" / "it is" / "settings.json")
    assert (kept.hidden, kept.rule, kept.rate, kept.seed) == ((8, 6), "Momentum", 0.05, 3)
    assert len(History.load("here/it is/history.jsonl").losses) == 2 * 15
    assert names(tmp_path / "here" / "it is") == MOONS - {"boundary.png"} | PICTURES
    assert "Momentum(rate=0.05, momentum=0.9)" in shown
    assert "Dense(8 => 6)" in shown


def test_without_a_terminal_lines_tell_of_the_progress(capsys, monkeypatch):
    monkeypatch.setattr("argflux.cli.classifier.REPORT_SECONDS", 0.0)
    _, shown, _ = run(capsys, "train", "moons", "--epochs", "3", "--hidden", "4")
    assert re.search(r"^epoch 2 of 3: loss [\d.]+$", shown, re.MULTILINE)


def test_same_seed_same_run_and_another_seed_another(capsys):
    quick = ["train", "moons", "--epochs", "3", "--hidden", "4"]
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert run(capsys, *quick, "--out", out, "--seed", seed)[0] == 0
    a, b, c = (History.load(f"{out}/history.jsonl").losses for out in "abc")
    np.testing.assert_array_equal(a, b)
    assert (a != c).all()


def test_no_hidden_layer(capsys):
    code, shown, _ = run(capsys, "train", "moons", "--epochs", "1", "--hidden", "none")
    assert code == 0
    assert "6 parameters" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hidden", "16,x"], "--hidden: got '16,x'; expected whole numbers with commas"),
        (["--hidden", ""], "--hidden: got ''"),
        (["--hidden", "16,,16"], "--hidden: got '16,,16'"),
        (["--hidden", "0"], "--hidden: got 0; expected a whole number from 1 to 65536"),
        (["--hidden", "99999999"], "--hidden: got 99999999"),
        (["--epochs", "0"], "--epochs: got 0; expected a whole number from 1 to 1000000000;"),
        (["--epochs", "many"], "--epochs: got 'many'; expected a whole number"),
        (["--batch", "-5"], "--batch: got -5"),
        (["--batch", "201"], "--batch: got 201; expected at most the 200 observations of moons"),
        (["--seed", "-1"], "--seed: got -1"),
        (["--rule", "adm"], "--rule: got 'adm'; expected one of Descent, .*Lion; did you mean Adam?"),
        (["--rule", "42"], "--rule: got '42'; .*; choose one of these"),
        (["--relu", "pogram"], "--relu: got 'pogram'; expected one of plain, program; did you mean program?"),
        (["--rate", "-1"], "--rate: got -1.0; expected a finite number, at least 0"),
        (["--rate", "nan"], "--rate: got nan"),
        (["--rate", "fast"], "--rate: got 'fast'; expected a number"),
        (["--data", "x"], "--data: got --data with moons; expected --data with mnist"),
    ],
)
def test_bad_options_leave_nothing_behind(capsys, tmp_path, options, message):
    assert re.match(f"error: {message}", fails(capsys, 2, "train", "moons", *options))
    assert not names(tmp_path)


def test_bad_data_set(capsys):
    line = fails(capsys, 2, "train", "mist")
    assert line == "error: data set: got 'mist'; expected one of moons, digits, mnist; did you mean mnist?"


def test_folder_with_results_is_left_alone(capsys, tmp_path):
    (tmp_path / "kept.txt").write_text("precious")
    assert "got a folder that holds files already" in fails(capsys, 1, "train", "moons", "--out", ".")
    assert names(tmp_path) == {"kept.txt"}


def test_folder_that_cannot_be_made(capsys, tmp_path):
    (tmp_path / "file").touch()
    assert "got Not a directory" in fails(capsys, 1, "train", "moons", "--out", "file/below")


write_bytes = Path.write_bytes


def write_figures_to_full_disk(path, content):
    return write_bytes(Path("/dev/full") if path.suffix == ".png" else path, content)


def test_full_disk(capsys, monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    monkeypatch.setattr("argflux.plots.saving.Path.write_bytes", write_figures_to_full_disk)
    line = fails(capsys, 1, "train", "moons", "--epochs", "1", "--hidden", "2")
    assert re.search(r"runs/moons/loss\.png: got No space left on device; .*make room", line)


def test_loss_that_diverges_keeps_what_came_before(capsys, tmp_path):
    line = fails(capsys, 1, "train", "moons", "--rate", "1e30", "--hidden", "8")
    assert re.search("step 2", line)
    assert "history.jsonl" in names(tmp_path / "runs" / "moons")
    assert len(History.load("runs/moons/history.jsonl").losses) >= 1


class TestReluProgram:
    quick = ("train", "moons", "--hidden", "4", "--relu", "program")

    def test_same_losses_as_plain_from_the_same_start(self, capsys):
        for kind in RELUS:
            quick = [*self.quick[:-1], kind, "--epochs", "20", "--out", kind]
            code, shown, _ = run(capsys, *quick)
            assert code == 0
            assert ("Program(relu; y)" in shown) == (kind == "program")
            assert load_settings(Path(kind, "settings.json")).relu == kind
        plain, program = (History.load(f"{kind}/history.jsonl").losses for kind in RELUS)
        assert plain[-1] < plain[0]
        np.testing.assert_allclose(plain, program, rtol=1e-4)

    def test_digits(self, capsys, tmp_path):
        quick = ["--hidden", "8,6", "--epochs", "1", "--batch", "500", "--out", "o"]
        assert run(capsys, "train", "digits", "--relu", "Program", *quick)[0] == 0
        assert names(tmp_path / "o") == MOONS - {"boundary.png"} | PICTURES

    def test_model_loads_again(self, capsys):
        assert run(capsys, *self.quick, "--epochs", "3", "--out", "run")[0] == 0
        settings = load_settings(Path("run", "settings.json"))
        learned, tested = load_data(settings)
        models = [build(learned, settings.changed(seed=7), make_relu(kind)) for kind in RELUS]
        plain, program = (np.asarray(load("run/model.safetensors", like=model)(tested.x)) for model in models)
        np.testing.assert_allclose(plain, program, rtol=1e-5, atol=1e-6)
        assert np.abs(program - np.asarray(models[1](tested.x))).max() > 0.01

    def test_going_on_is_as_if_never_stopped(self, capsys):
        assert run(capsys, *self.quick, "--epochs", "9", "--out", "whole")[0] == 0
        assert run(capsys, *self.quick, "--epochs", "4", "--out", "part")[0] == 0
        code, shown, _ = run(capsys, "train", "moons", "--resume", "part", "--epochs", "9")
        assert code == 0
        assert "Program(relu; y)" in shown
        whole, part = (History.load(f"{out}/history.jsonl").losses for out in ("whole", "part"))
        np.testing.assert_array_equal(whole, part)


class TestMnist:
    def write(self, folder, cut=0):
        rng = np.random.default_rng(0)
        folder.mkdir()
        for part, count in (("train", 60), ("t10k", 20)):
            for kind, values in (("images", rng.integers(0, 256, (count, 5, 5))), ("labels", np.arange(count) % 10)):
                head = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
                body = head + values.astype(np.uint8).tobytes()
                name = f"{part}-{kind}-idx{values.ndim}-ubyte.gz"
                (folder / name).write_bytes(gzip.compress(body[: len(body) - cut]))

    @pytest.mark.parametrize("relu", RELUS)
    def test_files_from_a_folder(self, capsys, tmp_path, relu):
        self.write(tmp_path / "files")
        options = ["--data", "files", "--epochs", "1", "--batch", "20", "--out", "o", "--relu", relu]
        code, shown, _ = run(capsys, "train", "mnist", *options)
        assert code == 0
        assert "mnist: 60 observations" in shown
        assert names(tmp_path / "o") >= {"confusion.png", "model.safetensors"}
        assert json.loads((tmp_path / "o" / "settings.json").read_text())["data"] == str(tmp_path / "files")

    def test_no_such_folder(self, capsys, tmp_path):
        assert "nowhere: got no such folder" in fails(capsys, 1, "train", "mnist", "--data", "nowhere")
        assert not names(tmp_path)

    def test_damaged_file(self, capsys, tmp_path):
        self.write(tmp_path / "files", cut=3)
        assert re.search(r"files/train-images-idx3-ubyte\.gz", fails(capsys, 1, "train", "mnist", "--data", "files"))
        assert names(tmp_path) == {"files"}


class TestResume:
    quick = ("train", "moons", "--hidden", "4")

    def test_going_on_is_as_if_never_stopped(self, capsys):
        assert run(capsys, *self.quick, "--epochs", "9", "--out", "whole")[0] == 0
        assert run(capsys, *self.quick, "--epochs", "4", "--out", "part")[0] == 0
        assert run(capsys, "train", "moons", "--resume", "part", "--epochs", "9")[0] == 0
        whole, part = (History.load(f"{out}/history.jsonl").losses for out in ("whole", "part"))
        np.testing.assert_array_equal(whole, part)
        with open("whole/model.safetensors", "rb") as a, open("part/model.safetensors", "rb") as b:
            assert a.read() == b.read()

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (["train", "moons", "--resume", "nowhere"], 1, "nowhere/settings.json: got No such file"),
            (["train", "digits", "--resume", "run"], 2, "got dataset digits; expected dataset moons as in run"),
            (["train", "moons", "--resume", "run", "--rate", "0.1"], 2, "got rate 0.1; expected rate 0.9"),
            (["train", "moons", "--resume", "run", "--relu", "program"], 2, "got relu program; expected relu plain"),
            (["train", "moons", "--resume", "run", "--out", "x"], 2, "got --resume run with --out x"),
        ],
    )
    def test_what_does_not_fit(self, capsys, tmp_path, arguments, code, message):
        assert run(capsys, *self.quick, "--epochs", "1", "--out", "run")[0] == 0
        assert message in fails(capsys, code, *arguments)
        assert names(tmp_path) == {"run"}

    @pytest.mark.parametrize(
        ("content", "message"),
        [(None, "run: got a folder without a checkpoint"), (b"garbage", "run/checkpoint.safetensors: got 7 bytes")],
    )
    def test_checkpoint_that_cannot_be_read(self, capsys, tmp_path, content, message):
        checkpoint = tmp_path / "run" / "checkpoint.safetensors"
        assert run(capsys, *self.quick, "--epochs", "1", "--out", "run")[0] == 0
        checkpoint.unlink() if content is None else checkpoint.write_bytes(content)
        before = {file: file.read_bytes() for file in (tmp_path / "run").iterdir()}
        assert message in fails(capsys, 1, "train", "moons", "--resume", "run")
        assert {file: file.read_bytes() for file in (tmp_path / "run").iterdir()} == before

    @pytest.mark.slow
    def test_ctrl_c_keeps_everything_and_says_how_to_go_on(self, tmp_path, capsys):
        process = start(tmp_path, "train", "digits", "--epochs", "100000", "--hidden", "8")
        checkpoint = tmp_path / "runs" / "digits" / "checkpoint.safetensors"
        limit = time.monotonic() + 120
        while not checkpoint.exists() and time.monotonic() < limit:
            time.sleep(0.1)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 130, errors
        advice = "interrupted: history and checkpoint are in runs/digits; go on with: argflux train digits --resume "
        assert errors == advice + "runs/digits\n"
        before = History.load("runs/digits/history.jsonl")
        assert len(before.losses) > 0
        epochs = str(len(before) + 3)
        assert run(capsys, "train", "digits", "--resume", "runs/digits", "--epochs", epochs)[0] == 0
        after = History.load("runs/digits/history.jsonl")
        assert len(after) == len(before) + 3
        np.testing.assert_array_equal(after.losses[: len(before.losses)], before.losses)
