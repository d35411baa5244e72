#!/usr/bin/env bash
# JAX's linear_call keeps a tracer in a closure, which jax.checking_leaks calls a leak of the user's function.
#
# Versions: jax 0.12.0.1, numpy 2.4.6, Python 3.12 or newer; with jax 0.10.2 nothing leaks.
# Function: x * dx, linear in dx and its own transpose, called under jit while leaks are checked.
# Expected: its value, as without the check.
# Seen: "Leaked trace DynamicJaxprTrace", as the closure that makes the transpose holds the linear arguments.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
run() {
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "jax==$1" "jaxlib==$2" numpy==2.4.6
  JAX_PLATFORMS=cpu "$folder/venv/bin/python" - "$3" <<'END'
import sys

import jax
import jax.numpy as jnp
from jax.custom_derivatives import linear_call

times = lambda x, dx: x * dx
call = lambda x: linear_call(times, times, x, x)
x = jnp.arange(3.0)
assert jax.jit(call)(x).tolist() == [0, 1, 4]
jax.clear_caches()
try:
    with jax.checking_leaks():
        found = str(jax.jit(call)(x).tolist())
except Exception as error:
    found = str(error).splitlines()[0]
print(jax.__version__, found)
assert found.startswith(sys.argv[1]), "behaviour changed"
END
}
run 0.10.2 0.10.2 "[0.0, 1.0, 4.0]"
run 0.12.0.1 0.12.0.1 "Leaked trace"
