"""Settings every test runs under: strict promotion, no implicit rank promotion surprises, a fixed seed."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")

import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture
def x64():
    """Run one test with 64-bit types switched on."""
    with jax.enable_x64(True):
        yield
