#!/usr/bin/env bash
# Clarabel calls one program primal infeasible or dual infeasible by the scale of its numbers.
#
# Versions: clarabel 0.11.1, SciPy 1.17.1, Python 3.11.
# Program: minimise -10 (x + y) where x - y <= 0 and x - y >= g > 0. No point is feasible, and none of its dual.
# Expected: the same verdict for every g > 0, since g only rescales the unknowns.
# Seen: PrimalInfeasible for g = 1, DualInfeasible for g = 1e-4. So "DualInfeasible" alone does not say that there are
# feasible points.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check clarabel==0.11.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'END'
import clarabel
import numpy as np
from scipy import sparse


def verdict(gap):
    A, b = sparse.csc_matrix(np.array([[1.0, -1.0], [-1.0, 1.0]])), np.array([0.0, -gap])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    rows = [clarabel.NonnegativeConeT(2)]
    solver = clarabel.DefaultSolver(sparse.csc_matrix((2, 2)), np.array([-10.0, -10.0]), A, b, rows, settings)
    status = str(solver.solve().status)
    print(f"gap {gap}: {status}")
    return status


assert verdict(1.0) == "PrimalInfeasible"
assert verdict(1e-4) == "DualInfeasible"
END
