"""`solve_cone`: statuses beside Clarabel's and SCS's, derivatives beside finite differences, batches, bad input."""

import clarabel
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scs
from jax.experimental.sparse import BCOO
from scipy import sparse

import argflux as af
from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError
from argflux.programs import Regularity, Status, solve_cone
from argflux.programs import cones as C
from argflux.programs.cones.product import Product
from argflux.programs.solvers import conic
from tests.programs.cones.random_programs import KINDS, mixture, program, variant

CLARABEL = {"Solved": 0, "PrimalInfeasible": 1, "DualInfeasible": 2}
SCS = {"solved": 0, "infeasible": 1, "unbounded": 2}
ORDER = (C.Zero, C.NonNegative, C.SecondOrder, C.Semidefinite, C.Exponential, C.Power)


def by_clarabel(P, q, A, b, kinds):
    product = Product.of(kinds)
    order, settings = conic.clarabel_rows(product), clarabel.DefaultSettings()
    settings.verbose = False
    blocks = sparse.csc_array(np.triu(P)), q, sparse.csc_array(A[order]), b[order], conic._cones(product)
    return CLARABEL.get(str(clarabel.DefaultSolver(*blocks, settings).solve().status))


def by_scs(P, q, A, b, kinds):
    starts = np.cumsum([0, *(cone.rows for cone in kinds)])
    order = sorted(range(len(kinds)), key=lambda i: ORDER.index(type(kinds[i])))
    rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in order])
    of = lambda kind: [kinds[i] for i in order if isinstance(kinds[i], kind)]
    words = {
        "z": sum(c.k for c in of(C.Zero)),
        "l": sum(c.k for c in of(C.NonNegative)),
        "q": [c.k for c in of(C.SecondOrder)],
        "s": [c.k for c in of(C.Semidefinite)],
        "ep": len(of(C.Exponential)),
        "p": [c.a for c in of(C.Power)],
    }
    data = {"P": sparse.csc_matrix(np.triu(P)), "A": sparse.csc_matrix(A[rows]), "b": b[rows], "c": q}
    found = scs.SCS(data, words, verbose=False, eps_abs=1e-8, eps_rel=1e-8, max_iters=20_000).solve()
    return SCS.get(found["info"]["status"]), found["info"]["pobj"]


@pytest.mark.parametrize("block", range(10))
def test_statuses_are_those_that_others_agree_on(block, x64):
    """2,000 programs of all kinds of cones and mixtures; at most one in a hundred may be left unsolved."""
    left = 0
    for seed in range(200 * block, 200 * block + 200):
        trouble, kinds, blocks = variant(seed)
        solution = solve_cone(*blocks, kinds)
        status, (theirs, objective) = int(solution.status), by_scs(*blocks, kinds)
        assert all(np.isfinite(v).all() for v in (solution.x, solution.s, solution.z))
        if theirs is not None and theirs == by_clarabel(*blocks, kinds):
            assert status == theirs, (seed, trouble, kinds)
        left += status > Status.DUAL_INFEASIBLE
        if status == theirs == Status.SOLVED and trouble != "scaled":
            np.testing.assert_allclose(solution.objective, objective, rtol=1e-5, atol=1e-5, err_msg=str(seed))
    assert left <= 2


def weighed(kinds, n, rows):
    r = np.random.default_rng(0)
    wx, ws, wz = r.normal(size=n), r.normal(size=rows), r.normal(size=rows)

    def f(P, q, A, b):
        s = solve_cone((P + P.T) / 2, q, A, b, kinds)
        return s.x @ wx + s.s @ ws + s.z @ wz + s.objective

    return f


def directions(blocks, seed):
    r = np.random.default_rng(seed)
    found = [r.normal(size=block.shape) for block in blocks]
    definite = np.linalg.eigvalsh(blocks[0]).min() > 1e-3
    found[0] = found[0] + found[0].T if definite else blocks[0] * r.normal()  # P stays semidefinite
    return tuple(found)


@pytest.mark.parametrize("seed", [seed for seed in range(25) if seed != 13])  # where a slack nearly is on the boundary
def test_derivatives_of_mixtures(seed, x64):
    """Forward is the transpose of reverse; both are the differences of re-solved programs."""
    kinds, n = mixture(seed)
    blocks = program(seed, kinds, n)
    f, steps = jax.jit(weighed(kinds, n, len(blocks[3]))), directions(blocks, seed)
    assert int(solve_cone(*blocks, kinds).regularity) == Regularity.REGULAR
    pulled = sum(float((g * d).sum()) for g, d in zip(jax.grad(f, (0, 1, 2, 3))(*blocks), steps, strict=True))
    pushed = float(jax.jvp(f, blocks, steps)[1])
    at = lambda h: float(f(*(block + h * d for block, d in zip(blocks, steps, strict=True))))
    size = max(1.0, abs(pushed))
    np.testing.assert_allclose(pulled, pushed, atol=1e-9 * size)
    np.testing.assert_allclose(pushed, (at(1e-6) - at(-1e-6)) / 2e-6, atol=1e-6 * size)


