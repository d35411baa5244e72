#!/usr/bin/env bash
# A second HiGHS object with another number of threads does not run, in a thread where a first one has run.
#
# Versions: highspy 1.15.1, Python 3.11.
# Program: minimise x where x >= 1, in two independent objects, with threads = 1 and then threads = 2.
# Expected: the option is that object's own, and both answer x = 1; or an exception.
# Seen: the second run() returns kError, the status stays kNotset and the solution is zeros; nothing is raised.
# The scheduler belongs to the thread: in a new Python thread, or after Highs.resetGlobalScheduler, it runs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check highspy==1.15.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
from concurrent.futures import ThreadPoolExecutor

import highspy


def solved(threads):
    highs = highspy.Highs()
    highs.silent()
    assert highs.setOptionValue("threads", threads) == highspy.HighsStatus.kOk
    x = highs.addVariable(lb=1.0, obj=1.0)
    ran = highs.run()
    found = ran, highs.getModelStatus(), list(highs.getSolution().col_value)
    print("threads =", threads, *found)
    return found


right = highspy.HighsStatus.kOk, highspy.HighsModelStatus.kOptimal, [1.0]
assert solved(1) == right
ran, status, x = solved(2)
assert (ran, status) == (highspy.HighsStatus.kError, highspy.HighsModelStatus.kNotset)
assert x in ([], [0.0])
assert ThreadPoolExecutor(1).submit(solved, 2).result() == right
highspy.Highs.resetGlobalScheduler(True)
assert solved(2) == right
END
