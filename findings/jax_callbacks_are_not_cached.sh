#!/usr/bin/env bash
# A compiled function that holds a pure_callback is never written to JAX's compilation cache on disk; one without is.
#
# Versions: jax 0.10.2, numpy 2.4.6, Python 3.11.
# Function: two functions under jax.jit that return the same, one by way of a NumPy function on the host; every limit that
#   keeps programs out of the cache is lifted.
# Expected: both are kept, or a word that one is not.
# Seen: one file for the plain function, none for the other, and nothing is said; every process compiles it again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1 \
    "$folder/venv/bin/python" -W error - "$folder/cache" <<'END'
import os
import sys

import jax
import numpy as np

x = jax.device_put(np.arange(3, dtype=np.float32))
jax.config.update("jax_compilation_cache_dir", sys.argv[1])
os.makedirs(sys.argv[1])


def plain(x):
    return jax.lax.sin(x)


def by_callback(x):
    return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


counts = {}
for f in (plain, by_callback):
    assert np.allclose(jax.jit(f)(x), np.sin(np.arange(3)), atol=1e-6)
    counts[f.__name__] = sum(f"jit_{f.__name__}-" in name and name.endswith("cache") for name in os.listdir(sys.argv[1]))
print(counts)
assert counts == {"plain": 1, "by_callback": 0}, "behaviour changed"
END
