#!/usr/bin/env bash
# equinox.filter_jit takes 1, 1.0 and True for the same argument, and answers with the dtype of whichever came first.
#
# Versions: equinox 0.13.8, jax 0.10.2, Python 3.11.
# Function: x * n for an integer array x and a Python number n.
# Expected: int32 for n = 1 and float32 for n = 1.0, as without filter_jit.
# Seen: int32 for both, in this order of calls; float32 for both in the other. Python numbers are static, and compared by ==.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check equinox==0.13.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import equinox as eqx
import jax.numpy as jnp

x = jnp.arange(3)


def dtypes(*numbers, compiled=True):
    f = eqx.filter_jit(lambda x, n: x * n) if compiled else lambda x, n: x * n
    found = [str(f(x, n).dtype) for n in numbers]
    print(numbers, "compiled" if compiled else "plain", found)
    return found


assert dtypes(1, 1.0, compiled=False) == ["int32", "float32"]
assert dtypes(1, 1.0) == ["int32", "int32"]
assert dtypes(1.0, 1) == ["float32", "float32"]
END
