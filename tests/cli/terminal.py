"""Helpers of the command line's tests: run it in this process or in one of its own."""

import subprocess
import sys
from pathlib import Path

from argflux.cli import main

COMMAND = [sys.executable, "-c", "import sys; from argflux.cli import main; sys.exit(main())"]


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    """Run the command in this process and return its exit code, stdout and stderr."""
    capsys.readouterr()
    code = main(list(arguments))
    return code, *capsys.readouterr()


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """Start the command in a process of its own, in a folder."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*COMMAND, *arguments], cwd=folder, **pipes)


def fails(capsys, code: int, *arguments: str) -> str:
    """Run the command, hold it to an exit code and one line on stderr without traceback, and return the line."""
    found, _, errors = run(capsys, *arguments)
    assert found == code, errors
    assert errors.endswith("\n")
    assert errors.count("\n") == 1, errors
    assert "Traceback" not in errors
    return errors.strip()
