#!/usr/bin/env bash
# Derivatives of slsqp-jax's solutions are those of the program without its constraints.
#
# Versions: slsqp-jax 0.21.1, optimistix 0.1.0, jax 0.10.2, Python 3.11 or newer.
# Program: minimise |x - q|^2 with x0 + x1 = 1, at q = (0.3, 0.2).
# Expected: dx/dq = [[1/2, -1/2], [-1/2, 1/2]], as finite differences say, or an error: the first paragraph of the
#           package's description promises jax.grad.
# Seen: the solution is right, and its Jacobian is the identity, without a warning. The default adjoint of
#       optimistix.minimise solves "the gradient of the objective is zero", which knows nothing of constraints.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check slsqp-jax==0.21.1 \
  optimistix==0.1.0 lineax==0.1.1 equinox==0.13.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu JAX_ENABLE_X64=1 "$folder/venv/bin/python" -W error - <<'END'
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from slsqp_jax import SLSQP, SLSQPConfig, ToleranceConfig

solver = SLSQP(
    eq_constraint_fn=lambda x, q: jnp.array([x[0] + x[1] - 1]),
    n_eq_constraints=1,
    config=SLSQPConfig(tolerance=ToleranceConfig(rtol=1e-8)),
)


@jax.jit
def solve(q):
    def distance(x, q):
        return jnp.sum((x - q) ** 2), None

    return optimistix.minimise(distance, solver, jnp.zeros(2), args=q, has_aux=True).value


q = jnp.array([0.3, 0.2])
solution, jacobian = solve(q), jax.jacrev(solve)(q)
differences = jnp.stack([(solve(q + h) - solve(q - h)) / 2e-3 for h in 1e-3 * jnp.eye(2)], axis=1)
print("solution", solution, "jacobian", jacobian.tolist(), "differences", differences.round(4).tolist())
np.testing.assert_allclose(solution, [0.55, 0.45], atol=1e-6)
np.testing.assert_allclose(differences, [[0.5, -0.5], [-0.5, 0.5]], atol=1e-3)
np.testing.assert_allclose(jacobian, np.eye(2), atol=1e-3, err_msg="behaviour changed")
END
