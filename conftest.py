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
NAMES = ("jax_enable_x64", "jax_numpy_dtype_promotion", "jax_debug_nans", "jax_disable_jit")
SWITCHES = [getattr(jax.config, name) for name in NAMES]
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """Keep a process within two gigabytes, and let no test leave a switch other than it found it."""
    yield
    compiling.forget_many()
    assert [getattr(jax.config, name) for name in NAMES] == SWITCHES, f"{item.nodeid} left a switch of JAX changed"
