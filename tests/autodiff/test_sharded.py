"""Gradients inside `shard_map`, with its checks, on four devices."""

import subprocess
import sys


def test_values_and_gradients_are_those_of_the_rows_alone():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.autodiff.sharded"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    single, together = map(int, done.stdout.split())
    assert single > 60
    assert together == 12