@pytest.mark.parametrize("name", KINDS)
def test_second_derivatives(name, x64):
    kind = KINDS[name](np.random.default_rng(3))
    kinds = [kind, C.NonNegative(2)]
    n = max(2, kind.rows - 1)
    P, q, A, b = program(5, kinds, n)
    P = P + np.eye(n)
    f = jax.jit(jax.grad(lambda t: weighed(kinds, n, len(b))(P, q + t[0] * q[::-1], A * (1 + t[1]), b + t[2])))
    t = jnp.zeros(3)
    numeric = jnp.stack([(f(t + 1e-5 * e) - f(t - 1e-5 * e)) / 2e-5 for e in jnp.eye(3)])
    found = jax.jit(jax.jacobian(f))(t)
    np.testing.assert_allclose(found, numeric, atol=1e-5 * (1 + abs(numeric).max()))
    np.testing.assert_allclose(jax.jacfwd(f)(t), found, atol=1e-8 * (1 + abs(numeric).max()))


def test_our_own_engine_agrees(x64):
    kinds, n = mixture(4)
    blocks = program(4, kinds, n)
    f = weighed(kinds, n, len(blocks[3]))
    for ours, theirs in zip(af.gradient(f, *blocks), jax.grad(f, (0, 1, 2, 3))(*blocks), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize("spoil", ["nan", "infeasible"])
def test_one_bad_instance_leaves_63_others_exact(spoil, x64):
    kinds = [C.SecondOrder(4), C.Semidefinite(2), C.Exponential()]
    P, q, A, b = program(1, kinds, 4)
    right = np.tile(b, (64, 1)) + 0.01 * np.random.default_rng(0).normal(size=(64, len(b)))
    right[7] = np.nan if spoil == "nan" else right[7] - 100 * np.eye(len(b))[0]
    run = jax.jit(jax.vmap(lambda b: solve_cone(P, q, A, b, kinds)))
    found = run(jnp.asarray(right))
    expected = Status.BAD_DATA if spoil == "nan" else Status.PRIMAL_INFEASIBLE
    assert int(found.status[7]) == expected
    others = np.delete(np.arange(64), 7)
    np.testing.assert_array_equal(found.status[others], Status.SOLVED)
    alone = solve_cone(P, q, A, right[3], kinds)
    for mine, single in zip((found.x[3], found.s[3], found.z[3]), (alone.x, alone.s, alone.z), strict=True):
        np.testing.assert_allclose(mine, single, atol=1e-12)
    slopes = jax.grad(lambda b: jax.vmap(lambda b: solve_cone(P, q, A, b, kinds).x)(b).sum())(jnp.asarray(right))
    assert np.isfinite(slopes).all()
    assert not slopes[7].any()
    nan = jax.vmap(lambda b: solve_cone(P, q, A, b, kinds, on_failure="nan").x)(jnp.asarray(right))
    np.testing.assert_array_equal(np.isnan(nan).any(1), np.arange(64) == 7)


def test_large_programs_stay_sparse(x64):
    """The same program, dense and sparse, on both sides of the size from which matrices are kept sparse."""
    r, n = np.random.default_rng(0), 400
    kinds = [C.SecondOrder(5)] * 60 + [C.NonNegative(n)]
    A = sparse.vstack(
        [sparse.csr_array(r.normal(size=(300, n)) * (r.uniform(size=(300, n)) < 0.01)), -sparse.eye_array(n)]
    ).tocsr()
    x, z = np.abs(r.normal(size=n)), np.concatenate([np.tile([2.0, 0.5, 0.5, 0.5, 0.5], 60), np.ones(n)])
    q, b = -(A.T @ z), A @ x + np.concatenate([np.tile([2.0, 0.5, 0.5, 0.5, 0.5], 60), np.ones(n)])
    f = lambda M: jax.value_and_grad(lambda b: solve_cone(jnp.ones(n), q, M, b, kinds).x.sum())(jnp.asarray(b))
    (value, slope), (dense, slopes) = f(BCOO.from_scipy_sparse(A)), f(A.toarray())
    np.testing.assert_allclose(value, dense, rtol=1e-9)
    np.testing.assert_allclose(slope, slopes, atol=1e-7)


def test_scs_words_are_the_same_cones(x64):
    kinds = [C.Zero(1), C.NonNegative(2), C.SecondOrder(3), C.Semidefinite(2), C.Exponential(), C.Power(0.3)]
    blocks = program(2, kinds, 6)
    words = {"p": [0.3], "z": 1, "l": 2, "q": [3], "s": 2, "ep": 1}
    np.testing.assert_array_equal(solve_cone(*blocks, words).x, solve_cone(*blocks, kinds).x)


def test_single_precision():
    kinds = [C.SecondOrder(3)]
    s = solve_cone(np.ones(2, np.float32), np.ones(2, np.float32), -np.eye(3, 2, dtype=np.float32), np.zeros(3), kinds)
    assert s.x.dtype == s.s.dtype == s.z.dtype == np.float32


@pytest.mark.parametrize("name", KINDS)
def test_single_precision_where_double_is_on(name, x64):
    kinds = [KINDS[name](np.random.default_rng(3)), C.NonNegative(2)]
    P, q, A, b = program(5, kinds, max(2, kinds[0].rows - 1))
    f = lambda q, A, b: jnp.sum(solve_cone(jnp.asarray(P + np.eye(len(P)), q.dtype), q, A, b, kinds).x)
    slopes = lambda dtype: jax.jit(jax.grad(f, (0, 1, 2)))(*(jnp.asarray(block, dtype) for block in (q, A, b)))
    for single, double in zip(slopes(np.float32), slopes(np.float64), strict=True):
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, double, atol=1e-4 * max(1.0, np.abs(double).max()))


