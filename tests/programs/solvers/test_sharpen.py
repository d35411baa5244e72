"""Programs whose curvature is of half rank: solved exactly by the methods of dense ones, without an interior point."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs import Status, solve_qp
from argflux.programs.solvers import interior


def half_rank(batch, n, m, bounded):
    r = np.random.default_rng(0)
    factor, G = r.normal(size=(batch, n, n // 2)), r.normal(size=(batch, m, n))
    P, x0, z = factor @ factor.mT, r.uniform(-1, 1, size=(batch, n)), np.abs(r.normal(size=(batch, m)))
    q = -np.einsum("bij,bj->bi", P, x0) - np.einsum("bij,bi->bj", G, z)
    limits = {"lower": -2.0, "upper": 2.0} if bounded else {}
    return [jnp.asarray(a) for a in (P, q, G, np.einsum("bij,bj->bi", G, x0) + r.uniform(size=(batch, m)))], limits


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize(("n", "m"), [(5, 5), (5, 50), (20, 30), (30, 60)])
@pytest.mark.parametrize("compiled", [False, True])
def test_half_rank_is_an_ordinary_case(n, m, bounded, compiled, x64, monkeypatch):
    blocks, limits = half_rank(40, n, m, bounded)
    asked = []
    solve_one = interior.solve_one
    monkeypatch.setattr(interior, "solve_one", lambda *a: asked.append(1) or solve_one(*a))
    run = jax.vmap(lambda P, q, G, h: solve_qp(P, q, G=G, h=h, **limits))
    s = (jax.jit(run) if compiled else run)(*blocks)
    np.testing.assert_array_equal(s.status, Status.SOLVED)
    assert len(asked) <= 2
    P, q, G, h = map(np.asarray, blocks)
    bound = np.asarray(s.z_upper - s.z_lower)
    slope = np.einsum("bij,bj->bi", P, s.x) + q + np.einsum("bij,bi->bj", G, s.z) + bound
    slack = h - np.einsum("bij,bj->bi", G, s.x)
    assert np.abs(slope).max() < 1e-7
    assert slack.min() > -1e-7
    assert np.asarray(s.z).min() >= -1e-9
    assert np.abs(s.z * slack).max() < 1e-7
