#!/usr/bin/env bash
# jnp.asarray compiles an XLA program for every new shape of a NumPy array that it is given; jax.device_put compiles none.
#
# Versions: jax 0.10.2, numpy 2.4.6, Python 3.11.
# Function: both, of float32 arrays of five lengths; the results are equal, of the same kind, and tied to no device.
# Expected: a copy to the device, nothing compiled by either.
# Seen: five programs by asarray, none by device_put.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'END'
import jax
import jax.numpy as jnp
import numpy as np

compiled = []


def listen(event, seconds, **_):
    if event == "/jax/core/compile/backend_compile_duration":
        compiled.append(seconds)


jax.monitoring.register_event_duration_secs_listener(listen)
jnp.zeros(1).block_until_ready()
counts = {}
for name, place in (("asarray", jnp.asarray), ("device_put", jax.device_put)):
    before = len(compiled)
    for size in range(5):
        given = np.arange(10 + size, dtype=np.float32)
        placed = place(given)
        assert isinstance(placed, jax.Array) and not placed.committed and placed.dtype == np.float32
        assert np.array_equal(placed, given)
    counts[name] = len(compiled) - before
seen = f"asarray: {counts['asarray']} programs for 5 shapes, device_put: {counts['device_put']}"
print(seen)
assert seen == "asarray: 5 programs for 5 shapes, device_put: 0", "behaviour changed"
END
