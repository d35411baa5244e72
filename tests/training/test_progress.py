import io
import sys

import pytest

from argflux.training import Descent, train
from argflux.training.progress import Progress
from tests.training.models import line_data, loss, network


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def become_terminal(monkeypatch):
    """Return a function that makes stderr a terminal; pytest would undo that before the test's own body."""

    def become():
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stderr", Terminal())
        return sys.stderr

    return become


def test_a_terminal_sees_epochs_loss_and_rate(become_terminal):
    terminal = become_terminal()
    _, history = train(loss, network(), [line_data()], Descent(0.125), epochs=7)
    text = terminal.getvalue()
    assert "epoch 7/7" in text
    assert f"loss {history.losses[-1]:.4g}" in text
    assert "rate 0.125" in text


def test_nothing_is_drawn_when_not_wanted(become_terminal):
    terminal = become_terminal()
    train(loss, network(), [line_data()], Descent(), progress=False)
    assert terminal.getvalue() == ""


def test_nothing_is_drawn_into_a_file(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    train(loss, network(), [line_data()], Descent())
    assert sys.stderr.getvalue() == ""


def test_parts_of_an_epoch_count(become_terminal):
    become_terminal()
    with Progress(epochs=4, done=1, per_epoch=10) as bar:
        bar.show(1, 5, 0.5, None)
        assert bar.bar.tasks[0].completed == 1.5
        assert "rate" not in bar.bar.tasks[0].fields["numbers"]
