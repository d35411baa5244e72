#!/usr/bin/env bash
# The gradient of jnp.linalg.lstsq is NaN where singular values are equal, as for orthonormal columns.
#
# Versions: jax 0.10.2, numpy 2.4.6, Python 3.11, float64.
# Function: c'x of the least squares solution x for A of full rank, near which x is (A'A)^-1 A'b, smooth in A.
# Expected: the gradient by central differences, which jnp.linalg.pinv(A) @ b has.
# Seen: NaN in every entry where the singular values are 1 and 1; right where they are 1 and 2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu JAX_ENABLE_X64=1 "$folder/venv/bin/python" - <<'END'
import jax
import jax.numpy as jnp
import numpy as np

b, c = jnp.arange(3.0), jnp.array([1.0, 2.0])
by_lstsq = lambda A: jnp.linalg.lstsq(A, b)[0] @ c
by_pinv = lambda A: jnp.linalg.pinv(A) @ b @ c


def differences(f, A, h=1e-6):
    steps = h * np.eye(A.size).reshape(A.size, *A.shape)
    return np.array([(f(A + step) - f(A - step)) / (2 * h) for step in steps]).reshape(A.shape)


orthonormal = jnp.eye(3)[:, :2]
apart = orthonormal * jnp.array([1.0, 2.0])
for f in (by_lstsq, by_pinv):
    np.testing.assert_allclose(jax.grad(f)(apart), differences(f, apart), atol=1e-6)
print("lstsq", jax.grad(by_lstsq)(orthonormal).ravel(), "differences", differences(by_lstsq, orthonormal).ravel().round(6))
np.testing.assert_allclose(jax.grad(by_pinv)(orthonormal), differences(by_lstsq, orthonormal), atol=1e-6)
assert np.isnan(jax.grad(by_lstsq)(orthonormal)).all(), "behaviour changed"
END
