#!/usr/bin/env bash
# An exported function with an open batch size takes the wrong branch for a batch of one.
#
# Versions: jax 0.10.2, Python 3.11.
# Function: x if x.shape[0] == 1 else -x, exported for x of shape ("batch", 2).
# Expected: called with one row, what the function itself returns, x; or an error at export, as for x.shape[0] > 1.
# Seen: -x. Comparing a symbolic size for equality is False, not inconclusive, while > raises.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import jax
import jax.numpy as jnp
from jax import export


def f(x):
    return x if x.shape[0] == 1 else -x


shape = export.symbolic_shape("batch, 2")
exported = export.export(jax.jit(f))(jax.ShapeDtypeStruct(shape, jnp.float32))
one = jnp.ones((1, 2))
print("direct", f(one).tolist(), "exported", exported.call(one).tolist())
assert f(one).tolist() == [[1, 1]]
assert exported.call(one).tolist() == [[-1, -1]]
try:
    export.export(jax.jit(lambda x: x if x.shape[0] > 1 else -x))(jax.ShapeDtypeStruct(shape, jnp.float32))
    raise SystemExit("> did not raise")
except Exception as error:
    print("for > it raises", type(error).__name__)
    assert type(error).__name__ == "InconclusiveDimensionOperation"
END
