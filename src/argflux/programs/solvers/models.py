"""HiGHS models that say nothing, and that keep out of the way of other ones in the process."""

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import highspy

from argflux.programs.forms.hostcall import share

_first = threading.Lock()
_greeted = False


def new_model(options: dict[str, Any]) -> Any:
    """A model without output and on one thread, to be run in a thread of our own (see `run_simplex`).

    Options that HiGHS refuses are errors here; itself it only returns a status.
    """
    model = _silent_model()
    for name, value in {"output_flag": False, "threads": 1, **options}.items():
        if model.setOptionValue(name, value) == highspy.HighsStatus.kError:
            raise ValueError(f"HiGHS refuses {name}={value!r}")
    return model


def run_simplex(work: Callable[[Iterator[int]], None], count: int, threads: int) -> None:
    """As `share`, in threads of our own.

    HiGHS gives every thread of the system a scheduler at its first run there, and fails when a later run in the same
    thread asks for another number of threads. Runs in new threads neither meet schedulers of others nor leave one.
    """
    share(work, count, threads, here=False)


def _silent_model() -> Any:
    """The first model of a process prints a banner from 1.16 on, before it can be told to be silent."""
    global _greeted
    if _greeted:
        return highspy.Highs()
    with _first:
        if _greeted or not _prints_banner():
            _greeted = True
            return highspy.Highs()
        _greeted = True
        try:
            kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
        except OSError:  # a process without standard output has nothing to keep clean
            return highspy.Highs()
        try:
            os.dup2(nowhere, 1)
            return highspy.Highs()
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            os.close(nowhere)


def _prints_banner() -> bool:
    version = getattr(highspy, "HIGHS_VERSION_MAJOR", 1), getattr(highspy, "HIGHS_VERSION_MINOR", 16)
    return version >= (1, 16)
