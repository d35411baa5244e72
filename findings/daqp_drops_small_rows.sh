#!/usr/bin/env bash
# DAQP takes a constraint with small coefficients for an empty one, and reports success.
#
# Versions: daqp 0.11.0, Python 3.11.
# Program: minimise |x|^2 / 2 - 3 x0 where s x0 <= s. Dividing the row by s changes nothing: x0 = 1.
# Expected: x0 = 1 for every s > 0, or a flag that is not 1.
# Seen: flag 1 (optimal) with x0 = 1 for s = 1e-5, and flag 1 with x0 = 3 for s = 1e-6: rows whose squared norm is
# below zero_tol = 1e-11 do not count. With zero_tol = 0 it is 1 again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check daqp==0.11.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import daqp
import numpy as np


def first(s, **settings):
    H, f, A = np.eye(2), np.array([-3.0, 0.0]), np.array([[s, 0.0]])
    x, _, flag, _ = daqp.solve(H, f, A, np.array([s]), np.array([-np.inf]), np.zeros(1, np.int32), **settings)
    print(f"s = {s}, {settings}: flag {flag}, x0 = {x[0]}")
    assert flag == 1
    return x[0]


assert abs(first(1e-5) - 1) < 1e-6
assert abs(first(1e-6) - 3) < 1e-6
assert abs(first(1e-6, zero_tol=0.0) - 1) < 1e-6
END
