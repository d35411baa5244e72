"""Training over several devices and several processes gives what one device gives, to rounding."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

import argflux as af
from argflux.errors import ArgumentError
from argflux.training import devices
from tests.training.one_of_many import network, run

ROOT = Path(__file__).parents[2]


def start(arguments, processes, devices_each=1):
    """Start the processes of one run on this machine."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    flags = os.environ.get("XLA_FLAGS", "")
    common = os.environ | {"XLA_FLAGS": f"{flags} --xla_force_host_platform_device_count={devices_each}"}
    if processes > 1:
        common |= {"JAX_COORDINATOR_ADDRESS": f"localhost:{port}", "JAX_NUM_PROCESSES": str(processes)}
    started = [
        subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=common | {"JAX_PROCESS_ID": str(number)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    outputs = [process.communicate(timeout=300) for process in started]
    for process, (_, errors) in zip(started, outputs, strict=True):
        assert process.returncode == 0, errors
    return [out for out, _ in outputs]


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "each"), [(2, 1), (1, 2), (2, 2)])
def test_devices_and_processes_give_the_result_of_one(tmp_path, processes, each):
    start(["-m", "tests.training.one_of_many", str(tmp_path)], processes, each)
    expected, history = run(False)
    for number in range(processes):
        name = f"process-{number}-of-{processes}-on-{processes * each}"
        model = af.load(tmp_path / f"{name}.safetensors", like=network())
        for ours, theirs in zip(jax.tree.leaves(model), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)
        losses = [record.loss for record in af.History.load(tmp_path / f"{name}.jsonl").records]
        np.testing.assert_allclose(losses, [record.loss for record in history.records], rtol=1e-4)
    resumed, _ = run(False)
    assert (tmp_path / "run.safetensors").is_file()
    np.testing.assert_array_equal(resumed[0].weight, expected[0].weight)


@pytest.mark.slow
def test_the_command_line_trains_in_two_processes_and_one_talks(tmp_path):
    arguments = [
        "-c",
        "from argflux.cli import main; main()",
        "train",
        "moons",
        "--epochs",
        "20",
        "--out",
        str(tmp_path / "run"),
    ]
    first, second = start([*arguments, "--distributed"], 2)
    assert "accuracy" in first
    assert not [line for line in second.splitlines() if not line.startswith("[Gloo]")]
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_a_mesh_of_one_device_gives_the_same_bits():
    expected, history = run(False)
    model, same = run(Mesh(np.array(jax.devices()[:1]), ("batch",)))
    np.testing.assert_array_equal(history.losses, same.losses)
    for ours, theirs in zip(jax.tree.leaves(model), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert len(ours.devices()) == 1


def test_something_else_than_devices_is_refused():
    with pytest.raises(ArgumentError, match="Mesh"):
        run(2)


def test_joining_alone_does_nothing(monkeypatch):
    for name in devices.OTHERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_NTASKS", "1")  # a batch script that does without srun
    devices.join_processes()
    assert devices.is_first_process()
    assert not jax.distributed.is_initialized()


def test_processes_that_cannot_meet_are_an_error(monkeypatch):
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "localhost:1")
    with pytest.raises(ArgumentError, match="JAX_COORDINATOR_ADDRESS"):
        devices.join_processes()
