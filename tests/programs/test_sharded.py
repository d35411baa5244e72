"""Batches dealt out over devices and processes give what one device gives, and no device sees another's part."""

import os
import socket
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "each"), [(1, 4), (2, 2)])
def test_every_device_solves_its_part(processes, each):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        place = f"localhost:{free.getsockname()[1]}"
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={each}"
    command = [sys.executable, "-W", "error", "-m", "tests.programs.sharded"]
    started = [
        subprocess.Popen(
            command + ([place, str(processes), str(number)] if processes > 1 else []),
            env=os.environ | {"XLA_FLAGS": flags},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    for process in started:
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert out.strip() == f"6 kinds on {processes * each} devices of {processes} processes"
