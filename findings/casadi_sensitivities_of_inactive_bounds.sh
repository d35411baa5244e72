#!/usr/bin/env bash
# Derivatives of CasADi's solutions with Ipopt treat constraints that are far from active as if they were active.
#
# Versions: casadi 3.8.2 (Ipopt of its wheel), numpy 2.4.6, Python 3.11 or newer.
# Programs: minimise (x - r)^2 with -10 <= x <= 10, at r = 0.5; minimise (x - 1)^2 with x <= r, at r = 3.
# Expected: dx/dr = 1 and 0, as finite differences of the same solver say; the solutions, 0.5 and 1, are far inside.
# Seen: 0 and 1, with Solve_Succeeded and no warning. Ipopt's multipliers of inactive constraints are numbers such as
#       2.5e-11, and any but zero count as active. The option clip_inactive_lam gives 1 and 0; it is off by default.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check casadi==3.8.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import casadi

x, r = casadi.SX.sym("x"), casadi.SX.sym("r")
inf = casadi.inf
quiet = {"print_time": False, "ipopt": {"print_level": 0, "sb": "yes"}}
programs = {
    "bounds of x": ({"f": (x - r) ** 2}, {"lbx": -10, "ubx": 10}, 0.5, 1, 0),
    "x <= r": ({"f": (x - 1) ** 2, "g": x - r}, {"lbx": -inf, "ubx": inf, "lbg": -inf, "ubg": 0}, 3.0, 0, 1),
}
for name, (program, bounds, at, right, seen) in programs.items():
    derivatives = []
    for options in ({"clip_inactive_lam": True}, {}):
        solver = casadi.nlpsol("solver", "ipopt", {"x": x, "p": r, **program}, quiet | options)
        jacobian = solver.factory("jacobian", solver.name_in(), ["jac:x:p"])
        derivatives.append(float(jacobian(x0=0.3, p=at, **bounds)["jac_x_p"]))
    clipped, default = derivatives
    answer = solver(x0=0.3, p=at, **bounds)
    multiplier = float(casadi.norm_inf(casadi.vertcat(answer["lam_x"], answer["lam_g"])))
    status = solver.stats()["return_status"]
    above, below = (float(solver(x0=0.3, p=at + h, **bounds)["x"]) for h in (1e-3, -1e-3))
    difference = (above - below) / 2e-3
    print(f"{name}: {status}, x = {float(answer['x']):.6f}, largest multiplier {multiplier:.1e}")
    print(f"    dx/dr = {default:.3f}, clipped {clipped:.3f}, by differences {difference:.3f}")
    assert status == "Solve_Succeeded" and abs(difference - right) < 1e-4, "not the program of the first lines"
    assert abs(default - seen) < 1e-3 and abs(clipped - right) < 1e-3, "behaviour changed"
END
