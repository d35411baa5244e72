"""Sparse saddle-point systems: solutions are those of the pseudo-inverse, null spaces are found."""

import numpy as np
import pytest
from scipy.sparse import csc_array

from argflux.programs.derivatives import leastnorm
from argflux.programs.derivatives.leastnorm import Saddle


def system(kind, n=40, m=12, seed=0):
    r = np.random.default_rng(seed)
    thin = lambda height, width: r.normal(size=(height, width)) * (r.uniform(size=(height, width)) < 0.2)
    factor, C = thin(n, n) + np.eye(n), thin(m, n) + np.eye(m, n)
    P = factor @ factor.T
    if "rows" in kind:
        C[-1], C[-2] = C[0] + C[1], 3 * C[2]
    if "unknowns" in kind:
        P[:, n - 3 :] = P[n - 3 :] = C[:, n - 3 :] = 0
    if "linear" in kind:
        P[:] = 0
    return P, C


def saddle_of(P, C):
    matrix = csc_array(dense(P, C))
    matrix.setdiag(np.diagonal(dense(P, C)))
    return Saddle(csc_array(matrix), len(P))


def dense(P, C):
    return np.block([[P, C.T], [C, np.zeros((len(C), len(C)))]])


KINDS = ["regular", "rows", "unknowns", "rows unknowns", "linear", "linear rows"]
PARTS = {"rows": (False, True), "unknowns": (True, False), "rows unknowns": (True, True), "regular": (False, False)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("small", [0, 300])
def test_least_norm_solutions(kind, small, monkeypatch):
    monkeypatch.setattr(leastnorm, "SMALL", small)
    monkeypatch.setattr(leastnorm, "CROWDED", 10**9)
    P, C = system(kind)
    saddle, K = saddle_of(P, C), dense(P, C)
    scaled = K * saddle.scale[:, None] * saddle.scale
    right = np.random.default_rng(1).normal(size=(len(K), 3))
    for r in (right, K @ right):
        expected = saddle.scale[:, None] * (np.linalg.pinv(scaled, 1e-9) @ (saddle.scale[:, None] * r))
        np.testing.assert_allclose(saddle.solve(r), expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("kind", PARTS)
def test_null_spaces_are_found(kind):
    P, C = system(kind)
    assert saddle_of(P, C).null_parts() == PARTS[kind]


def test_ill_conditioned_systems_are_solved(monkeypatch):
    monkeypatch.setattr(leastnorm, "SMALL", 0)
    monkeypatch.setattr(leastnorm, "CROWDED", 10**9)
    n = 100
    bend = np.diff(np.eye(n), 2, axis=0)
    P, C = bend.T @ bend, np.eye(n)[[0, n - 1]]
    saddle, K = saddle_of(P, C), dense(P, C)
    right = np.random.default_rng(2).normal(size=(n + 2, 1))
    np.testing.assert_allclose(K @ saddle.solve(right), right, atol=1e-8)
