import json
import signal
import subprocess
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.errors import ArgumentError, DataError, ShapeError
from argflux.patterns import load_study
from argflux.patterns.study.trial import Course, chunks, start_key
from tests.patterns.studies import moons, network, small


@pytest.fixture(scope="module")
def whole():
    return small()


def test_every_start_is_measured_before_and_after(whole):
    assert [(r["family"], r["start"]) for r in whole.records] == [
        (family, i) for family in ("uniform", "kaiming_normal") for i in range(3)
    ]
    assert whole.curves.shape == (6, 5)
    np.testing.assert_allclose(whole.curves[:, -1], whole.outcome("test accuracy"))
    gap = whole.outcome("train accuracy") - whole.outcome("test accuracy")
    np.testing.assert_allclose(whole.outcome("gap"), gap, atol=2e-6)
    assert (whole.measure("zeros in hidden layers") > 0).all()
    assert len(set(whole.measure("L_gen").tolist())) == 6


def test_a_start_trains_as_the_library_would_train_it(whole):
    """The third kaiming start, trained alone by af.train on the same batches."""
    from argflux.patterns.study.families import FAMILIES

    train, test = moons()
    start = FAMILIES["kaiming_normal"].draw(start_key(0, "kaiming_normal", 2), network(), None)
    loader = af.DataLoader((train.x, af.onehotbatch(train.y, range(2))), 16, shuffle=True, partial=False, seed=0)
    loss = lambda m, x, y: af.logitcrossentropy(m(x), y)
    model, _ = af.train(loss, start, loader, af.Descent(0.3), epochs=4, progress=False)
    kept = whole.records[-1]
    assert kept["start"] == 2
    assert kept["after"]["test accuracy"] == pytest.approx(float(af.accuracy(model(test.x), test.y)), abs=1e-6)
    expected = float(af.logitcrossentropy(model(test.x), af.onehotbatch(test.y, range(2))))
    assert kept["after"]["test loss"] == pytest.approx(expected, abs=1e-4)


def test_chunks_do_not_matter(whole):
    parts = small(chunk=1)
    for one, other in zip(whole.records, parts.records, strict=True):
        assert one["before"] == pytest.approx(other["before"], abs=1e-5)
        assert one["after"] == pytest.approx(other["after"], abs=1e-4)


def test_a_study_that_is_complete_is_only_read(tmp_path, whole, monkeypatch):
    first = small(folder=tmp_path / "s")
    assert first.records == whole.records
    monkeypatch.setattr("argflux.patterns.study.study.Trial", None)
    assert small(folder=tmp_path / "s").records == first.records
    assert load_study(tmp_path / "s").records == first.records


def test_what_is_missing_is_done_and_nothing_twice(tmp_path, whole):
    folder = tmp_path / "s"
    small(folder=folder)
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records.jsonl").write_text(lines[4] + lines[0] + lines[1][:50])
    again = small(folder=folder)
    assert [(r["family"], r["start"]) for r in again.records] == [(r["family"], r["start"]) for r in whole.records]
    assert len((folder / "records.jsonl").read_text().splitlines()) == 6


