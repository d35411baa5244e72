"""Settings every test runs under: strict promotion, on the CPU unless told otherwise."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture
def x64():
    """Run one test with 64-bit types switched on."""
    with jax.enable_x64(True):
        yield
