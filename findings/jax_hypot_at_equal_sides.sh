#!/usr/bin/env bash
# The second derivatives of jnp.hypot are zero where both sides have one length; its gradient at zero is 1/2, later NaN.
#
# Versions: jax 0.10.2 and 0.12.0.1, numpy 2.4.6, Python 3.12 or newer, float64.
# Function: hypot(x, y) = sqrt(x^2 + y^2), whose second derivatives at (1, 1) are +-1/sqrt(8).
# Expected: these, as jnp.sqrt(x * x + y * y) has them, and in both versions one answer at (0, 0).
# Seen: 0.10.2: zeros at (1, 1), right at (1, 1.000001), and the gradient [0.5, 0.5] at (0, 0).
#       0.12.0.1: right at (1, 1), and the gradient [nan, nan] at (0, 0).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
run() {
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "jax==$1" "jaxlib==$2" numpy==2.4.6
  JAX_PLATFORMS=cpu JAX_ENABLE_X64=1 "$folder/venv/bin/python" - "$1" <<'END'
import sys

import jax
import jax.numpy as jnp
import numpy as np

old = sys.argv[1] == "0.10.2"
length = lambda v: jnp.hypot(v[0], v[1])
plain = lambda v: jnp.sqrt(v @ v)
equal, apart, zero = jnp.ones(2), jnp.array([1.0, 1.000001]), jnp.zeros(2)
np.testing.assert_allclose(jax.hessian(length)(apart), jax.hessian(plain)(apart), rtol=1e-9)
second, first = jax.hessian(length)(equal), jax.grad(length)(zero)
print(jax.__version__, "second derivatives at (1, 1):", second.round(4).tolist(), "gradient at 0:", first.tolist())
right = np.allclose(second, jax.hessian(plain)(equal))
assert (not second.any() and first.tolist() == [0.5, 0.5]) if old else (right and np.isnan(first).all()), "behaviour changed"
END
}
run 0.10.2 0.10.2
run 0.12.0.1 0.12.0.1
