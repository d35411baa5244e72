#!/usr/bin/env bash
# HiGHS drops matrix entries of 1e-9 and less, and answers for the program that is left.
#
# Versions: highspy 1.15.1, Python 3.11.
# Program: minimise -x where 1e-9 x <= 1 and x >= 0. It is bounded: the answer is x = 1e9.
# Expected: x = 1e9, or an error that refuses the coefficient.
# Seen: kUnbounded from run() that returns kOk. The matrix has no entries left. Only the value that passModel()
# returns, kWarning, tells; with the option small_matrix_value at 1e-12 the answer is 1e9.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check highspy==1.15.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import highspy
import numpy as np


def solved(**options):
    highs = highspy.Highs()
    highs.silent()
    for name, value in options.items():
        assert highs.setOptionValue(name, value) == highspy.HighsStatus.kOk
    lp = highspy.HighsLp()
    lp.num_col_ = lp.num_row_ = 1
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = np.array([-1.0]), np.array([0.0]), np.array([np.inf])
    lp.row_lower_, lp.row_upper_ = np.array([-np.inf]), np.array([1.0])
    lp.a_matrix_.start_, lp.a_matrix_.index_ = np.array([0, 1]), np.array([0])
    lp.a_matrix_.value_ = np.array([1e-9])
    passed, ran = highs.passModel(lp), highs.run()
    print(options, passed, ran, highs.getModelStatus(), "entries:", highs.getNumNz(), "x:", highs.getSolution().col_value)
    return passed, ran, highs.getModelStatus(), highs.getNumNz(), highs.getSolution().col_value[0]


ok, warning, status = highspy.HighsStatus.kOk, highspy.HighsStatus.kWarning, highspy.HighsModelStatus
assert solved()[:4] == (warning, ok, status.kUnbounded, 0)
*said, x = solved(small_matrix_value=1e-12)
assert said == [ok, ok, status.kOptimal, 1]
assert abs(x - 1e9) < 1
END
