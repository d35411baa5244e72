#!/usr/bin/env bash
# A NumPy array that a compiled function has captured stays 32 bits wide for JAX, also where 64 bits are switched on.
#
# Versions: jax 0.10.2 and 0.12.0.1, numpy 2.4.6, Python 3.12 or newer, on the CPU.
# Calls: shifted = jax.jit(lambda x: x + c) for a float64 array c, called with 64-bit types off and kept; then, inside
# of jax.enable_x64(True), jnp.asarray(c), c in a dot product, and an array of indices in the same way.
# Expected: the same as for a copy of c: float64, 0.1 to the last bit, and v[indices].
# Seen: asarray(c) is float32, 0.10000000149; the dot product says float64 and has the error of float32, silently; and
# v[indices] is refused with a TypeError about int32 and int64. What JAX knows of an array goes by its identity.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
run() {
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "jax==$1" "jaxlib==$2" numpy==2.4.6
  JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'END'
import jax
import jax.numpy as jnp
import numpy as np

c, indices = np.array([0.1]), np.array([1])
shifted, picked = jax.jit(lambda x: x + c), jax.jit(lambda v: v[indices])
shifted(0.0), picked(np.zeros(3, np.float32))
with jax.enable_x64(True):
    dot = lambda c: jax.jit(lambda v: jnp.vdot(v, c))(np.ones(1))
    print("the array:", jnp.asarray(c).dtype, float(jnp.asarray(c)[0]), dot(c).dtype, float(dot(c)))
    other = c.copy()
    print("a copy:   ", jnp.asarray(other).dtype, float(jnp.asarray(other)[0]), dot(other).dtype, float(dot(other)))
    assert jnp.asarray(c).dtype == np.float32
    assert jnp.asarray(other).dtype == dot(c).dtype == np.float64
    assert abs(float(dot(c)) - 0.1) > 1e-9
    assert float(dot(other)) == 0.1
    assert jnp.zeros(3)[indices.copy()].shape == (1,)
    try:
        jnp.zeros(3)[indices]
    except TypeError as error:
        print("indices:", str(error).split(". ")[0])
    else:
        raise AssertionError("the indices were taken")
END
}
run 0.10.2 0.10.2
run 0.12.0.1 0.12.0
