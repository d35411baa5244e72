#!/usr/bin/env bash
# asdex finds no entries in the Jacobian of a function whose derivative is given by custom_jvp.
#
# Versions: asdex 0.5.1, jax 0.10.2, Python 3.11.
# Function: round(x) with the identity as its derivative (a straight-through estimator).
# Expected: the pattern of what JAX differentiates: the diagonal, as for x + stop_gradient(round(x) - x).
# Seen: an empty pattern (that of the value), and asdex.jacobian returns zeros where jax.jacrev returns the identity.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check asdex==0.5.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import asdex
import jax
import jax.numpy as jnp
import numpy as np


@jax.custom_jvp
def straight(x):
    return jnp.round(x)


straight.defjvp(lambda x, dx: (straight(x[0]), dx[0]))
x = jnp.array([0.3, 1.7, -2.2])
written = lambda x: x + jax.lax.stop_gradient(jnp.round(x) - x)
pattern, other = asdex.jacobian_sparsity(straight, x), asdex.jacobian_sparsity(written, x)
print("entries", pattern.nnz, "of the same function written out", other.nnz)
assert (pattern.nnz, other.nnz) == (0, 3)
found = asdex.jacobian(straight, x)(x)
found = np.asarray(found.todense() if hasattr(found, "todense") else found)
print("asdex.jacobian", found.tolist(), "jax.jacrev", jax.jacrev(straight)(x).tolist())
assert not found.any()
np.testing.assert_array_equal(jax.jacrev(straight)(x), np.eye(3))
END
