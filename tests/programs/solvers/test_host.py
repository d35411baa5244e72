"""DAQP on the host: bounds, equalities, starts, threads and instances that are not to be solved."""

import numpy as np
import pytest

from argflux.programs.forms.form import Blocks, Form
from argflux.programs.solvers import Settings, hosted
from argflux.programs.solvers.host import solve_daqp
from argflux.programs.solvers.hosted import solve_hosted


def blocks_of(form: Form, batch: int, seed: int = 0) -> Blocks:
    r = np.random.default_rng(seed)
    n, p, m = form.n, form.p, form.m
    factor, x0 = r.normal(size=(batch, n, n)), r.normal(size=(batch, n))
    A, G = r.normal(size=(batch, p, n)), r.normal(size=(batch, m, n))
    right = [np.einsum("bij,bj->bi", M, x0) for M in (A, G)]
    P, q = factor @ factor.mT + np.eye(n), 5 * r.normal(size=(batch, n))
    lower = x0 - r.uniform(size=(batch, n)) if form.lower else np.zeros((1, 0))
    upper = x0 + r.uniform(size=(batch, n)) if form.upper else np.zeros((1, 0))
    return Blocks(*map(np.asarray, (P, q, A, right[0], G, right[1] + r.uniform(size=(batch, m)), lower, upper)))


def solve(form: Form, blocks: Blocks, start=None, usable=None, limit: int = 1000):
    batch = blocks.q.shape[0]
    start = np.zeros((1, form.p + form.m + form.n), np.int32) if start is None else start
    return solve_daqp(form, blocks, np.ones(batch, bool) if usable is None else usable, start, limit)


@pytest.mark.parametrize(("lower", "upper"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("size", [(1, 0, 1), (6, 2, 4), (30, 10, 30), (5, 0, 0)])
def test_the_optimality_conditions_hold(size, lower, upper, x64):
    form = Form(*size, "dense", lower, upper)
    blocks = blocks_of(form, 4)
    s = solve(form, blocks)
    assert np.all(s.found)
    y, z = s.dual[:, : form.p], s.dual[:, form.p :]
    slope = np.einsum("bij,bj->bi", blocks.P, s.x) + blocks.q + s.bound
    slope = slope + np.einsum("bij,bi->bj", blocks.A, y) + np.einsum("bij,bi->bj", blocks.G, z)
    np.testing.assert_allclose(slope, 0, atol=1e-10)
    np.testing.assert_allclose(np.einsum("bij,bj->bi", blocks.A, s.x), blocks.b, atol=1e-10)
    slack = blocks.h - np.einsum("bij,bj->bi", blocks.G, s.x)
    assert np.all(slack > -1e-9)
    assert np.all(z > -1e-12)
    np.testing.assert_allclose(slack * z, 0, atol=1e-8)
    gaps = (s.x - blocks.lower if lower else np.inf), (blocks.upper - s.x if upper else np.inf)
    assert np.all(gaps[0] > -1e-9)
    assert np.all(gaps[1] > -1e-9)
    assert np.all(s.bound[gaps[1] > 1e-9] <= 0) if upper else np.all(s.bound <= 0)
    assert np.all(s.bound[gaps[0] > 1e-9] >= 0) if lower else np.all(s.bound >= 0)


def test_a_start_at_the_solution_needs_one_iteration(x64):
    form = Form(20, 0, 20, "dense", True, True)
    blocks = blocks_of(form, 3)
    s = solve(form, blocks)
    assert np.any(s.bound < 0), "an instance that starts at a lower bound"
    sides = np.concatenate([np.sign(s.dual), np.sign(s.bound)], 1).astype(np.int32)
    assert not np.any(solve(form, blocks, limit=2).found)
    again = solve(form, blocks, start=sides, limit=2)
    assert np.all(again.found)
    np.testing.assert_allclose(again.x, s.x, atol=1e-9)


def test_a_start_at_an_infinite_bound_is_left_out(x64):
    form = Form(3, 0, 0, "dense", True, True)
    wide = np.full((1, 3), np.inf)
    blocks = blocks_of(form, 1)._replace(lower=-wide, upper=wide)
    for side in (1, -1):
        s = solve(form, blocks, start=np.full((1, 3), side, np.int32))
        assert np.all(s.found)
        np.testing.assert_allclose(s.x, np.linalg.solve(blocks.P, -blocks.q[..., None])[..., 0], atol=1e-10)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_the_scale_of_the_objective_does_not_matter(scale, x64):
    form = Form(6, 2, 4, "dense", True, True)
    blocks = blocks_of(form, 3)
    s, scaled = solve(form, blocks), solve(form, blocks._replace(P=scale * blocks.P, q=scale * blocks.q))
    assert np.all(scaled.found)
    np.testing.assert_allclose(scaled.x, s.x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(scaled.dual, scale * s.dual, rtol=1e-11, atol=1e-11 * scale)
    np.testing.assert_allclose(scaled.bound, scale * s.bound, rtol=1e-11, atol=1e-11 * scale)


def test_instances_that_are_not_usable_are_left_alone(x64):
    form = Form(4, 1, 3, "dense", False, False)
    blocks = blocks_of(form, 3)
    broken = blocks._replace(P=np.where(np.arange(3)[:, None, None] == 1, np.nan, blocks.P))
    s = solve(form, broken, usable=np.array([True, False, True]))
    np.testing.assert_array_equal(s.found, [True, False, True])
    np.testing.assert_array_equal(s.x[1], 0)
    np.testing.assert_allclose(s.x[2], solve(form, blocks).x[2])


def test_a_curvature_that_is_not_positive_is_not_found(x64):
    form = Form(3, 0, 2, "dense", False, False)
    blocks = blocks_of(form, 2)
    s = solve(form, blocks._replace(P=np.concatenate([np.diag([1.0, -1.0, 1.0])[None], blocks.P[1:]])))
    np.testing.assert_array_equal(s.found, [False, True])


def test_contradicting_rows_are_not_found(x64):
    form = Form(2, 0, 2, "dense", False, False)
    G, h = np.array([[[1.0, 0.0], [-1.0, 0.0]]]), np.array([[-1.0, -1.0]])
    s = solve(form, blocks_of(form, 1)._replace(G=G, h=h))
    assert not s.found[0]


def test_shared_blocks_serve_the_batch(x64):
    form = Form(5, 1, 3, "dense", True, False)
    blocks = blocks_of(form, 4)
    shared = Blocks(*[block[:1] for block in blocks])._replace(q=blocks.q)
    wide = Blocks(*[np.broadcast_to(block, (4, *block.shape[1:])) for block in shared])
    np.testing.assert_allclose(solve(form, shared).x, solve(form, wide).x, rtol=1e-13)


def test_threads_change_nothing(monkeypatch):
    form, none = Form(10, 2, 10, "dense", True, True), np.zeros((1, 22), np.int32)
    arrays = (*blocks_of(form, 30), none)
    alone = solve_hosted(*arrays, form=form, settings=Settings())
    for name, value in (("THREADED", 0), ("ALONE", 0), ("SOME", 7)):
        monkeypatch.setattr(hosted, name, value)
    monkeypatch.setattr(hosted, "cores", lambda: 4)
    for a, b in zip(alone, solve_hosted(*arrays, form=form, settings=Settings()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
