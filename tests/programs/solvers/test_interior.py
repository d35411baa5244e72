"""Sparse programs: exact answers where the interior point leaves doubt, held against their optimality conditions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO
from scipy import sparse

from argflux.programs import Status, solve_qp
from argflux.programs.derivatives import sparsekkt
from argflux.programs.forms.form import Blocks, Form, dressed, on_patterns
from argflux.programs.forms.units import frame
from argflux.programs.solvers import Settings, clarabel, interior
from argflux.programs.solvers.correction import Point, Program, held_at, met
from argflux.programs.solvers.proximal import centres

LAYERS = 300


def convex_regression():
    """The convex sequence nearest to a sine: rows whose products are singular to rounding. After YAO of CUTEst."""
    n = LAYERS + 2
    G = sparse.diags_array([-1.0, 2.0, -1.0], offsets=[0, 1, 2], shape=(LAYERS, n)).tocsr()
    lower, upper = np.full(n, -np.inf), np.full(n, np.inf)
    lower[0], (lower[-2:], upper[-2:]) = 0.08, (0.0, 0.0)
    return sparse.eye_array(n).tocsr(), -np.sin(np.arange(1, n + 1) / LAYERS), G, np.zeros(LAYERS), lower, upper


def degenerate(seed, n=60, m=90, scale=1.0):
    """Costs that are flat in most directions, rows given twice, sums of rows, and a vertex where most of them hold."""
    r = np.random.default_rng(seed)
    thin = lambda rows: r.normal(size=(rows, n)) * (r.uniform(size=(rows, n)) < 0.1)
    factor, G = thin(5), thin(m)
    G[m // 2 :] = G[: m - m // 2] + np.roll(G[: m - m // 2], 1, 0)
    G[:5] = G[5:10]
    corner = np.where(r.uniform(size=n) < 0.5, 0.0, r.uniform(size=n))
    h = G @ corner + np.where(r.uniform(size=m) < 0.7, 0.0, r.uniform(size=m))
    duals = np.where(r.uniform(size=m) < 0.3, r.uniform(size=m), 0.0) * (h - G @ corner < 1e-12)
    q = -(factor.T @ factor @ corner + G.T @ duals) + np.where(corner == 0, r.uniform(size=n), 0.0)
    P = sparse.csr_array(factor.T @ factor)
    return P, q * scale, sparse.csr_array(G), h * scale, np.zeros(n), np.full(n, np.inf)


def solve(P, q, G, h, lower, upper, **options):
    matrix = BCOO.from_scipy_sparse
    return solve_qp(matrix(P), jnp.asarray(q), G=matrix(G), h=jnp.asarray(h), lower=lower, upper=upper, **options)


def breaches(s, P, q, G, h, lower, upper):
    """How far a solution is from each of its optimality conditions, beside the size of the terms."""
    x, z, low, high = (np.asarray(part) for part in (s.x, s.z, s.z_lower, s.z_upper))
    slacks = [(h - G @ x, z), (x - lower, low), (upper - x, high)]
    slope = P @ x + q + G.T @ z + high - low
    return {
        "rows": max(float(-np.min(slack)) for slack, _ in slacks) / (1 + (abs(G) @ np.abs(x) + np.abs(h)).max()),
        "slope": float(np.abs(slope).max() / (1 + np.abs(q).max() + np.abs(z).max())),
        "signs": max(float(-np.min(dual)) for _, dual in slacks) / (1 + np.abs(q).max()),
        "products": max(float(np.abs(np.where(dual > 0, slack, 0.0) * dual).max()) for slack, dual in slacks)
        / (1 + np.abs(q @ x)),
    }


PROGRAMS = {
    "convex regression": convex_regression,
    **{f"degenerate, {seed}": (lambda seed=seed: degenerate(seed)) for seed in range(8)},
    "degenerate, large": lambda: degenerate(0, scale=1e6),
    "degenerate, small": lambda: degenerate(0, scale=1e-6),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_solutions_meet_their_conditions(name, x64):
    data = PROGRAMS[name]()
    s = solve(*data)
    assert int(s.status) == Status.SOLVED
    assert all(value < 1e-8 for value in breaches(s, *data).values()), breaches(s, *data)
    slope = jax.grad(lambda q: solve(data[0], q, *data[2:]).x.sum())(jnp.asarray(data[1]))
    assert np.all(np.isfinite(slope))


def instance(P, q, G, h, lower, upper):
    dense = Blocks(P.toarray(), q, np.zeros((0, len(q))), np.zeros(0), G.toarray(), h, lower, upper)
    form, blocks = on_patterns(
        Form(len(q), 0, len(h), "dense", True, True), Blocks(*(np.asarray(block)[None] for block in dense))
    )
    blocks = dressed(form, blocks)
    return Program.of(form, blocks, frame(form, blocks), 0)


@pytest.mark.parametrize("seed", range(4))
def test_the_proximal_method_finds_what_holds(seed, monkeypatch):
    program = instance(*degenerate(seed))
    monkeypatch.setattr(clarabel, "ACCURACY", 1e4)
    point = clarabel.run_clarabel(program, Settings(), interior._plain(program)).point
    assert program.judged(point).error > 1e-6
    found = [min(program.judged(c).error, met(program, c, held).error) for c, held in centres(program, point)]
    assert min(found) < 2e-8


def test_what_holds_is_read_in_any_units():
    """Where unknowns and rows are measured in other units, the same rows and bounds hold."""
    P, q, G, h, lower, upper = degenerate(1)
    r = np.random.default_rng(0)
    units, across = (2.0 ** r.integers(-12, 12, size) for size in (len(q), len(h)))
    D, E = sparse.diags_array(units), sparse.diags_array(across)
    plain = instance(P, q, G, h, lower, upper)
    other = instance((D @ P @ D).tocsr(), q * units, (E @ G @ D).tocsr(), h * across, lower, upper)
    x, z, w = r.uniform(size=len(q)), r.uniform(size=len(h)) ** 9, r.normal(size=len(q))
    held = held_at(plain, Point(x, z, w)), held_at(other, Point(x / units, z / across, w * units))
    curved = P.diagonal() > 0  # the others take their units from the rows
    assert curved.any()
    for a, b in zip(*held, strict=True):
        assert np.mean(a == b) > 0.9


def test_the_derivative_takes_the_factors_of_the_solution(x64, monkeypatch):
    P, q, *rest = convex_regression()
    made, factorised = sparsekkt.Saddle, []
    monkeypatch.setattr(sparsekkt, "_recent", sparsekkt._Recent())
    monkeypatch.setattr(sparsekkt, "Saddle", lambda *a: factorised.append(made(*a)) or factorised[-1])
    solve(P, q, *rest)
    count = len(factorised)
    assert count
    jax.grad(lambda q: solve(P, q, *rest).x.sum())(jnp.asarray(q))
    assert len(factorised) == count


def test_few_systems_are_kept(monkeypatch):
    monkeypatch.setattr(sparsekkt, "KEPT", 0)
    monkeypatch.setattr(sparsekkt, "_recent", sparsekkt._Recent())
    for seed in range(3):
        data = degenerate(seed)
        solve(*data)
    assert len(sparsekkt._recent.systems) == 1


def test_an_answer_far_away_is_none(x64):
    """Rows that contradict each other: an interior point of which runs away until its size excuses everything."""
    s = solve_qp(jnp.ones(2), jnp.array([0.3, 0.5]), jnp.ones((2, 2)), jnp.array([1.0, 1.0 + 1e-7]), solver="clarabel")
    assert int(s.status) == Status.PRIMAL_INFEASIBLE


def test_a_verdict_in_poor_units_is_not_believed(monkeypatch, x64):
    run = interior.run_clarabel
    verdicts = []

    def first_says_infeasible(program, settings, units):
        verdicts.append(units)
        answered = run(program, settings, units)
        return answered._replace(status=int(Status.PRIMAL_INFEASIBLE)) if len(verdicts) == 1 else answered

    monkeypatch.setattr(interior, "run_clarabel", first_says_infeasible)
    data = convex_regression()
    assert int(solve(*data, solver="clarabel").status) == Status.SOLVED
    assert len(verdicts) == 2


def test_dense_programs_by_name(x64):
    P, q, G, h, lower, upper = degenerate(2)
    s = solve_qp(P.toarray(), q, G=G.toarray(), h=h, lower=lower, solver="clarabel")
    assert all(value < 1e-8 for value in breaches(s, P, q, G, h, lower, upper).values())


def test_settings_name_the_method():
    form, _ = on_patterns(Form(2, 0, 0, "dense", False, False), Blocks(*[np.ones((1, 2, 2))] * 8))
    assert Settings().method(form) == "piqp"


def piqp_must_not_run(*_):
    raise AssertionError


def test_crowded_factors_are_clarabels(x64, monkeypatch):
    """PIQP factorises column by column, which takes several times as long where columns have hundreds of entries."""
    monkeypatch.setattr(interior, "run_piqp", piqp_must_not_run)
    n, r = 450, np.random.default_rng(0)
    G = sparse.csr_array(r.normal(size=(n, n)) * (r.uniform(size=(n, n)) < 0.02))
    P = sparse.csr_array(G.T @ G + sparse.eye_array(n))
    s = solve(P, r.normal(size=n), G, np.ones(n), np.full(n, -np.inf), np.full(n, np.inf))
    assert int(s.status) == Status.SOLVED


def test_batches_on_many_cores_are_clarabels(x64, monkeypatch):
    """PIQP holds the interpreter while it solves."""
    monkeypatch.setattr(interior, "run_piqp", piqp_must_not_run)
    monkeypatch.setattr(interior, "cores", lambda: 4)
    P, q, G, h, lower, upper = degenerate(3)
    scales = jnp.asarray([1.0, 2.0, 0.5])
    many = jax.vmap(lambda q: solve(P, q, G, h, lower, upper))(jnp.asarray(q) * scales[:, None])
    np.testing.assert_array_equal(many.status, Status.SOLVED)


def test_what_piqp_leaves_goes_to_clarabel(x64, monkeypatch):
    def gives_up(program, settings, units):
        return interior.Answered(program.nothing(), int(Status.NUMERICAL_ERROR), 7)

    monkeypatch.setattr(interior, "run_piqp", gives_up)
    data = convex_regression()
    s = solve(*data)
    assert int(s.status) == Status.SOLVED
    assert all(value < 1e-8 for value in breaches(s, *data).values())
