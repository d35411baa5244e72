"""How the command line ends when something went wrong: one line on stderr and an exit code."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from argflux.cli.console import complain
from argflux.errors import ArgfluxError, ArgumentError

FAILED, MISUSED, DEFECT, INTERRUPTED, PIPE_CLOSED = 1, 2, 70, 130, 141


class Interrupted(Exception):  # typer would turn a KeyboardInterrupt into a bare exit code
    """Ctrl-C with something to keep; its text says what and where."""


@contextmanager
def keeping(text: str) -> Iterator[None]:
    """Make a Ctrl-C within say this text: what is kept, where, and how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(text) from error


def explain(error: BaseException, debug: bool) -> int:
    """Say in one line what went wrong, after the traceback if asked for, and return the exit code."""
    if debug:
        traceback.print_exception(error)
    if isinstance(error, BrokenPipeError):
        return _leave_quietly()
    if isinstance(error, Interrupted | KeyboardInterrupt | typer.Abort):
        complain(str(error) or "nothing was written yet", "interrupted")
        return INTERRUPTED
    code, line = _judge(error)
    complain(line)
    return code


def _judge(error: BaseException) -> tuple[int, str]:
    if isinstance(error, ArgfluxError):
        return MISUSED if isinstance(error, ArgumentError) else FAILED, str(error)
    if hasattr(error, "format_message"):  # what typer found wrong with the arguments
        return MISUSED, f"{error.format_message().rstrip('.')}; see argflux --help"  # type: ignore[attr-defined]
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        expected = "expected files that can be read and written; correct the path, allow it, or make room"
        return FAILED, f"{place}got {error.strerror or error}; {expected}"
    return DEFECT, f"internal error: {type(error).__name__}: {error}; run again with --debug and report what it shows"


def _leave_quietly() -> int:
    """Close stdout for good, so that Python's exit does not complain about the closed pipe a second time."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED
