#!/usr/bin/env bash
# Adam's second moment stops growing half way when parameters and gradients are bfloat16.
#
# Versions: optax 0.2.8, jax 0.10.2, Python 3.11.
# Input: 2000 steps of optax.adam(1e-3) with every gradient 1; the second moment nu should come to 1 - 0.999^2000.
# Expected: nu = 0.865.
# Seen: nu = 0.5: there one step adds less than half of what bfloat16 resolves. mu_dtype does not concern nu.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import jax
import jax.numpy as jnp
import optax


def second_moment(dtype, **options):
    rule = optax.adam(1e-3, **options)
    w = jnp.zeros(1, dtype)
    state = jax.lax.fori_loop(0, 2000, lambda _, state: rule.update(jnp.ones(1, dtype), state, w)[1], rule.init(w))
    nu = float(state[0].nu[0])
    print(jnp.dtype(dtype), options, "nu", nu)
    return nu


assert abs(second_moment(jnp.float32) - (1 - 0.999**2000)) < 1e-3
assert second_moment(jnp.bfloat16) == 0.5
END
