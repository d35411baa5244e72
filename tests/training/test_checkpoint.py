import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optax
import pytest

from argflux.data import DataLoader
from argflux.errors import ArgumentError, LoadError, NonFiniteError, OutputError
from argflux.training import Adam, Checkpoint, ClipNorm, Descent, OptimiserChain, adjust, freeze, setup, train
from argflux.training.loop import Run
from tests.training import interrupted_run
from tests.training.models import assert_same_bits, line_data, loss, network

ROOT = Path(__file__).parents[2]
DATA = [line_data(8, seed) for seed in range(3)]


def assert_same_history(one, other):
    np.testing.assert_array_equal(one.losses, other.losses)
    assert one.losses.dtype == other.losses.dtype
    for left, right in zip(one, other, strict=True):
        assert (left.epoch, left.step, left.loss, left.rate, left.metrics) == (
            right.epoch, right.step, right.loss, right.rate, right.metrics,
        )  # fmt: skip
    assert one.stopped == other.stopped


def kill_once(path, kind, after):
    """Start a run, wait for its checkpoint and a while, kill it; return whether it was still going."""
    command = [sys.executable, "-m", "tests.training.interrupted_run", str(path), kind, "0.05"]
    before = path.stat().st_mtime_ns if path.exists() else 0
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    while process.poll() is None and not (path.exists() and path.stat().st_mtime_ns > before):
        time.sleep(0.01)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["loader", "list", "stream"])
def test_killed_and_resumed_is_the_run_that_was_never_stopped(tmp_path, kind):
    path = tmp_path / "run.safetensors"
    kills = [kill_once(path, kind, random.Random(kind).uniform(0.3, 0.9)) for _ in range(2)]
    assert any(kills)
    model, history = interrupted_run.go(path, kind, 0.0)
    expected, straight = interrupted_run.go(None, kind, 0.0)
    assert len(straight) > 3
    assert_same_history(history, straight)
    assert_same_bits(model, expected)
    assert_same_bits(history.state.inner, straight.state.inner)


class Stop(Exception):
    """Ends a run from within."""


@pytest.mark.parametrize(("at", "steps"), [(1, 1), (2, 5), (2, 1000), (5, 2), (7, 1)])
@pytest.mark.parametrize("kind", ["loader", "list", "stream"])
def test_any_checkpoint_of_a_run_leads_to_the_same_end(tmp_path, monkeypatch, kind, at, steps):
    path = tmp_path / "run.safetensors"
    monkeypatch.setattr(Run, "_pace", lambda run: steps)

    def fail(record):
        if record.epoch == at:
            raise Stop

    def go(**keywords):
        return train(loss, network(), interrupted_run.data(kind), Adam(0.01), epochs=7, **keywords)

    with pytest.raises(Stop):
        go(callback=fail, checkpoint=Checkpoint(path, every=0.0))
    monkeypatch.undo()
    model, history = go(checkpoint=path, resume=True)
    expected, straight = go()
    assert_same_history(history, straight)
    assert_same_bits(model, expected)


def test_control_c_writes_the_checkpoint(tmp_path):
    path = tmp_path / "run.npz"

    def interrupt(record):
        if record.epoch == 3:
            signal.raise_signal(signal.SIGINT)

    keywords = {"epochs": 6, "validation": line_data()}
    _, first = train(loss, network(), DATA, Adam(0.01), callback=interrupt, checkpoint=path, **keywords)
    assert first.interrupted
    model, history = train(loss, network(), DATA, Adam(0.01), checkpoint=path, resume=True, **keywords)
    expected, straight = train(loss, network(), DATA, Adam(0.01), **keywords)
    assert_same_history(history, straight)
    assert_same_bits(model, expected)


def test_a_finished_run_may_be_given_more_epochs(tmp_path):
    path = tmp_path / "run.npz"
    train(loss, network(), DATA, Adam(0.01), epochs=2, checkpoint=path)
    _, history = train(loss, network(), DATA, Adam(0.01), epochs=2, checkpoint=path, resume=True)
    assert len(history) == 2
    model, history = train(loss, network(), DATA, Adam(0.01), epochs=5, checkpoint=path, resume=True)
    expected, straight = train(loss, network(), DATA, Adam(0.01), epochs=5)
    assert_same_history(history, straight)
    assert_same_bits(model, expected)


def test_a_run_that_until_ended_stays_ended(tmp_path):
    path = tmp_path / "run.npz"
    keywords = {"epochs": 9, "until": lambda record: record.epoch == 3, "checkpoint": path}
    model, _ = train(loss, network(), DATA, Adam(0.01), **keywords)
    again, history = train(loss, network(), DATA, Adam(0.01), resume=True, **keywords)
    assert (history.stopped, len(history)) == ("until", 3)
    assert_same_bits(model, again)


