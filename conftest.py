"""Settings every test runs under: strict promotion, on the CPU unless told otherwise."""

import os
import signal

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs with Ctrl-C switched off
jax.config.update("jax_numpy_dtype_promotion", "strict")

collect_ignore = ["tests/nn/make_torch_references.py"]  # a script that needs PyTorch


@pytest.fixture
def x64():
    """Run one test with 64-bit types switched on."""
    with jax.enable_x64(True):
        yield
