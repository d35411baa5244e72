"""Settings every test runs under: strict promotion, on the CPU unless told otherwise, compiled quickly."""

import os
import signal

from tests import compiling

os.environ.setdefault("JAX_PLATFORMS", "cpu")
compiling.compile_quickly()
compiling.compile_once()

import jax  # noqa: E402
import pytest  # noqa: E402

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs with Ctrl-C switched off
jax.config.update("jax_numpy_dtype_promotion", "strict")
compiling.keep_count()

collect_ignore = ["tests/nn/make_torch_references.py"]  # a script that needs PyTorch


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Start as many workers as there are cores, and as memory holds."""
    return compiling.workers()


@pytest.fixture
def x64():
    """Run one test with 64-bit types switched on."""
    with jax.enable_x64(True):
        yield


def pytest_runtest_teardown(item):
    """Keep a process within two gigabytes."""
    compiling.forget_many()