def test_other_settings_are_refused_whatever_they_are(tmp_path):
    folder = tmp_path / "s"
    small(folder=folder, starts=1)
    rng = np.random.default_rng(0)
    other = (rng.normal(size=(48, 2)).astype(np.float32), np.arange(48) % 2)
    changes = [
        {"starts": 2}, {"epochs": 5}, {"rule": af.Adam(0.1)}, {"seed": 1}, {"every": 2}, {"loss": af.mse},
        {"families": ["uniform"]}, {"model": network(af.relu)}, {"data": (other, other)},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(ArgumentError, match="as in the folder; use these settings, or another folder"):
            small(**{"folder": folder, "starts": 1, **change})
    assert len(load_study(folder).records) == 2


STUDY = """
import sys
from tests.patterns.studies import small
small(folder=sys.argv[1], starts=40, chunk=2, epochs=8)
"""


def test_a_killed_study_goes_on_where_it_was(tmp_path):
    folder = tmp_path / "s"
    process = subprocess.Popen([sys.executable, "-c", STUDY, str(folder)], stderr=subprocess.PIPE)
    limit = time.monotonic() + 120
    file = folder / "records.jsonl"
    while not (file.exists() and file.read_bytes().count(b"\n") >= 4):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < limit
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    kept = [json.loads(line) for line in file.read_text().split("\n")[:-1]]
    assert 4 <= len(kept) < 80
    study = small(folder=folder, starts=40, epochs=8, chunk=30)
    names = [(r["family"], r["start"]) for r in study.records]
    assert len(names) == len(set(names)) == 80
    assert [each for each in kept if each not in study.records] == []
    assert len(file.read_text().splitlines()) == 80


def with_labels(y):
    return (np.random.default_rng(0).normal(size=(48, 2)).astype(np.float32), np.asarray(y))


GOOD = with_labels(np.arange(48) % 2)
BAD = {
    "one class": ({"data": (with_labels([1] * 48), GOOD)}, DataError, "got one class, 1; expected something to tell"),
    "constant": ({"data": ((np.ones((48, 2), np.float32), GOOD[1]), GOOD)}, DataError, "train inputs that are all 1"),
    "empty": ({"data": ((GOOD[0][:0], GOOD[1][:0]), GOOD)}, DataError, "0 observations"),
    "not finite": ({"data": ((GOOD[0] * np.inf, GOOD[1]), GOOD)}, DataError, "infinite values"),
    "widths": ({"data": (GOOD, (GOOD[0][:, :1], GOOD[1]))}, ShapeError, r"test inputs of shape \(48, 1\)"),
    "a class unseen": ({"data": (GOOD, with_labels(np.arange(48) % 3))}, DataError, "label 2"),
    "no pair": ({"data": GOOD[0]}, ArgumentError, "expected a pair"),
    "network's inputs": ({"model": af.Chain(af.Dense(3, 2, af.relu))}, ShapeError, "last dimension"),
    "network's outputs": ({"model": af.Chain(af.Dense(2, 3, af.relu))}, ShapeError, r"outputs of shape \(2, 3\)"),
    "no relu": ({"model": af.Chain(af.Dense(2, 2, jnp.tanh))}, ArgumentError, "without ReLU-like units"),
    "batch": ({"batchsize": 49}, ArgumentError, "got batchsize=49; expected at most the 48 training rows"),
    "starts": ({"starts": 0}, ArgumentError, "starts=0"),
    "epochs": ({"epochs": 0}, ArgumentError, "epochs=0"),
    "every": ({"every": 0}, ArgumentError, "every=0"),
    "seed": ({"seed": -1}, ArgumentError, "seed=-1"),
    "rule": ({"rule": 0.1}, ArgumentError, "expected a rule"),
    "kappa": ({"families": ["designed:-1"]}, ArgumentError, "kappa=-1.0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_said_before_anything_is_written(tmp_path, name):
    change, kind, message = BAD[name]
    with pytest.raises(kind, match=message):
        small(**{"folder": tmp_path / "s", **change})
    assert not (tmp_path / "s" / "records.jsonl").exists()


def test_a_start_that_diverges_is_recorded_without_its_loss():
    study = small(["uniform"], rule=af.Descent(1e30), starts=2)
    assert np.isnan(study.outcome("train loss")).all()
    assert np.isfinite(study.outcome("test accuracy")).all()


def test_pieces_hold_every_batch_of_the_epoch_once(monkeypatch):
    monkeypatch.setattr("argflux.patterns.study.trial.PIECE_BYTES", 4 * 3 * 4)
    x = np.arange(23, dtype=np.float32)[:, None]
    course = Course((x, x), (x, x), epochs=2, batchsize=3, every=1, seed=5)
    pieces = list(course.pieces(1))
    assert len(pieces) > 1
    assert len({piece[0].shape for piece in pieces}) == 1
    seen = [row for piece, _, n in pieces for row in np.asarray(piece[:n]).reshape(-1).astype(int).tolist()]
    order = af.DataLoader(x, 3, shuffle=True, seed=5).order(1)[:21].tolist()
    assert seen == order
    assert course.stops() == [0, 1, 2]
    assert Course((x, x), (x, x), 7, 3, 3, 0).stops() == [0, 3, 6, 7]


def test_chunks_are_even_and_fit():
    starts = [(None, i) for i in range(130)]
    assert [len(part) for part in chunks(starts, 1000)] == [43, 44, 43]
    assert [start for part in chunks(starts, 1000, largest=7) for start in part] == starts
    assert max(len(part) for part in chunks(starts, 10**7)) == 3
