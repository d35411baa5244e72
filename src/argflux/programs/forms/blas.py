"""Small linear algebra on the host without BLAS's pool of threads, which costs more to wake than it saves."""

import contextlib
import functools
import threading
import time
from collections.abc import Iterator
from typing import Any

from threadpoolctl import ThreadpoolController

SMALL = 256
REST = 0.3


class _Alone:
    """How many calls want one thread, and what the libraries had before the first of them.

    The threads come back once nobody has called for `REST` seconds: OpenBLAS whose threads go and come with every call
    can take seconds for a call where other processes compute.
    """

    def __init__(self):
        self.lock, self.calls, self.left = threading.Lock(), 0, 0.0
        self.before: list[tuple[Any, int]] = []
        self.watch: threading.Thread | None = None

    def enter(self) -> None:
        with self.lock:
            self.calls += 1
            if not self.before:
                counts = [(library, library.num_threads) for library in _libraries()]
                self.before = [(library, count) for library, count in counts if count and count > 1]
                for library, _ in self.before:
                    library.set_num_threads(1)

    def leave(self) -> None:
        with self.lock:
            self.calls, self.left = self.calls - 1, time.monotonic()
            if self.before and (self.watch is None or not self.watch.is_alive()):
                self.watch = threading.Thread(target=self._restore, daemon=True)
                self.watch.start()

    def _restore(self) -> None:
        """Give the threads back, once nobody has been here for a while."""
        while True:
            time.sleep(max(self.left + REST - time.monotonic(), 0.0) if not self.calls else REST)
            with self.lock:
                if not self.calls and time.monotonic() >= self.left + REST:
                    for library, count in self.before:
                        library.set_num_threads(count)
                    self.before, self.watch = [], None
                    return


_alone = _Alone()


@contextlib.contextmanager
def one_thread(size: int) -> Iterator[None]:
    """Keep BLAS to the calling thread while systems of at most `SMALL` rows are solved; larger ones may use its pool.

    The number of threads belongs to the process: the first call that enters takes it down, and it is restored
    `REST` seconds after the last that leaves.

    Args:
        size: rows of the systems.

    Example:
        >>> import numpy as np
        >>> with one_thread(3):
        ...     float(np.linalg.inv(2 * np.eye(3))[0, 0])
        0.5
    """
    if size > SMALL:
        yield
        return
    _alone.enter()
    try:
        yield
    finally:
        _alone.leave()


@functools.cache
def _libraries() -> list[Any]:
    import scipy.linalg.lapack  # noqa: F401  # brings its own BLAS, which XLA calls too

    return [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
