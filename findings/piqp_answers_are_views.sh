#!/usr/bin/env bash
# The answer that PIQP returned changes when the solver is used again.
#
# Versions: piqp 0.6.4, Python 3.11.
# Program: minimise |x|^2 / 2 + f'x where x0 + x1 <= 1, once with f = (-3, 1) and once, by update(), with (-3, 0).
# Expected: solver.result.x, kept from the first solve, stays (2.5, -1.5).
# Seen: it shows the second answer, (2, -1): result.x is a view of the solver's memory. Copy it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check piqp==0.6.4 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'END'
import numpy as np
import piqp

solver = piqp.DenseSolver()
A, b = np.zeros((0, 2)), np.zeros(0)
G, low, high = np.ones((1, 2)), np.array([-np.inf]), np.array([1.0])
solver.setup(np.eye(2), np.array([-3.0, 1.0]), A, b, G, low, high)
assert solver.solve() == piqp.PIQP_SOLVED
kept, copied = solver.result.x, np.array(solver.result.x)
np.testing.assert_allclose(kept, [2.5, -1.5], atol=1e-6)
solver.update(c=np.array([-3.0, 0.0]))
assert solver.solve() == piqp.PIQP_SOLVED
print("copied", copied, "kept", kept)
np.testing.assert_allclose(copied, [2.5, -1.5], atol=1e-6)
np.testing.assert_allclose(kept, [2.0, -1.0], atol=1e-6)
END
