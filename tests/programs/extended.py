"""Derivatives of programs in extended precision (80 bits), from the optimality conditions written out by hand."""

from typing import Any

import numpy as np

REAL = np.longdouble
FIELDS = ("x", "y", "z", "z_lower", "z_upper", "objective")


def eliminate(K: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve `K v = right` by Gaussian elimination with scaled rows and partial pivoting."""
    rows = np.concatenate([K, right[:, None]], 1).astype(REAL)
    rows /= np.max(np.abs(rows[:, :-1]), 1, keepdims=True)
    size = len(right)
    for i in range(size):
        j = i + int(np.argmax(np.abs(rows[i:, i])))
        rows[[i, j]] = rows[[j, i]]
        rows[i + 1 :, i:] -= np.outer(rows[i + 1 :, i] / rows[i, i], rows[i, i:])
    v = np.zeros(size, REAL)
    for i in reversed(range(size)):
        v[i] = (rows[i, -1] - rows[i, i + 1 : -1] @ v[i + 1 :]) / rows[i, i]
    return v


def read(blocks: dict[str, Any]) -> dict[str, np.ndarray]:
    """All blocks in extended precision, absent ones empty."""
    n = len(blocks["q"])
    absent = {
        "P": np.zeros((n, n)),
        "A": np.zeros((0, n)),
        "b": np.zeros(0),
        "G": np.zeros((0, n)),
        "h": np.zeros(0),
        "lower": np.full(n, -np.inf),
        "upper": np.full(n, np.inf),
    }
    full = {name: np.asarray(value).astype(REAL) for name, value in (absent | blocks).items()}
    if full["P"].ndim == 1:
        full["P"] = np.diag(full["P"])
    return full


def active_rows(data: dict[str, np.ndarray], solution: Any) -> np.ndarray:
    """Numbers of the rows of `[A; G; I; I]` whose duals are not zero, equalities among them always."""
    p, m, n = len(data["b"]), len(data["h"]), len(data["q"])
    duals = [np.ones(p), np.asarray(solution.z), np.asarray(solution.z_lower), np.asarray(solution.z_upper)]
    fixed = np.asarray(data["lower"] == data["upper"])
    duals[2] = np.where(fixed, 1.0, duals[2])
    duals[3] = np.where(fixed, 0.0, duals[3])
    return np.flatnonzero(np.concatenate(duals) > 0)[: p + m + 2 * n]


def exact_gradient(blocks: dict[str, Any], solution: Any, weights: dict[str, np.ndarray]) -> tuple[dict, dict]:
    """The solution on its active set, and the gradient of `Σ weights · fields` with respect to every block."""
    data = read(blocks)
    n, p, m = len(data["q"]), len(data["b"]), len(data["h"])
    signs = np.concatenate([np.ones(p + m), -np.ones(n), np.ones(n)])
    every = np.concatenate([data["A"], data["G"], -np.eye(n), np.eye(n)]).astype(REAL)
    on = active_rows(data, solution)
    limits = np.concatenate([data["b"], data["h"], data["lower"], data["upper"]])[on] * signs[on]
    C = every[on]
    K = np.block([[(data["P"] + data["P"].T) / 2, C.T], [C, np.zeros((len(on), len(on)), REAL)]])
    v = eliminate(K, np.concatenate([-data["q"], limits]))
    x, dual = v[:n], np.zeros(len(every), REAL)
    dual[on] = v[n:]
    fields = dict(zip(FIELDS[:5], (x, *np.split(dual, [p, p + m, p + m + n])), strict=True))
    fields["objective"] = x @ (data["P"] @ x / 2 + data["q"])
    cost = REAL(weights["objective"])
    pull = np.concatenate([weights[name] for name in FIELDS[1:5]])[on]
    w = eliminate(K, np.concatenate([weights["x"] + cost * (data["P"] @ x + data["q"]), pull]))
    wx, wdual = w[:n], np.zeros(len(every), REAL)
    wdual[on] = w[n:]
    rows = -np.outer(dual, wx) - np.outer(wdual, x)
    grads = {
        "P": -(np.outer(wx, x) + np.outer(x, wx)) / 2 + cost * np.outer(x, x) / 2,
        "q": -wx + cost * x,
        "A": rows[:p],
        "b": wdual[:p],
        "G": rows[p : p + m],
        "h": wdual[p : p + m],
        "lower": -wdual[p + m : p + m + n],
        "upper": wdual[p + m + n :],
    }
    if np.ndim(blocks.get("P", 0.0)) == 1:
        grads["P"] = np.diag(grads["P"])
    return fields, {name: grads[name] for name in blocks}
