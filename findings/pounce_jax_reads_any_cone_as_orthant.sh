#!/usr/bin/env bash
# pounce.jax.solve_socp reads every cone but the second-order cone as the orthant, and answers for that.
#
# Versions: pounce-solver 0.13.0, jax 0.10.2, Python 3.11 or newer.
# Program: the point of the exponential cone nearest to (1, 1, 0.5), with cones=[("exp", 3)].
# Expected: (0.277, 0.607, 0.958), as pounce.solve_socp finds for the same arguments, or an error, as that function
#           raises for a name it does not know.
# Seen: (1, 1, 0.5), which is outside the cone, with the identity as its Jacobian: the point is in the orthant. The same
#       for "pow", and for a name that is none. Neither raises nor warns, so a slip such as "sco" passes as well.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  pounce-solver==0.13.0 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 scipy==1.17.1
JAX_PLATFORMS=cpu "$folder/venv/bin/python" -W error - <<'END'
import jax
import numpy as np
import pounce
from pounce.jax import solve_socp

point = np.array([1.0, 1.0, 0.5])
cone = {"P": np.eye(3), "G": -np.eye(3), "h": np.zeros(3)}
host = pounce.solve_socp(c=-point, cones=[("exp", 3)], **cone)
print("pounce.solve_socp, exp:", np.round(host.x, 3), host.status)
np.testing.assert_allclose(host.x, [0.277, 0.607, 0.958], atol=1e-3)
try:
    pounce.solve_socp(c=-point, cones=[("sco", 3)], **cone)
except ValueError as error:
    print("pounce.solve_socp, sco:", error)
else:
    raise AssertionError("behaviour changed: pounce.solve_socp takes a name that is none")

for name in ("exp", "pow", "sco"):

    def nearest(point):
        return solve_socp(c=-point, cones=[(name, 3)], **cone)

    x, jacobian = nearest(point), jax.jacrev(nearest)(point)
    print(f"pounce.jax.solve_socp, {name}:", np.round(x, 3), "jacobian", np.round(jacobian, 3).tolist())
    np.testing.assert_allclose(x, point, atol=1e-6, err_msg="behaviour changed")
    np.testing.assert_allclose(jacobian, np.eye(3), atol=1e-6, err_msg="behaviour changed")
x, y, z = point
assert y * np.exp(x / y) > z + 1, "the point is in the cone"
END
