#!/usr/bin/env bash
# CVXPY's value of a quantum relative entropy is wrong unless the first matrix has trace one, and so is the optimum.
#
# Versions: cvxpy 1.9.3, clarabel 0.11.1, Python 3.11.
# Program: minimise quantum_rel_entr(X, Y), which is tr(X (log X - log Y)), where X = diag(1, 2) and Y = diag(3, 4).
# The docstring says that traces of one are not assumed.
# Expected: log(1/3) + 2 log(1/2) = -2.485, as the value of the expression and of the problem.
# Seen: -4.508 both times, with the status optimal, although the solver minimises the right function: the dual of X is
# its derivative, and as a bound on another variable it is -2.485. The eigenvalues of X are divided by their sum in
# one of the two terms. So the point with the smaller value may be the worse one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cvxpy==1.9.3 clarabel==0.11.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'END'
import cvxpy as cp
import numpy as np

x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
right = np.sum(x * np.log(x / y))
X, total = cp.Variable((2, 2), symmetric=True), cp.Variable()
same = X == np.diag(x)
problem = cp.Problem(cp.Minimize(cp.quantum_rel_entr(X, np.diag(y))), [same])
problem.solve(solver=cp.CLARABEL)
alone = cp.quantum_rel_entr(np.diag(x), np.diag(y)).value
print(f"{problem.status}: value {problem.value:.4f}, of the expression {alone:.4f}, right {right:.4f}")
assert abs(alone - problem.value) < 1e-3
assert abs(problem.value - right) > 2
np.testing.assert_allclose(-np.diag(same.dual_value), np.log(x / y) + 1, atol=1e-3)

bounded = cp.Problem(cp.Minimize(total), [cp.quantum_rel_entr(X, np.diag(y)) <= total, same])
bounded.solve(solver=cp.CLARABEL)
print(f"as a bound: {bounded.value:.4f}")
assert abs(bounded.value - right) < 1e-3

value = lambda t: cp.quantum_rel_entr(np.array([[t]]), np.array([[2.0]])).value  # t log(t / 2): -log 2 at 1, 0 at 2
print(f"t log(t / 2) at 1 and 2: {value(1.0):.4f}, {value(2.0):.4f}")
assert value(2.0) < value(1.0) - 0.5

one = x / x.sum()
np.testing.assert_allclose(cp.quantum_rel_entr(np.diag(one), np.diag(y)).value, np.sum(one * np.log(one / y)))
END
