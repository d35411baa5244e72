"""Batched dual ascent: optimal points, proofs of infeasibility, warm starts, and data that are no programs."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs.derivatives.dense import positive_inverse
from argflux.programs.forms.form import Rows
from argflux.programs.solvers.pivoting import solve_pivoting


@pytest.fixture(autouse=True)
def inside_a_solve(x64):
    """Settings under which a solver is traced."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@dataclass(frozen=True)
class Size:
    """Sizes of a batch of random programs: variables, equalities, one-sided and two-sided rows."""

    batch: int
    n: int
    equal: int = 0
    above: int = 0
    both: int = 0


SIZES = [
    Size(1, 1, above=1),
    Size(1, 3, both=3),
    Size(7, 5, equal=2, above=4),
    Size(64, 6, equal=6, above=3),
    Size(33, 10, above=30),
    Size(16, 8, equal=3, above=5, both=12),
    Size(3, 30, equal=5, above=40, both=30),
]


def rows_of(size: Size) -> Rows:
    r = np.random.default_rng(size.n)
    factor, x = r.normal(size=(size.batch, size.n, size.n)), r.normal(size=(size.batch, size.n))
    P = factor @ factor.mT / size.n + 0.05 * np.eye(size.n)
    C = r.normal(size=(size.batch, size.equal + size.above + size.both, size.n))
    value, room = np.einsum("bij,bj->bi", C, x), r.uniform(0.01, 0.5, size=(2, *C.shape[:2]))
    kind = np.repeat([0, 1, 2], [size.equal, size.above, size.both])
    lo = np.where(kind == 0, value, np.where(kind == 1, -np.inf, value - room[0]))
    hi = np.where(kind == 0, value, value + room[1])
    return Rows(*(jnp.asarray(a) for a in (P, 5 * r.normal(size=x.shape), C, lo, hi)))


def solve(rows: Rows, start=None, limit: int = 500):
    start = jnp.zeros((1, rows.C.shape[1]), jnp.int32) if start is None else start
    return jax.jit(solve_pivoting, static_argnums=(2, 3))(rows, start, limit, 1e-11)


def worst_condition(rows: Rows, r) -> float:
    """Largest violation of the optimality conditions of any instance."""
    value = jnp.einsum("bij,bj->bi", rows.C, r.x)
    slope = jnp.einsum("bij,bj->bi", rows.P, r.x) + rows.q + jnp.einsum("bij,bi->bj", rows.C, r.dual)
    up, down = jnp.maximum(r.dual, 0.0), jnp.maximum(-r.dual, 0.0)
    at_hi = jnp.where(up > 0, jnp.abs(value - rows.hi), jnp.maximum(value - rows.hi, 0.0))
    at_lo = jnp.where(down > 0, jnp.abs(value - rows.lo), jnp.maximum(rows.lo - value, 0.0))
    return float(max(jnp.max(jnp.abs(slope)), jnp.max(at_hi), jnp.max(at_lo)))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_instance_meets_its_optimality_conditions(size):
    rows = rows_of(size)
    r = solve(rows)
    assert bool(r.found.all())
    assert worst_condition(rows, r) < 1e-10


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_inverses_are_those_of_the_active_rows(size):
    rows = rows_of(size)
    r = solve(rows)
    np.testing.assert_allclose(r.inverse @ rows.P, np.broadcast_to(np.eye(size.n), rows.P.shape), atol=1e-9)
    H = rows.C @ jnp.linalg.inv(rows.P) @ rows.C.mT
    for i, on in enumerate(np.asarray(r.side != 0)):
        block = np.asarray(H[i])[np.ix_(on, on)]
        np.testing.assert_allclose(np.asarray(r.schur[i])[np.ix_(on, on)] @ block, np.eye(len(block)), atol=1e-7)
        assert not np.asarray(r.schur[i])[~on].any()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_start_at_the_solution_needs_one_exchange_a_row(size):
    rows = rows_of(size)
    cold = solve(rows)
    warm = solve(rows, cold.side)
    np.testing.assert_allclose(warm.x, cold.x, atol=1e-9)
    np.testing.assert_array_equal(warm.iterations, jnp.sum(cold.side != 0, 1))


def test_a_wrong_start_is_corrected():
    rows = rows_of(SIZES[5])
    start = jnp.asarray(np.random.default_rng(0).integers(-1, 2, size=rows.lo.shape), jnp.int32)
    np.testing.assert_allclose(solve(rows, start).x, solve(rows).x, atol=1e-9)


def test_contradictions_are_found_and_leave_the_others_alone():
    rows = rows_of(Size(6, 4, above=6))
    C = rows.C.at[2, 1].set(-rows.C[2, 0]).at[4, 3].set(0.0)
    hi = rows.hi.at[2, 1].set(-rows.hi[2, 0] - 1.0).at[4, 3].set(1.0)
    mixed = rows._replace(C=C, hi=hi)
    r = solve(mixed)
    np.testing.assert_array_equal(r.infeasible, jnp.arange(6) == 2)
    np.testing.assert_array_equal(r.found, jnp.arange(6) != 2)
    good = np.array([0, 1, 3, 5])
    np.testing.assert_allclose(r.x[good], solve(rows).x[good], atol=1e-10)


def test_dependent_equalities_are_met_without_being_active():
    rows = rows_of(Size(4, 5, equal=2, above=3))
    C = jnp.concatenate([rows.C[:, :1] + rows.C[:, 1:2], rows.C], 1)
    right = rows.hi[:, :1] + rows.hi[:, 1:2]
    r = solve(rows._replace(C=C, lo=jnp.concatenate([right, rows.lo], 1), hi=jnp.concatenate([right, rows.hi], 1)))
    assert bool(r.found.all())
    np.testing.assert_allclose(r.x, solve(rows).x, atol=1e-9)


@pytest.mark.parametrize("name", Rows._fields)
def test_an_instance_that_is_no_number_is_not_found_and_harms_no_other(name):
    rows = rows_of(Size(3, 4, equal=1, above=3))
    r = solve(rows._replace(**{name: getattr(rows, name).at[1].set(jnp.nan)}))
    np.testing.assert_array_equal(r.found[::2], True)
    np.testing.assert_allclose(r.x[::2], solve(rows).x[::2], atol=1e-10)
    assert name in ("lo", "hi") or not bool(r.found[1])


def test_indefinite_matrices_are_told_apart():
    P = jnp.asarray([np.diag([1.0, 2.0]), np.diag([1.0, -1.0]), [[1.0, 2.0], [2.0, 1.0]], np.zeros((2, 2))])
    inverse, definite = positive_inverse(P)
    assert definite.tolist() == [True, False, False, False]
    np.testing.assert_allclose(inverse[0], np.diag([1.0, 0.5]))


def test_data_that_the_batch_shares_are_given_once():
    rows = rows_of(Size(5, 4, equal=1, above=4))
    shared = rows._replace(P=rows.P[:1], C=rows.C[:1], lo=rows.lo[:1], hi=rows.hi[:1])
    wide = Rows(*(jnp.broadcast_to(a, (5, *a.shape[1:])) for a in shared))
    np.testing.assert_allclose(solve(shared).x, solve(wide).x, atol=1e-12)


def test_the_limit_ends_it():
    r = solve(rows_of(Size(4, 6, above=12)), limit=1)
    assert not bool(r.found.any())
    assert not bool(r.infeasible.any())