def test_an_until_that_looks_at_models_can_be_resumed(tmp_path):
    path = tmp_path / "run.npz"
    keywords = {"until": lambda record: float(record.model[1].bias[0]) > 99, "checkpoint": path}
    train(loss, network(), DATA, Adam(0.01), epochs=2, **keywords)
    _, history = train(loss, network(), DATA, Adam(0.01), epochs=4, resume=True, **keywords)
    assert len(history) == 4


def test_without_resume_a_run_starts_anew(tmp_path):
    path = tmp_path / "run.npz"
    for _ in range(2):
        _, history = train(loss, network(), DATA, Adam(0.01), epochs=2, checkpoint=path)
        assert len(history) == 2


def test_resume_without_a_file_yet_starts_anew(tmp_path):
    _, history = train(loss, network(), DATA, Adam(0.01), checkpoint=tmp_path / "run.npz", resume=True)
    assert len(history) == 1


def test_an_adjusted_rate_and_optax_state_survive(tmp_path):
    for name, rule in [("a", adjust(setup(Adam(0.01), network()), rate=0.03)), ("b", optax.adam(0.01))]:
        path = tmp_path / f"{name}.npz"
        train(loss, network(), DATA, rule, epochs=2, checkpoint=path)
        model, history = train(loss, network(), DATA, rule, epochs=4, checkpoint=path, resume=True)
        expected, straight = train(loss, network(), DATA, rule, epochs=4)
        assert_same_history(history, straight)
        assert_same_bits(model, expected)


def test_a_loader_goes_on_counting_where_it_was(tmp_path):
    path = tmp_path / "run.npz"

    def used_loader():
        loader = DataLoader(line_data(), 8, shuffle=True)
        list(loader)
        return loader

    train(loss, network(), used_loader(), Adam(0.01), epochs=2, checkpoint=path)
    fresh = DataLoader(line_data(), 8, shuffle=True)
    _, history = train(loss, network(), fresh, Adam(0.01), epochs=4, checkpoint=path, resume=True)
    _, straight = train(loss, network(), used_loader(), Adam(0.01), epochs=4)
    assert_same_history(history, straight)
    assert fresh.epoch == 5


def test_a_loss_that_blows_up_leaves_the_checkpoint_before_it(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.raises(NonFiniteError) as caught:
        train(loss, network(), DATA, Descent(1e8), epochs=9, checkpoint=path)
    with pytest.raises(NonFiniteError) as again:
        train(loss, network(), DATA, Descent(1e8), epochs=9, checkpoint=path, resume=True)
    assert again.value.where == caught.value.where
    np.testing.assert_array_equal(again.value.history.losses, caught.value.history.losses)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rule": Adam(0.02)}, r"a run with rule Adam\(rate=0.01.*expected rule Adam\(rate=0.02"),
        ({"rule": OptimiserChain(ClipNorm(1), Adam(0.01))}, "a run with rule Adam"),
        ({"rule": freeze(setup(Adam(0.01), network()), "layers[0]")}, "a run with frozen ; expected frozen layers"),
        ({"data": DATA[:2]}, "a run with data list of 3 batches; expected data list of 2 batches"),
        ({"data": DataLoader(line_data(), 8)}, "expected data DataLoader"),
        ({"model": network(dtype="bfloat16")}, "of another dtype: .*float32 instead of bfloat16"),
        ({"model": {"a": network()}}, "missing: .*extra: "),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change, message):
    path = tmp_path / "run.npz"
    given = {"model": network(), "data": DATA, "rule": Adam(0.01)}
    train(loss, *given.values(), checkpoint=path)
    given |= change

    def any_loss(model, x, y):
        return loss(model["a"] if isinstance(model, dict) else model, x, y)

    with pytest.raises(LoadError, match=message):
        train(any_loss, *given.values(), epochs=2, checkpoint=path, resume=True)


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    from argflux.training import save

    path = tmp_path / "m.npz"
    save(path, network())
    with pytest.raises(LoadError, match="got argflux model 1; expected argflux checkpoint 1"):
        train(loss, network(), DATA, Adam(), checkpoint=path, resume=True)
    path.write_bytes(b"nothing")
    with pytest.raises(LoadError, match="7 bytes that are not npz"):
        train(loss, network(), DATA, Adam(), checkpoint=path, resume=True)


def test_a_place_that_cannot_be_written_to_is_named_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("")
    seen = []
    with pytest.raises(OutputError, match="expected a place that can be written to"):
        train(loss, network(), DATA, Adam(), callback=seen.append, checkpoint=tmp_path / "file" / "run.npz")
    assert not seen
    with pytest.raises(ArgumentError, match="expected a name that ends in"):
        train(loss, network(), DATA, Adam(), checkpoint=tmp_path / "run.pkl")


@pytest.mark.parametrize("every", [-1.0, float("nan")])
def test_the_time_between_writes_is_no_less_than_zero(every):
    with pytest.raises(ArgumentError, match="expected a number at least 0"):
        Checkpoint("run.npz", every=every)
