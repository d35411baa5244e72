#!/usr/bin/env bash
# Clarabel's AlmostSolved may come with an objective that is off by more than its own size.
#
# Versions: clarabel 0.11.1, Python 3.11.
# Program: the convex sequence of 2002 values nearest to a sine, the last two of them zero, the first at least 0.08
# (as YAO of the CUTEst collection): second differences are rows, whose products are singular to rounding.
# Expected: -75.556, between an objective that a point attains which meets all rows, and a bound by weak duality that
# no point is below.
# Seen: AlmostSolved with -182.3, at its default tolerances and at 1e-10. The rows of its point are violated by 6e-6
# only, which multipliers of 1e5 on two thousand rows make into a hundred.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check clarabel==0.11.1 numpy==2.4.6 scipy==1.16.3
"$folder/venv/bin/python" - <<'END'
import clarabel
import numpy as np
from scipy import sparse

rows, free = 2000, 2000
n = free + 2
G = sparse.diags_array([-1.0, 2.0, -1.0], offsets=[0, 1, 2], shape=(rows, n)).tocsr()
sine = np.sin(np.arange(1, n + 1) / rows)

falling = np.maximum(free - np.arange(n), 0.0)  # the best of the straight lines down to the last two
x = falling * (sine @ falling) / (falling @ falling)
attained = x @ x / 2 - sine @ x
assert (G @ x).max() < 1e-15
assert x[0] > 0.08

y = np.zeros(rows + 2)  # multipliers that make this point stationary, one after another
for j in range(free - 1):
    y[j] = x[j] - sine[j] + 2 * y[j - 1] - y[j - 2]
y = np.maximum(y[:rows], 0.0)
bound = -np.sum((sine - G.T @ y)[:free] ** 2) / 2
print("attained", attained, "bound", bound)
assert attained - bound < 1e-6 * abs(bound)

eye = sparse.eye_array(n).tocsr()
matrix = sparse.csc_array(sparse.vstack([eye[-2:], G, -eye[[0]]]))
right = np.concatenate([np.zeros(2 + rows), [-0.08]])
cones = [clarabel.ZeroConeT(2), clarabel.NonnegativeConeT(rows + 1)]
for tolerance in (1e-8, 1e-10):
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_feas = settings.tol_gap_abs = settings.tol_gap_rel = tolerance
    found = clarabel.DefaultSolver(sparse.csc_array(sparse.triu(eye)), -sine, matrix, right, cones, settings).solve()
    print(tolerance, found.status, found.obj_val, "rows violated by", (G @ np.array(found.x)).max())
    assert str(found.status) == "AlmostSolved"
    assert found.obj_val < 2 * bound
END
