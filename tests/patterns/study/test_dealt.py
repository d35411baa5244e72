"""A study dealt out over processes is that of one; what a killed one recorded stays."""

import numpy as np
import pytest

from argflux.errors import ArgumentError
from argflux.patterns.study import study as module
from tests.patterns.study.dealt import study
from tests.training.test_devices import start


@pytest.mark.slow
def test_processes_give_the_study_of_one_and_go_on(tmp_path):
    outputs = start(["-W", "error", "-m", "tests.patterns.study.dealt", str(tmp_path / "two")], 2)
    assert [out.split()[-1] for out in outputs] == ["10", "10"]
    alone = study(tmp_path / "one", False)
    files = [tmp_path / "two" / f"records-{number}.jsonl" for number in range(2)]
    lines = [file.read_text().splitlines(keepends=True) for file in files]
    assert [len(part) for part in lines] == [6, 4]
    files[1].write_text("".join(lines[1][:2]) + lines[1][2][:20])  # killed in its last chunk
    resumed = study(tmp_path / "two", True)
    for outcome in ("test accuracy", "train loss"):
        np.testing.assert_allclose(resumed.outcome(outcome), alone.outcome(outcome), atol=2e-4)
    assert files[1].read_text() == "".join(lines[1][:2]) + lines[1][2][:20]


def test_several_processes_need_a_folder(monkeypatch):
    monkeypatch.setattr(module.jax, "process_count", lambda: 2)
    with pytest.raises(ArgumentError, match="got no folder for 2 processes; expected a folder that all processes see"):
        study(None, True)
