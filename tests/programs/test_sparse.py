"""Programs with sparse matrices: as the dense ones, in values and derivatives, without dense arrays anywhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO, BCSR

import argflux as af
from argflux.errors import ArgumentError, DataError, ShapeError
from argflux.programs import Regularity, Status, solve_lp, solve_qp
from argflux.programs.forms.pattern import Pattern, Sparse
from argflux.programs.solvers import hosted
from argflux.programs.statements import sparseblocks


@pytest.fixture(autouse=True)
def _small_is_sparse(monkeypatch):
    monkeypatch.setattr(sparseblocks, "SMALL", 0)


def thin(r, rows, columns):
    """A random matrix with a diagonal and few other entries."""
    return r.normal(size=(rows, columns)) * (r.uniform(size=(rows, columns)) < 0.2) + np.eye(rows, columns)


def program(seed, n=12, p=3, m=6, curved="sparse"):
    r = np.random.default_rng(seed)
    factor, A, G, x0 = thin(r, n, n), thin(r, p, n), thin(r, m, n), r.normal(size=n)
    P = {"sparse": factor @ factor.T + 0.5 * np.eye(n), "diagonal": r.uniform(0.5, 2.0, size=n), "none": None}[curved]
    blocks = {"P": P, "q": 3 * r.normal(size=n), "A": A, "b": A @ x0, "G": G, "h": G @ x0 + r.uniform(0.01, 1, size=m)}
    blocks |= {"lower": x0 - r.uniform(0.1, 1, size=n), "upper": x0 + r.uniform(0.1, 1, size=n)}
    return {name: jnp.asarray(block) for name, block in blocks.items() if block is not None}


def places(blocks):
    return {name: np.nonzero(np.asarray(blocks[name])) for name in ("P", "A", "G") if blocks.get(name, TWO).ndim == 2}


def values_of(blocks):
    return blocks | {name: blocks[name][place] for name, place in places(blocks).items()}


def solver_of(blocks, dense, **options):
    """A function of the values on the patterns."""
    where, shapes = places(blocks), {name: block.shape for name, block in blocks.items()}

    indices = {name: jnp.asarray(np.stack(place, 1)) for name, place in where.items()}

    def solve(values):
        matrices = {}
        for name, place in indices.items():
            sparse = BCOO((values[name], place), shape=shapes[name])
            matrices[name] = sparse.todense() if dense else sparse
        return solve_qp(**({"P": None} | values | matrices), **options)

    return solve


def weighted(s):
    r = np.random.default_rng(99)
    fields = [s.x, s.y, s.z, s.z_lower, s.z_upper, s.objective[None]]
    return sum(jnp.vdot(jnp.asarray(r.normal(size=f.shape)), f) for f in fields)


KINDS = [("sparse", 0), ("diagonal", 1), ("none", 2)]
TWO = jnp.ones(2)


@pytest.mark.parametrize(("curved", "seed"), KINDS)
def test_sparse_and_dense_programs_agree_with_their_derivatives(curved, seed, x64):
    blocks = program(seed, curved=curved)
    values = values_of(blocks)
    sparse, dense = (solver_of(blocks, dense) for dense in (False, True))
    r = np.random.default_rng(3)
    tangents = {name: jnp.asarray(r.normal(size=v.shape)) for name, v in values.items()}
    loss = lambda v: weighted(sparse(v))

    @jax.jit
    def derivatives(v):
        return jax.grad(loss)(v), af.gradient(loss, v)[0], jax.jvp(loss, (v,), (tangents,))[1]

    got, expected = jax.jit(sparse)(values).check(), jax.jit(dense)(values).check()
    for name in ("x", "y", "z", "z_lower", "z_upper", "objective"):
        np.testing.assert_allclose(getattr(got, name), getattr(expected, name), atol=1e-7, err_msg=name)
    grads, ours, forward = derivatives(values)
    for name, expected in jax.jit(jax.grad(lambda v: weighted(dense(v))))(values).items():
        np.testing.assert_allclose(grads[name], expected, atol=1e-6, err_msg=name)
    for found in (grads, ours):
        total = sum(np.vdot(found[k], tangents[k]) for k in values)
        np.testing.assert_allclose(total, forward, rtol=1e-9)


def test_finite_differences(x64):
    blocks = program(4)
    values, solve = values_of(blocks), solver_of(blocks, False)
    loss = jax.jit(lambda v: weighted(solve(v)))
    grads = jax.jit(jax.grad(loss))(values)
    r = np.random.default_rng(5)
    for name, value in values.items():
        d = r.normal(size=value.shape)
        value = np.asarray(value)
        expected = (loss(values | {name: value + 1e-5 * d}) - loss(values | {name: value - 1e-5 * d})) / 2e-5
        np.testing.assert_allclose(np.vdot(grads[name], d), expected, rtol=1e-4, atol=1e-4, err_msg=name)


def test_second_derivatives(x64):
    blocks = program(6, n=5, p=1, m=3)
    values = values_of(blocks)
    hessian = lambda solve: jax.jit(jax.hessian(lambda q: jnp.sum(solve(values | {"q": q}).x ** 3)))(values["q"])
    np.testing.assert_allclose(hessian(solver_of(blocks, False)), hessian(solver_of(blocks, True)), atol=1e-6)


def test_batches_share_or_carry_matrices(x64):
    blocks = program(7)
    values, solve = values_of(blocks), solver_of(blocks, False)
    q, A = jnp.stack([values["q"], -values["q"]]), jnp.stack([values["A"], 1.1 * values["A"]])
    single = jax.jit(lambda changed: solve(values | changed).x)
    shared = jax.jit(jax.vmap(lambda q: solve(values | {"q": q}).x))(q)
    np.testing.assert_allclose(shared, [single({"q": row}) for row in q], atol=1e-9)
    zero = jnp.zeros_like(values["b"])
    rows = jax.jit(jax.vmap(lambda q, A: solve(values | {"q": q, "A": A, "b": zero}).x))(q, A)
    each = [single({"q": q[i], "A": A[i], "b": zero}) for i in range(2)]
    np.testing.assert_allclose(rows, each, atol=1e-9)
    total = lambda G: jnp.sum(jax.vmap(lambda q: solve(values | {"q": q, "G": G}).x)(q) ** 2)
    one = lambda G, q: jnp.sum(solve(values | {"q": q, "G": G}).x ** 2)
    by_one = jax.jit(jax.grad(one))
    expected = sum(by_one(values["G"], row) for row in q)
    np.testing.assert_allclose(jax.jit(jax.grad(total))(values["G"]), expected, atol=1e-8)


def test_callers_in_float32():
    blocks = program(8)
    values, solve = values_of(blocks), solver_of(blocks, False)
    s = jax.jit(solve)(values)
    assert all(leaf.dtype in (jnp.float32, jnp.int32) for leaf in jax.tree.leaves(s))
    assert int(s.status) == Status.SOLVED
    assert jax.jit(jax.grad(lambda v: weighted(solve(v))))(values)["A"].dtype == jnp.float32


@pytest.mark.parametrize("curved", [True, False])
def test_each_instance_has_its_status(curved, x64):
    """x between two bounds as rows: solvable, infeasible, unbounded, not a number."""
    G = Sparse(jnp.array([1.0, -1.0]), Pattern.of([0, 1], [0, 0], (2, 2)))
    P = Sparse(jnp.array([1.0, 0.0, 0.0]), Pattern.of([0, 1, 0], [0, 1, 1], (2, 2))) if curved else None
    h = jnp.array([[1.0, 1.0], [0.0, -1.0], [1.0, 1.0], [jnp.nan, 1.0]])
    q = jnp.array([[-3.0, -1.0], [-3.0, -1.0], [-3.0, 1.0], [-3.0, -1.0]])
    run = jax.jit(jax.vmap(lambda q, h: solve_qp(P, q, G=G, h=h, upper=9.0)))
    expected = [Status.SOLVED, Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE, Status.BAD_DATA]
    s = run(q, h)
    assert s.status.tolist() == expected
    np.testing.assert_allclose(s.x[0, 0], 1.0, atol=1e-8)
    grads = jax.jit(jax.grad(lambda h: jnp.sum(run(q, h).x[:, 0])))(h)
    np.testing.assert_allclose(grads, [[1.0, 0], [0, 0], [0, 0], [0, 0]], atol=1e-6)


def test_the_closest_program_of_an_infeasible_one(x64):
    G = Sparse(jnp.array([1.0, -1.0]), Pattern.of([0, 1], [0, 0], (2, 1)))
    P = Sparse(jnp.ones(1), Pattern.of([0], [0], (1, 1)))
    x = lambda h: solve_qp(P, jnp.zeros(1), G=G, h=h, on_failure="closest").check().x
    np.testing.assert_allclose(x(jnp.array([0.0, -1.0])), [0.5], atol=1e-6)


def test_dependent_rows_get_the_derivative_of_least_norm(x64):
    twice = Sparse(jnp.ones(4), Pattern.of([0, 0, 1, 1], [0, 1, 0, 1], (2, 3)))
    P = Sparse(jnp.ones(3), Pattern.of([0, 1, 2], [0, 1, 2], (3, 3)))

    def x(h, G):
        return solve_qp(P, -2 * jnp.ones(3), G=G, h=h).x

    h = jnp.ones(2)
    expected = jax.jit(jax.jacobian(lambda h: x(h, twice.dense())))(h)
    for jacobian in (jax.jacrev, jax.jacfwd):
        np.testing.assert_allclose(jax.jit(jacobian(lambda h: x(h, twice)))(h), expected, atol=1e-7)


def test_a_weakly_active_row_is_said(x64):
    G = Sparse(jnp.ones(1), Pattern.of([0], [0], (1, 2)))
    P = Sparse(jnp.ones(3), Pattern.of([0, 1, 0], [0, 1, 1], (2, 2)))
    s = solve_qp(P, -jnp.ones(2), G=G, h=jnp.ones(1) * 0.0).check()
    assert Regularity.STRICT_COMPLEMENTARITY not in Regularity(int(s.regularity))
    P = Sparse(jnp.array([1.0, 1.0, 0.0]), P.pattern)
    s = solve_qp(P, -jnp.ones(2), G=G, h=jnp.ones(1)).check()
    assert Regularity.STRICT_COMPLEMENTARITY in Regularity(int(s.regularity))


DEPENDENT = {
    "regular": (1.0, [[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]], Regularity.REGULAR),
    "the same row twice": (1.0, [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]], Regularity.LICQ),
    "an unknown without cost": (0.0, [[1.0, 1.0, 0.0], [1.0, 2.0, 0.0]], Regularity.NON_UNIQUE),
}


@pytest.mark.parametrize("name", DEPENDENT)
def test_dependent_rows_and_free_directions_are_said(name, x64):
    weight, rows, expected = DEPENDENT[name]
    P, G = jnp.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, weight]]), jnp.array(rows)
    q = jnp.array([-3.0, -3.0, -3.0 * weight])
    s = jax.vmap(lambda q: solve_qp(Sparse.of(P), q, G=Sparse.of(G), h=TWO))(jnp.stack([q, q])).check()
    found = [Regularity(int(flags)) & ~Regularity.STRICT_COMPLEMENTARITY for flags in s.regularity]
    assert found == [expected] * 2


def test_formats_and_engine_give_gradients_like_the_argument(x64):
    blocks = program(9)
    A = BCOO.fromdense(blocks["A"])
    solve = lambda A: solve_qp(**(blocks | {"A": A})).x
    np.testing.assert_allclose(solve(A), solve(BCSR.from_bcoo(A)), atol=1e-12)
    like = jax.jit(
        lambda data: af.gradient(lambda A: jnp.sum(solve(A) ** 2), BCOO((data, A.indices), shape=A.shape))[0]
    )
    grad = like(A.data)
    dense = jax.jit(jax.grad(lambda A: jnp.sum(solve_qp(**(blocks | {"A": A})).x ** 2)))(blocks["A"])
    assert isinstance(grad, BCOO)
    np.testing.assert_allclose(grad.data, dense[tuple(A.indices.T)], atol=1e-7)


def test_a_large_program_needs_no_dense_matrix():
    """A chain of 3000 variables: n² floats would be 72 MB; nothing in the lowered programs is that large."""
    n = 3000
    i = np.arange(n - 1)
    P = Sparse(
        jnp.concatenate([jnp.full(n, 2.0), jnp.full(n - 1, -1.0), jnp.full(n - 1, -1.0)]),
        Pattern.of(np.r_[np.arange(n), i, i + 1], np.r_[np.arange(n), i + 1, i], (n, n)),
    )
    loss = lambda v, q: jnp.sum(solve_qp(Sparse(v, P.pattern), q, lower=-1.0).x ** 2)
    q = jnp.asarray(np.random.default_rng(0).normal(size=n), jnp.float32)
    grad = jax.jit(jax.grad(loss, (0, 1)))
    text = grad.lower(P.values, q).as_text()
    assert f"{n}x{n}" not in text
    dP, dq = grad(P.values, q)
    assert dP.shape == P.values.shape
    assert bool(jnp.all(jnp.isfinite(dP)) & jnp.any(dP != 0) & jnp.any(dq != 0))


EYE = BCOO.fromdense(jnp.eye(2))
BAD = [
    (ShapeError, r"A of shape \(2, 2\); expected \(rows, 3\)", lambda: solve_qp(None, jnp.ones(3), A=EYE, b=TWO)),
    (ShapeError, "P with 1 batch", lambda: solve_qp(BCOO.fromdense(jnp.ones((2, 2, 2)), n_batch=1), TWO)),
    (ArgumentError, "A whose indices are being traced", lambda: jax.jit(lambda A: solve_lp(TWO, A, TWO).x)(EYE)),
    (
        ArgumentError,
        "P with a negative eigenvalue",
        lambda: solve_qp(BCOO.fromdense(jnp.array([[0.0, 1], [1, 0]])), TWO),
    ),
    (ArgumentError, "solver='daqp' for sparse matrices", lambda: solve_qp(EYE, TWO, A=EYE, b=TWO, solver="daqp")),
    (
        DataError,
        r"G\[1, 0\] = nan",
        lambda: solve_lp(TWO, G=BCOO.fromdense(jnp.array([[1.0, 0], [jnp.nan, 1]])), h=TWO),
    ),
]


@pytest.mark.parametrize(("error", "message", "call"), BAD, ids=[message for _, message, _ in BAD])
def test_bad_input(error, message, call):
    with pytest.raises(error, match=message):
        call()


def test_small_programs_are_dense(monkeypatch):
    monkeypatch.setattr(sparseblocks, "SMALL", 100)
    monkeypatch.setattr(hosted, "solve_interior", None)
    np.testing.assert_allclose(solve_qp(EYE, -TWO, A=EYE, b=TWO).x, TWO, atol=1e-7)