Q, A3, B3 = np.ones(2), np.eye(3, 2), np.ones(3)
BAD = {
    "rows left": ((None, Q, A3, B3, [C.Zero(2)]), ShapeError, r"Zero rows 0 to 1\).*say what rows 2 to 2 are"),
    "rows too many": ((None, Q, A3, B3, [C.Zero(4)]), ShapeError, "1 rows too many"),
    "side of a triangle": ((None, Q, A3, B3, [C.Semidefinite(3)]), ShapeError, r"Semidefinite\(3\) has 6 rows"),
    "not convex": ((-np.eye(2), Q, A3, B3, [C.Zero(3)]), ArgumentError, "smallest eigenvalue -1"),
    "negative diagonal": ((-np.ones(2), Q, A3, B3, [C.Zero(3)]), ArgumentError, "smallest eigenvalue -1"),
    "not symmetric": (([[1, 2], [0, 1]], Q, A3, B3, [C.Zero(3)]), ArgumentError, "P.0, 1. = 2 beside.*both triangles"),
    "exponent": ((None, Q, A3, B3, [C.Power(1.0)]), ArgumentError, r"Power\(1.0\).*between 0 and 1"),
    "size": ((None, Q, A3, B3, [C.SecondOrder(-1)]), ArgumentError, r"SecondOrder\(-1\)"),
    "no list": ((None, Q, A3, B3, C.Zero(3)), DtypeError, "a list of cones"),
    "no cones": ((None, Q, A3, B3, [3]), DtypeError, "a list of cones"),
    "unknown word": ((None, Q, A3, B3, {"f": 3}), ArgumentError, "key 'f'.*write 'z'"),
    "dual cone": ((None, Q, A3, B3, {"ed": 1}), ArgumentError, "key 'ed'"),
    "word's value": ((None, Q, A3, B3, {"ep": "a"}), ArgumentError, r"cones\['ep'\]"),
    "columns": ((None, Q, A3.T, B3, [C.Zero(3)]), ShapeError, r"A of shape \(2, 3\).*A.T"),
    "right side": ((None, Q, A3, B3[:2], [C.Zero(3)]), ShapeError, r"b of shape \(2,\)"),
    "P": ((np.ones((3, 3)), Q, A3, B3, [C.Zero(3)]), ShapeError, r"P of shape \(3, 3\)"),
    "NaN": ((None, Q, A3, B3 * np.nan, [C.Zero(3)]), DataError, r"b\[0\] = nan"),
    "infinite": ((None, Q, A3, B3 * np.inf, [C.NonNegative(3)]), DataError, r"b\[0\] = inf.*leave out rows"),
    "option": ((None, Q, A3, B3, [C.Zero(3)], {"on_failure": "raise"}), ArgumentError, "on_failure='raise'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    (*blocks, last), kind, message = BAD[name]
    options = last if name == "option" else {}
    given = blocks if name == "option" else [*blocks, last]
    with pytest.raises(kind, match=message):
        solve_cone(*given, **options)
