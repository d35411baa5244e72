#!/usr/bin/env bash
# DAQP reads a column of a NumPy array as if it were contiguous, and reports success.
#
# Versions: daqp 0.11.0, NumPy 2.4.6, Python 3.11.
# Program: minimise |x|^2 / 2 + f'x where x0 + x1 <= 1, f = (-3, 1) as the first column of a 2 x 2 array.
# Expected: x = (2.5, -1.5) - the smallest of |x + f| on the half-plane -, as for a copy of f; or an error.
# Seen: flag 1 with x = (3, -100): the second entry came from the other column.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check daqp==0.11.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import daqp
import numpy as np


def solved(f):
    bounds = np.array([1.0]), np.array([-np.inf])
    x, _, flag, _ = daqp.solve(np.eye(2), f, np.array([[1.0, 1.0]]), *bounds, np.zeros(1, np.int32))
    print(f, "strides", f.strides, "flag", flag, "x", x)
    return flag, x.tolist()


table = np.array([[-3.0, 100.0], [1.0, 100.0]])
column = table[:, 0]
flag, x = solved(column.copy())
assert flag == 1
np.testing.assert_allclose(x, [2.5, -1.5])
flag, x = solved(column)
assert flag == 1
np.testing.assert_allclose(x, [3.0, -100.0])
END
