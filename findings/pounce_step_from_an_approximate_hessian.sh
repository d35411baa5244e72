#!/usr/bin/env bash
# pounce's sensitivities are off by up to a fifth, and silently, if the program does not give its second derivatives.
#
# Versions: pounce-solver 0.13.0, numpy 2.4.6, Python 3.11 or newer.
# Program: HS71, once without a method `hessian` (which is optional) and once with it; Solver.parametric_step for the
#          right-hand side of its equation, x'x = 40.
# Expected: the derivative that finite differences of solutions give, (0, 0.0864, 0.0375, -0.0387), or a warning.
# Seen: without it (0, 0.0811, 0.0445, -0.0396), though the solution has all its digits: the step is taken with the
#       quasi-Newton matrix that the solve ended with. Nothing says so, info["warnings"] is empty. With `hessian` all
#       digits are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pounce-solver==0.13.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" -W error - <<'END'
import numpy as np
import pounce


class FirstOrder:
    def objective(self, x):
        return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]

    def gradient(self, x):
        inner = x[0] + x[1] + x[2]
        return np.array([x[3] * (inner + x[0]), x[0] * x[3], x[0] * x[3] + 1, x[0] * inner])

    def constraints(self, x):
        return np.array([np.prod(x), x @ x])

    def jacobian(self, x):
        return np.concatenate([np.prod(x) / x, 2 * x])


class SecondOrder(FirstOrder):
    def hessianstructure(self):
        return np.tril_indices(4)

    def hessian(self, x, multipliers, factor):
        cost = np.zeros((4, 4))
        cost[0], cost[3, :3] = [x[3], x[3], x[3], x[0]], [x[0] + x[1] + x[2], x[0], x[0]]
        product = np.prod(x) / np.outer(x, x) * (1 - np.eye(4))
        cost[0, 3], cost[1:3, 0] = x[0], 0
        total = factor * (cost + cost.T) + multipliers[0] * product + 2 * multipliers[1] * np.eye(4)
        return total[np.tril_indices(4)]


def solve(model, side):
    program = pounce.Problem(
        4, 2, problem_obj=model(), lb=np.ones(4), ub=np.full(4, 5.0), cl=[25.0, side], cu=[2e19, side]
    )
    program.add_option("print_level", 0)
    program.add_option("tol", 1e-10)
    solver = pounce.Solver(program)
    x, info = solver.solve(x0=np.array([1.0, 5.0, 5.0, 1.0]))
    assert info["status_msg"] == "Solve_Succeeded" and not info["warnings"], "behaviour changed"
    return x, solver


right = (solve(FirstOrder, 40.001)[0] - solve(FirstOrder, 39.999)[0]) / 0.002
errors = {}
for model in (FirstOrder, SecondOrder):
    x, solver = solve(model, 40.0)
    step = solver.parametric_step(pin_constraint_indices=[1], deltas=[1.0])
    errors[model] = np.max(np.abs(step - right)[1:] / np.abs(right)[1:])
    print(model.__name__, "solution", x.round(6), "step", step.round(4), "differences", right.round(4))
    np.testing.assert_allclose(x, [1, 4.742999, 3.821150, 1.379408], atol=1e-5)
assert errors[FirstOrder] > 0.1 and errors[SecondOrder] < 1e-5, "behaviour changed"
END
