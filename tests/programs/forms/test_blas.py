"""BLAS on the host: one thread while small systems are solved, all of them again a moment later."""

import time

from argflux.programs.forms import blas


class Library:
    def __init__(self, count):
        self.num_threads, self.changes = count, 0

    def set_num_threads(self, count):
        self.num_threads, self.changes = count, self.changes + 1


def test_threads_come_back_once_after_many_calls(monkeypatch):
    many, single = Library(8), Library(1)
    monkeypatch.setattr(blas, "_libraries", lambda: [many, single])
    monkeypatch.setattr(blas, "_alone", blas._Alone())
    monkeypatch.setattr(blas, "REST", 0.2)
    for _ in range(5):
        with blas.one_thread(3), blas.one_thread(3):
            assert many.num_threads == 1
    assert many.num_threads == 1
    with blas.one_thread(blas.SMALL + 1):
        pass
    end = time.monotonic() + 10
    while many.num_threads == 1 and time.monotonic() < end:
        time.sleep(0.02)
    assert (many.num_threads, many.changes, single.changes) == (8, 2, 0)
    with blas.one_thread(3):
        assert many.num_threads == 1
