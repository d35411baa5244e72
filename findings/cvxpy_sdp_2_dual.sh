#!/usr/bin/env bash
# The dual that CVXPY's standard case sdp_2 expects of its first semidefinite constraint is the primal solution.
#
# Versions: cvxpy 1.9.3, clarabel 0.11.1, scs 3.3.1, Python 3.11.
# Case: cvxpy.tests.solver_test_helpers.sdp_2, whose third constraint says X1 >> 0 for a matrix X1 of two rows.
# Expected: the dual Z that the case lists is complementary, X1 Z = 0, and the one that solvers find.
# Seen: it is the X1 that the case lists, so tr(X1 Z) = 477. Clarabel and SCS find another dual, the same up to 1e-4,
# complementary, and the other three listed duals. CVXPY's own tests of the case compare no duals.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  cvxpy==1.9.3 clarabel==0.11.1 scs==3.3.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'END'
import numpy as np
from cvxpy.tests.solver_test_helpers import sdp_2

duals = []
for solver, options in {"CLARABEL": {}, "SCS": {"eps": 1e-9, "max_iters": 100_000}}.items():
    case = sdp_2()
    case.solve(solver, **options)
    case.verify_objective(4)
    case.check_primal_feasibility(4)
    X, listed = case.variables[0].value, case.expect_dual_vars[2]
    np.testing.assert_array_equal(listed, case.expect_prim_vars[0])
    found = [constraint.dual_value for constraint in case.constraints]
    for k in (0, 1, 3):
        np.testing.assert_allclose(found[k], case.expect_dual_vars[k], atol=1e-3)
    print(f"{solver}: tr(X1 Z) = {np.sum(X * found[2]):.0e} for its own dual, {np.sum(X * listed):.0f} for the listed one")
    print(found[2].round(4))
    assert abs(np.sum(X * found[2])) < 1e-3
    assert np.sum(X * listed) > 400
    duals.append(found[2])
np.testing.assert_allclose(*duals, atol=1e-3)
END
