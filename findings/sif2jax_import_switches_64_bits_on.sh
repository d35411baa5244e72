#!/usr/bin/env bash
# Importing sif2jax switches 64-bit types on, for the whole process and for good.
#
# Versions: sif2jax 0.0.8, jax 0.10.2, numpy 2.4.6, Python 3.11 or newer.
# Input: `import sif2jax`, in a program that computes with 32-bit numbers.
# Expected: a collection of problems leaves the program's settings as they are, or documents that it does not.
# Seen: jax_enable_x64 is False before and True after, as modules of single problems set it where they are imported; what
#       is made later has doubles, also in code that never uses the collection, and compiled functions trace again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sif2jax==0.0.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'END'
import jax
import jax.numpy as jnp

before = jax.config.jax_enable_x64, str(jnp.ones(1).dtype)
import sif2jax

after = jax.config.jax_enable_x64, str(jnp.ones(1).dtype)
print("before", before, "after", after)
assert before == (False, "float32") and after == (True, "float64"), "behaviour changed"
END
