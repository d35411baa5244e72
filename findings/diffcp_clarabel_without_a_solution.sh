#!/usr/bin/env bash
# diffcp with Clarabel returns a point and derivatives of programs that have no solution, where it raises with SCS.
#
# Versions: diffcp 1.1.9, clarabel 0.11.1, scs 3.3.1, Python 3.11.
# Programs: minimise x with x <= 0 and x >= 1; minimise -x with x >= 0.
# Expected: diffcp.cone_program.SolverError, as with solve_method="SCS".
# Seen: solve_method="Clarabel" returns x = 0 and x > 0 as if they were solutions, and finite derivatives; nothing that
# solve_and_derivative or solve_only return says otherwise. So an infeasible instance of a batch goes unnoticed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  diffcp==1.1.9 clarabel==0.11.1 scs==3.3.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'END'
import diffcp
import numpy as np
from scipy import sparse

programs = {
    "infeasible": (np.array([[1.0], [-1.0]]), np.array([0.0, -1.0]), np.array([1.0])),
    "unbounded": (np.array([[-1.0]]), np.array([0.0]), np.array([-1.0])),
}
for name, (A, b, c) in programs.items():
    program = sparse.csc_matrix(A), b, c, {"l": len(b)}
    try:
        diffcp.solve_and_derivative(*program, solve_method="SCS")
    except diffcp.cone_program.SolverError as error:
        print(f"{name}, SCS: {error}")
    else:
        raise AssertionError("SCS raised nothing")
    x, y, s, _, transposed = diffcp.solve_and_derivative(*program, solve_method="Clarabel")
    _, db, dc = transposed(np.ones_like(x), np.zeros_like(y), np.zeros_like(s))
    print(f"{name}, Clarabel: x = {x}, derivative by b {db}, by c {dc}")
    assert np.all(np.isfinite(np.concatenate([x, y, s, db, dc])))
    assert len(diffcp.solve_only(*program, solve_method="Clarabel")) == 3  # x, y, s
END
