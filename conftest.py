"""Settings every test runs under: strict promotion, no display, and documents whose code blocks are run."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture
def x64():
    """Run one test with 64-bit types switched on."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """Run in an empty folder, so that nothing is written into the repository."""
    monkeypatch.chdir(tmp_path)


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    fixtures=["in_folder"],
).pytest()
