#!/usr/bin/env bash
# HiGHS moves the optimum of a quadratic program when its objective is multiplied by a small number.
#
# Versions: highspy 1.15.1, Python 3.11.
# Program: minimise s (x^2 / 2 - x), which is smallest at x = 1 whatever s > 0 is.
# Expected: x = 1 up to the tolerance for each s, or a status that says otherwise.
# Seen: kOptimal with x = 0.909 for s = 1e-6 and x = 0.091 for s = 1e-8: 1e-7 is added to the diagonal of the
# Hessian and left there, so x = s / (s + 1e-7). With qp_regularization_value = 0 it is 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check highspy==1.15.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import highspy
import numpy as np


def optimum(scale, **options):
    highs = highspy.Highs()
    highs.silent()
    for name, value in options.items():
        assert highs.setOptionValue(name, value) == highspy.HighsStatus.kOk
    highs.addVar(-10.0, 10.0)
    highs.changeColCost(0, -scale)
    hessian = highspy.HighsHessian()
    hessian.dim_ = 1
    hessian.start_, hessian.index_, hessian.value_ = np.array([0, 1]), np.array([0]), np.array([scale])
    assert highs.passHessian(hessian) == highspy.HighsStatus.kOk
    assert highs.run() == highspy.HighsStatus.kOk
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    (x,) = highs.getSolution().col_value
    print(scale, options, x)
    return x


for scale in (1e-4, 1e-6, 1e-8):
    assert abs(optimum(scale) - scale / (scale + 1e-7)) < 1e-3
assert abs(optimum(1e-8, qp_regularization_value=0.0) - 1) < 1e-3
END
