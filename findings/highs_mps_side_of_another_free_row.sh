#!/usr/bin/env bash
# HiGHS takes the right-hand side of an MPS file's second N row as the constant of the objective, which is the first.
#
# Version: highspy 1.15.1, numpy 2.4.6, Python 3.11.
# File: minimise x with x >= 1; a second row of kind N, which no reader takes as the objective, has RHS 3.
# Expected: objective 1, as without that line; CLP 1.17.6 and SCIP ignore it.
# Seen: objective -2, with kOk and no message.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check highspy==1.15.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'END'
import highspy

FILE = """NAME t
ROWS
 N cost
 N other
 G least
COLUMNS
 x cost 1 least 1
 x other 5
RHS
 RHS least 1{}
ENDATA
"""


def solve(side):
    with open("file.mps", "w") as file:
        file.write(FILE.format(side))
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    status = model.readModel("file.mps")
    model.run()
    return status, model.getInfo().objective_function_value


plain, moved = solve(""), solve("\n RHS other 3")
print("without:", *plain, " with RHS other 3:", *moved)
assert plain == (highspy.HighsStatus.kOk, 1.0)
assert moved == (highspy.HighsStatus.kOk, -2.0), "behaviour changed"
END
