import re

import numpy as np
import pytest

from argflux.cli import demo
from argflux.cli.folders import MODEL
from argflux.training import History
from tests.cli.terminal import fails, run


def test_demo_shows_scores_and_leaves_pictures(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, shown, errors = run(capsys, "demo")
    assert (code, errors) == (0, "")
    assert shown.count("Total: 4 arrays, 4_810 parameters") == 2
    assert re.findall(r"^  (relu|Program\(relu; y\)),", shown, re.MULTILINE) == ["relu", "Program(relu; y)"]
    plain, program = (
        [float(part) for part in re.search(rf"^{name} +([\d.]+) % +([\d.]+) %", shown, re.MULTILINE).groups()]
        for name in ("ReLU", "ReLU program")
    )
    assert plain[0] > 99
    assert plain[1] > 95
    np.testing.assert_allclose(program, plain, atol=0.1)
    a, b = (History.load(f"runs/demo/{name}/history.jsonl").losses for name in ("relu", "relu-program"))
    np.testing.assert_allclose(a, b, rtol=0.01, atol=1e-4)
    files = re.findall(r"  (runs/demo/\S+)$", shown, re.MULTILINE)
    own = {f"runs/demo/{name}/{file}" for name in ("relu", "relu-program") for file in ("confusion.png", MODEL)}
    assert {"runs/demo/loss.png"} | own <= set(files)
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


def test_both_of_two_equal_curves_show(monkeypatch, tmp_path):
    from argflux import plots

    drawn = []
    monkeypatch.setattr(plots, "save_figure", lambda figure, path: drawn.append(figure) or path)
    demo._draw_together({"a": [2.0, 1.0], "b": [2.0, 1.0]}, tmp_path / "loss.png")
    first, second = drawn[0].axes[0].get_lines()
    assert first.get_linestyle() == "-"
    assert second.get_linestyle() == "--"


@pytest.mark.parametrize("name", ["model.safetensors", "x"])
def test_results_are_never_overwritten(capsys, tmp_path, name):
    (tmp_path / name).touch()
    assert "holds files already" in fails(capsys, 1, "demo", "--out", str(tmp_path))
