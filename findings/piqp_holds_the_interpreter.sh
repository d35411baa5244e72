#!/usr/bin/env bash
# PIQP keeps Python's global lock while it sets up and solves: no other thread of the process runs, so that a pool of
# threads solves no faster than a loop. Clarabel lets go of it while it solves.
#
# Versions: piqp 0.7.0 (0.6.0 to 0.6.4 alike), clarabel 0.11.1, Python 3.11.
# Program: a sparse quadratic program of 1500 unknowns and as many rows, which takes each of them some tenths of a
# second; meanwhile a second thread counts, a millisecond's sleep at a time.
# Seen: 0 or 1 counts during PIQP's solve, about one for each millisecond during Clarabel's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check piqp==0.7.0 clarabel==0.11.1 numpy==2.4.6 scipy==1.16.3
"$folder/venv/bin/python" - <<'END'
import threading
import time

import clarabel
import numpy as np
import piqp
from scipy import sparse

n, r = 1500, np.random.default_rng(0)
F = sparse.random_array((n, n), density=0.005, rng=r)
P = sparse.csc_matrix(sparse.triu(F @ F.T + sparse.eye_array(n)))
G = sparse.csc_matrix(sparse.random_array((n, n), density=0.005, rng=r))
q, h = r.normal(size=n), np.ones(n)


def counts_during(solve):
    """Seconds that a call takes, and how often another thread woke up meanwhile."""
    count, going = 0, True

    def tick():
        nonlocal count
        while going:
            time.sleep(1e-3)
            count += 1

    other = threading.Thread(target=tick)
    other.start()
    time.sleep(0.05)
    before, start = count, time.perf_counter()
    solve()
    taken, during = time.perf_counter() - start, count - before
    going = False
    other.join()
    return taken, during


first = piqp.SparseSolver()
first.setup(P, q, sparse.csc_matrix((0, n)), np.zeros(0), G, None, h, np.full(n, -np.inf), np.full(n, np.inf))
settings = clarabel.DefaultSettings()
settings.verbose, settings.max_threads = False, 1
second = clarabel.DefaultSolver(P, q, G, h, [clarabel.NonnegativeConeT(n)], settings)
for name, solve in (("piqp", first.solve), ("clarabel", second.solve)):
    taken, during = counts_during(solve)
    print(f"{name}: {taken:.3f} s, another thread woke up {during} times")
    assert taken > 0.05
    assert during <= 2 if name == "piqp" else during > 10
END
