import re

import pytest

from argflux.cli import demo
from tests.cli.terminal import fails, run


def test_demo_shows_scores_and_leaves_pictures(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, shown, errors = run(capsys, "demo")
    assert (code, errors) == (0, "")
    assert "Total: 4 arrays, 4_810 parameters" in shown
    train, test = re.search(r"^ReLU +([\d.]+) % +([\d.]+) %", shown, re.MULTILINE).groups()
    assert float(train) > 99
    assert float(test) > 95
    files = re.findall(r"  (runs/demo/\S+)$", shown, re.MULTILINE)
    assert {"runs/demo/loss.png", "runs/demo/relu/confusion.png", "runs/demo/relu/model.safetensors"} <= set(files)
    assert all((tmp_path / file).stat().st_size for file in files)


def test_contestants_are_trained_alike_and_drawn_together(capsys, tmp_path, monkeypatch):
    from argflux import nn, plots
    from argflux.cli.settings import DEFAULTS

    monkeypatch.setitem(DEFAULTS, "digits", DEFAULTS["digits"].changed(epochs=1, batch=500))
    monkeypatch.setattr(demo, "contestants", lambda: {"ReLU": nn.relu, "Tanh too": nn.tanh})
    drawn = []
    curve = plots.loss_curve
    monkeypatch.setattr(plots, "loss_curve", lambda losses, **options: drawn.append(losses) or curve(losses, **options))
    code, shown, _ = run(capsys, "demo", "--out", str(tmp_path / "out"))
    assert code == 0
    assert list(drawn[-1]) == ["ReLU", "Tanh too"]
    assert (tmp_path / "out" / "tanh-too" / "confusion.png").exists()
    assert re.search(r"^Tanh too +[\d.]+ %", shown, re.MULTILINE)


def test_interrupted(capsys, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_compete", interrupt)
    assert fails(capsys, 130, "demo", "--out", str(tmp_path)) == (
        f"interrupted: what was done is in {tmp_path}; run argflux demo again for the rest"
    )


@pytest.mark.parametrize("name", ["model.safetensors", "x"])
def test_results_are_never_overwritten(capsys, tmp_path, name):
    (tmp_path / name).touch()
    assert "holds files already" in fails(capsys, 1, "demo", "--out", str(tmp_path))
