#!/usr/bin/env bash
# HiGHS reads a column of an LP file whose name begins with "inf" as the number infinity and a column of what is left.
#
# Version: highspy 1.15.1, numpy 2.4.6, Python 3.11.
# File: minimise infeed + y with y >= 1; the format's names begin with any letter.
# Expected: columns infeed and y, both of cost 1.
# Seen: no error, a column "eed" of cost infinity instead of infeed in the objective; with the name "feed", what is expected.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check highspy==1.15.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'END'
import highspy


def read(name):
    with open("file.lp", "w") as file:
        file.write(f"min\n obj: {name} + y\nst\n c: y >= 1\nend\n")
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    status = model.readModel("file.lp")
    lp = model.getLp()
    return status, dict(zip(lp.col_names_, lp.col_cost_))


right, found = read("feed"), read("infeed")
print("feed:", *right, " infeed:", *found)
assert right == (highspy.HighsStatus.kOk, {"feed": 1.0, "y": 1.0})
assert found[0] == highspy.HighsStatus.kOk and "infeed" not in found[1], "behaviour changed"
assert found[1].get("eed") == float("inf"), "behaviour changed"
END
