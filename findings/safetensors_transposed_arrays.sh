#!/usr/bin/env bash
# safetensors saves a transposed NumPy array in the order of its memory: right shape, wrong values.
#
# Versions: safetensors 0.8.0, NumPy 2.4.6, Python 3.11.
# Input: the transpose of [[0, 1, 2], [3, 4, 5]], saved with safetensors.numpy.save and loaded again.
# Expected: [[0, 3], [1, 4], [2, 5]], or an error as for dtypes it does not know.
# Seen: [[0, 1], [2, 3], [4, 5]], without a word. np.ascontiguousarray first is the remedy.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import numpy as np
from safetensors.numpy import load, save

turned = np.arange(6.0).reshape(2, 3).T
loaded = load(save({"a": turned}))["a"]
print("saved", turned.tolist(), "loaded", loaded.tolist())
assert loaded.tolist() == [[0, 1], [2, 3], [4, 5]]
assert load(save({"a": np.ascontiguousarray(turned)}))["a"].tolist() == turned.tolist()
END
